"""What the fake broker books without an execution, told page by page as Alpaca does; and the hands that book it."""

import json
import uuid
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from aiohttp import web

from core.brokers.alpaca.fields import instant, text_of_instant
from core.model.instants import DAY_NS
from tests.broker.book import FINAL, Book, Document, Holding

PAGE = 100
UNIT = Decimal("0.000000001")


class Activities:
    """The rows, and what they do to the book. Called in the server's thread."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.rows: list[Document] = []
        self.pages = 0
        self._broken: tuple[int, int, str] | None = None
        self._times = 0
        self._rest: Document = {}

    async def listed(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /v2/account/activities`: pages by id, `after` by when a row was made."""
        self.pages += 1
        if self._broken is not None and self.pages >= self._broken[0]:
            _, status, body = self._broken
            self._times -= 1
            self._broken = self._broken if self._times > 0 else None
            return web.Response(status=status, text=body, content_type="application/json")
        query = request.query
        rows = sorted(self.rows, key=lambda row: str(row.get("id")))
        if "after" in query:
            after_ns = instant(query["after"])
            rows = [row for row in rows if "created_at" not in row or instant(row["created_at"]) > after_ns]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        if "page_token" in query:
            ids = [row.get("id") for row in rows]
            rows = rows[ids.index(query["page_token"]) + 1 :]
        return web.Response(text=json.dumps(rows[: min(PAGE, int(query.get("page_size", "100")))]), content_type="application/json")

    def break_page(self, number: int, status: int, body: str, *, times: int = 1) -> None:
        """Let the pages from that one on, of those that are asked for from now on, be answered so, so many times."""
        self._broken, self._times = (self.pages + number, status, body) if times else None, times

    # --- what happens ---

    def add(self, kind: str, *, day: str | None = None, **fields: Any) -> Document:
        """Book a row as it is, of this day or another; it changes nothing by itself."""
        created_at = self.book.now()
        date = day or created_at[:10]
        row = {
            "id": f"{date.replace('-', '')}000000000::{uuid.uuid4()}",
            "activity_type": kind,
            "date": date,
            "net_amount": "0",
            "description": "",
            "status": "executed",
            "created_at": created_at,
            **fields,
        }
        self.rows.append(row)
        return row

    def money(self, kind: str, amount: str, **fields: Any) -> Document:
        """Move cash: a deposit, a withdrawal, interest, a fee."""
        self.book.cash += Decimal(amount)
        return self.add(kind, net_amount=amount, **fields)

    def dividend(self, symbol: str, rate: str, *, record: str | None = None, units: str | None = None, **fields: Any) -> Document:
        """Pay a dividend on what is held, or on so many units; rounded to the cent."""
        held = self.book.holdings.get(symbol, Holding()).qty if units is None else Decimal(units)
        cash = (held * Decimal(rate)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        record = record or self.book.now()[:10]
        words = f"Cash DIV @ {rate}, Pos QTY: {held}, Rec Date: {record}"
        return self.money("DIV", str(cash), symbol=symbol, per_share_amount=rate, qty="0", description=words, **fields)

    def units(self, kind: str, symbol: str, qty: str, **fields: Any) -> Document:
        """Let units come, or go (minus)."""
        self.hold(symbol, self.book.holdings.get(symbol, Holding()).qty + Decimal(qty))
        return self.add(kind, symbol=symbol.replace("/", ""), qty=qty, **fields)

    def coin_fee(self, symbol: str, qty: str) -> Document:
        """Tell of a fee in coin that was taken when the coin was bought, as Alpaca does at the end of the day."""
        words = "Coin Pair Transaction Fee (Non USD)"
        return self.add("CFEE", symbol=symbol.replace("/", ""), qty=f"-{qty}", price="42000", description=words)

    def split(
        self, symbol: str, new: int, old: int, *, orders: str = "adjusted", halves: int = 2, fractions: bool = True, group: bool = True
    ) -> None:
        """Split a holding; working orders are `adjusted`, `kept` or `cancelled`. `halves`: how many of the two rows come.

        Without `fractions` a fraction of a share is left out, to be paid in cash.
        """
        holding = self.book.holdings[symbol]
        before, price = holding.qty, sum(self.book.quotes[symbol], Decimal(0)) / 2
        after = (before * new / old).quantize(UNIT if fractions else Decimal(1), ROUND_DOWN)
        shared: Document = {"symbol": symbol, "activity_sub_type": "FSPLIT" if new > old else "RSPLIT"}
        if group:
            shared["group_id"] = str(uuid.uuid4())
        words = f"From QTY:{-before}, To QTY:{after}, Position Value:{before * price}"
        self.hold(symbol, after)
        self.book.quotes[symbol] = tuple((each * old / new).quantize(Decimal("0.0001")) for each in self.book.quotes[symbol])  # type: ignore[assignment]
        self.add("SPLIT", qty=str(-before), price=f"{price:.4f}", description=f"REMOVE, {words}", **shared)
        self._rest = {"qty": str(after), "price": f"{price * old / new:.4f}", "description": f"ADD, {words}", **shared}
        if halves == 2:
            self.tell_the_rest()
        for order in list(self.book.orders.values()):
            if order["symbol"] != symbol or order["status"] in FINAL or orders == "kept":
                continue
            if orders == "cancelled":
                self.book.end(order["id"], "canceled")
                continue
            for name, times in (("qty", Decimal(new) / old), ("filled_qty", Decimal(new) / old), ("limit_price", Decimal(old) / new)):
                if order[name] is not None:
                    order[name] = str((Decimal(order[name]) * times).quantize(Decimal("0.01")).normalize())
            order["updated_at"] = self.book.now()

    def tell_the_rest(self) -> None:
        """Tell the second half of the last split."""
        self.add("SPLIT", **self._rest)

    def cancel(self, row: Document) -> None:
        """Take a row back."""
        row["status"] = "canceled"
        self.book.cash -= Decimal(row["net_amount"])

    def hold(self, symbol: str, qty: Decimal) -> None:
        """Let the account hold so much of a symbol, without a row that tells why."""
        if qty:
            self.book.holdings.setdefault(symbol, Holding()).qty = qty
        else:
            self.book.holdings.pop(symbol, None)

    def earlier(self, row: Document, days: int) -> None:
        """Let a row count for a day long before it was made, as one does that comes late."""
        at_ns = instant(row["created_at"]) - days * DAY_NS
        day = text_of_instant(at_ns)[:10]
        row |= {"date": day, "id": f"{day.replace('-', '')}000000000::{uuid.uuid4()}"}
