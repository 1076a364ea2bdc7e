"""The bench of the documents' example: an adapter as somebody else would write it, on a broker that is not like the others."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

from core.brokers.api import Link
from core.brokers.credentials import Credentials
from core.brokers.loader import AdapterLoader
from core.clock.realtime import SystemClock
from core.model.broker import AccountName, LiveBar, Quote, RefusalReason, Tick
from core.model.corporate_action import CorporateAction
from core.model.market import Bar
from core.model.order import OrderType, TimeInForce
from core.ports import Broker
from tests.broker.bench import Grid, Refused, Words, buy
from tests.broker.harbour.book import Row
from tests.broker.harbour.server import PASSWORD, USER, FakeHarbour

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
D = Decimal


class HarbourBench:
    """The adapter of docs/examples, found and loaded as the program does it, on the fake Harbour."""

    keys = (USER, PASSWORD)
    buying_power = D(100_000)
    coin_fee = D(0)
    cancels_slowly = judges_at_once = has_sessions = has_spread = True
    refuses_own_opposite = has_companies = False
    coin_grid: Grid = (None, None, None)
    last_trade = D("400.25")
    finest_bid, instants_ns = "399.1234", 1_000
    words = Words(
        account="OPEN",
        working="RESTING",
        wished="PULLING",
        cancelled="PULLED",
        rejected="BOUNCED",
        replaced="AMENDED",
        told=("taken", "part", "done"),
    )
    clock_says: tuple[str, str] | None = None
    refused: Sequence[Refused] = (
        (buy("a", qty="10000"), RefusalReason.BUYING_POWER, 409, "NO_FUNDS", "costs more than there is"),
        (buy("a", "NOPE"), RefusalReason.ASSET_UNKNOWN, 409, "NO_SYMBOL", "NOPE is not listed"),
        (buy("a", type=OrderType.LIMIT, limit_price=D("390.123")), RefusalReason.PRICE_INCREMENT, 409, "BAD_PRICE", "whole cents"),
        (buy("a", type=OrderType.LIMIT, limit_price=D("390.12345")), RefusalReason.PRICE_INCREMENT, 0, None, "at most four decimals"),
        (buy("a", qty="0.5"), RefusalReason.FRACTION, 0, None, "shares are whole"),
        (buy("a", time_in_force=TimeInForce.OPG), RefusalReason.TIME_IN_FORCE, 0, None, "no order lives opg"),
    )

    def __init__(self, server: FakeHarbour) -> None:
        self.server = server
        info, adapter = AdapterLoader((EXAMPLES,)).load("harbour")
        self.features = info.features
        self.broker: Broker = adapter.connect(link_to(server))

    def hold(self) -> None:
        self.server.do(lambda: setattr(self.server.book, "is_held", True))

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        book = self.server.book
        self.server.do(lambda: book.fill(book.find(broker_order_id), int(qty), points(D(price))))

    def end(self, broker_order_id: str, status: str) -> None:
        book, state = self.server.book, {"rejected": "BOUNCED", "expired": "LAPSED"}[status]
        self.server.do(lambda: book.end(book.find(broker_order_id), state))

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        self.server.do(lambda: self.server.book.quote(symbol, points(D(bid)), points(D(ask))))

    def one_instant(self) -> None:
        self.server.do(lambda: setattr(self.server.book, "step_us", 0))

    def grant_cancels(self, *, slowly: bool) -> None:
        self.server.do(lambda: setattr(self.server.book, "pulls_slowly", slowly))

    async def place_many(self, count: int, step_ns: int) -> None:
        def place() -> None:
            self.server.book.step_us = step_ns // 1_000
            for number in range(count):
                row: Row = {"ref": f"o{number}", "sym": "SPY", "way": "B", "kind": "LMT", "life": "GTC", "size": 1}
                self.server.book.place({**row, "limit": 10_000, "stop": None})

        self.server.do(place)

    def past(self, *bars: Bar) -> None:
        rows = [_bar_row(bar) for bar in bars]
        self.server.do(lambda: self.server.bars.update({bars[0].symbol: rows}))

    async def happens(self, action: CorporateAction) -> None:
        """It tells of no companies."""

    def lose_answer(self) -> None:
        self.server.do(lambda: setattr(self.server, "lose", {"/orders", "/amend"}))

    def unreachable(self) -> AbstractContextManager[None]:
        return self.server.unreachable()

    def revoke(self) -> None:
        self.server.do(self.server.revoke)

    def cut(self) -> None:
        self.server.do(self.server.cut)

    def lead_astray(self) -> None:
        self.server.do(lambda: setattr(self.server, "is_astray", True))

    def tell(self, *ticks: Tick) -> None:
        for row in ({"k": "from the future"}, *map(_row, ticks)):
            self.server.do(lambda row=row: self.server.send(row))  # type: ignore[misc]


def link_to(server: FakeHarbour) -> Link:
    """What the program gives the adapter for the fake broker's account."""
    addresses = {"HARBOUR_URL": server.url}
    return Link(account=AccountName.PAPER, credentials=Credentials(USER, PASSWORD), addresses=addresses, clock=SystemClock())


def points(price: Decimal) -> int:
    return int(price.scaleb(4))


def _bar_row(bar: Bar) -> list[int]:
    prices = (round(price * 10_000) for price in (bar.open, bar.high, bar.low, bar.close))
    return [bar.start_ns // 1_000, *prices, int(bar.volume)]


def _row(tick: Tick) -> Row:
    """A tick in Harbour's words."""
    if isinstance(tick, LiveBar):
        return {"k": "minute", "sym": tick.bar.symbol, "bar": _bar_row(tick.bar), "again": tick.kind == "corrected"}
    head = {"sym": tick.symbol, "at": tick.time_ns // 1_000}
    if isinstance(tick, Quote):
        sizes = {"bid_size": int(tick.bid_size), "ask_size": int(tick.ask_size)}
        return {"k": "quote", **head, "bid": points(tick.bid), "ask": points(tick.ask), **sizes}
    return {"k": "trade", **head, "px": points(tick.price), "size": int(tick.size)}
