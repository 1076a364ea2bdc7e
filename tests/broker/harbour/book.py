"""Harbour's book: whole numbers only. Money in cents, prices in points of a hundredth of a cent, times in microseconds."""

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

START_US = 1_699_974_000_000_000
"""Of 2023-11-14, 15:00 UTC: New York's session."""
LISTING = {"SPY": "An index", "AAPL": "A fruit"}
FEE_CENTS = 1
OPEN = frozenset({"RESTING", "PART", "PULLING"})


class NoHarbour(Exception):
    """What Harbour says no with: its code and its words."""

    def __init__(self, code: str, say: str) -> None:
        super().__init__(code, say)
        self.code, self.say = code, say


class Book:
    """Orders, deals and holdings of one account. `tell` is called with each update of an order."""

    def __init__(self, tell: Callable[[Row], None]) -> None:
        self._tell = tell
        self.cash = 10_000_000
        self.orders: dict[int, Row] = {}
        self.refs: dict[str, int] = {}
        self.deals: list[Row] = []
        self.held: dict[str, list[int]] = {}
        """Size, and what all of it cost in points, by symbol."""
        self.quotes = {"SPY": (3_999_900, 4_000_100), "AAPL": (1_899_900, 1_900_100)}
        self.trades = {"SPY": 4_002_500, "AAPL": 1_900_000}
        self.is_held = self.pulls_slowly = False
        self.seq = 0
        self.step_us = 1_001
        self.clock: Callable[[], int] | None = None
        self._now_us = START_US

    def now(self) -> int:
        """The time; without a clock it goes on a little with each look."""
        if self.clock is not None:
            return self.clock() // 1_000
        self._now_us += self.step_us
        return self._now_us

    def place(self, asked: Row, was: int | None = None) -> Row:
        """Take an order, and fill it if the market is there."""
        if asked["ref"] in self.refs:
            raise NoHarbour("REF_USED", "this ref was used before")
        if asked["sym"] not in LISTING:
            raise NoHarbour("NO_SYMBOL", f"{asked['sym']} is not listed")
        for field in ("limit", "stop"):
            if asked[field] is not None and asked[field] % 100:
                raise NoHarbour("BAD_PRICE", f"{field} must be whole cents")
        at = asked["limit"] or asked["stop"] or self.quotes[asked["sym"]][1]
        if asked["way"] == "B" and asked["size"] * at > self.to_spend() * 100:
            raise NoHarbour("NO_FUNDS", "the order costs more than there is to spend")
        if asked["way"] == "S" and asked["size"] > self.free(asked["sym"]):
            raise NoHarbour("NOT_HELD", "more than is free to sell")
        now = self.now()
        more = {"done": 0, "turnover": 0, "state": "RESTING", "made": now, "changed": now, "was": was, "became": None}
        row = {"ticket": 1_000 + len(self.orders), **asked, **more}
        self.orders[row["ticket"]] = row
        self.refs[row["ref"]] = row["ticket"]
        self.say("taken", row)
        self.meet(row)
        return row

    def amend(self, asked: Row) -> Row:
        """Make another order of one; what was done stays with the old."""
        old = self.working(asked["ticket"])
        terms = {field: old[field] if asked[field] is None else asked[field] for field in ("size", "limit", "stop")}
        old["state"] = "AMENDED"  # before it is placed: what the old one kept back is free for the new
        new = self.place({**{field: old[field] for field in ("sym", "way", "kind", "life")}, **terms, "ref": asked["ref"]}, old["ticket"])
        old["became"] = new["ticket"]
        self.end(old, "AMENDED")
        return new

    def pull(self, ticket: str) -> Row:
        """Cancel an order, or promise to."""
        row = self.working(ticket)
        self.end(row, "PULLING" if self.pulls_slowly else "PULLED")
        return row

    def working(self, ticket: str) -> Row:
        row = self.find(ticket)
        if row["state"] not in OPEN:
            raise NoHarbour("OVER", f"order is {row['state']}")
        return row

    def find(self, ticket: str) -> Row:
        """An order by its ticket."""
        row = self.orders.get(int(ticket)) if ticket.isdigit() else None
        if row is None:
            raise NoHarbour("NO_ORDER", "no such order")
        return row

    def end(self, row: Row, state: str) -> None:
        """Let an order come to a state, and say so."""
        row["state"], row["changed"] = state, self.now()
        self.say(state.lower(), row)

    def meet(self, row: Row) -> None:
        """Fill an order at the quotes, if they are there."""
        bid, ask = self.quotes[row["sym"]]
        is_buy = row["way"] == "B"
        at, sign = (ask, 1) if is_buy else (bid, -1)
        limit, stop = row["limit"], row["stop"]
        is_there = (limit is None or sign * (at - limit) <= 0) and (stop is None or sign * (at - stop) >= 0)
        if self.is_held or row["state"] not in OPEN:
            return
        if is_there:
            self.fill(row, row["size"] - row["done"], at)
        elif row["life"] == "NOW":
            self.end(row, "PULLED")

    def fill(self, row: Row, size: int, px: int) -> None:
        """Fill a part of an order."""
        sign = 1 if row["way"] == "B" else -1
        row["done"] += size
        row["turnover"] += size * px
        row["state"] = "DONE" if row["done"] == row["size"] else row["state"] if row["state"] == "PULLING" else "PART"
        row["changed"] = now = self.now()
        self.cash -= sign * size * px // 100 + FEE_CENTS
        held = self.held.setdefault(row["sym"], [0, 0])
        held[1] += size * px if sign > 0 else -held[1] * size // held[0]
        held[0] += sign * size
        if not held[0]:
            del self.held[row["sym"]]
        deal = {"deal": len(self.deals) + 1, **{field: row[field] for field in ("ticket", "sym", "way")}}
        deal |= {"size": size, "px": px, "total": row["done"], "at": now, "fee": FEE_CENTS}
        self.deals.append(deal)
        self.say("done" if row["state"] == "DONE" else "part", row, deal)

    def quote(self, symbol: str, bid: int, ask: int) -> None:
        """Move the market."""
        self.quotes[symbol] = (bid, ask)
        for row in list(self.orders.values()):
            if row["sym"] == symbol:
                self.meet(row)

    def say(self, event: str, row: Row, deal: Row | None = None) -> None:
        self.seq += 1
        self._tell({"seq": self.seq, "event": event, "order": dict(row), "deal": deal, "at": row["changed"]})

    def free(self, symbol: str) -> int:
        """Shares that no open order is to sell."""
        kept: int = sum(
            row["size"] - row["done"] for row in self.orders.values() if row["state"] in OPEN and (row["sym"], row["way"]) == (symbol, "S")
        )
        return self.held.get(symbol, [0, 0])[0] - kept

    def worth(self) -> int:
        return self.cash + sum(size * self.quotes[symbol][0] // 100 for symbol, (size, _) in self.held.items())

    def to_spend(self) -> int:
        kept: int = sum(
            (row["size"] - row["done"]) * (row["limit"] or 0) // 100
            for row in self.orders.values()
            if row["state"] in OPEN and row["way"] == "B"
        )
        return self.cash - kept
