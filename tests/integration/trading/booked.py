"""An account at Alpaca in which things are booked, over days that pass at once; and short ways to look at what the runs have of it."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal

from core.clock.realtime import SystemClock
from core.events.live_payloads import EntryTaken
from core.model.findings import Findings
from core.model.instants import DAY_NS
from core.model.money import plain
from core.model.order import OrderStatus
from core.runs.conservation import check_run
from tests.broker.desk import WireScene
from tests.broker.server import FakeBroker

D, S = Decimal, OrderStatus
Begin = Callable[..., AbstractAsyncContextManager[WireScene]]


class Later(SystemClock):
    """A clock that can be set on: days pass in it at once."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns

    def pass_days(self, days: int) -> None:
        self.ahead_ns += days * DAY_NS


async def bought(scene: WireScene, run_id: str, qty: int, *, side: str = "buy") -> str:
    """Let a run trade at the market's price; return the order's id."""
    if run_id not in scene.desk.state.seats:
        await scene.run(run_id)
    order_id = await scene.place(side, qty=qty, run_id=run_id, limit="1000" if side == "buy" else "1")
    await scene.until_status(order_id, S.FILLED)
    return order_id


async def entries(scene: WireScene) -> list[EntryTaken]:
    return [event.payload for event in await scene.events("live.EntryTaken") if isinstance(event.payload, EntryTaken)]


def plain_signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{plain(amount)}"


def held(scene: WireScene, run_id: str) -> Decimal:
    return scene.desk.state.books[run_id].held(scene.symbol)


def cash(scene: WireScene, run_id: str) -> Decimal:
    return scene.desk.state.books[run_id].cash


def day_of(server: FakeBroker) -> str:
    return server.do(server.book.now)[:10]


async def stopped(scene: WireScene) -> None:
    """Look until it is no lag any more, and the run is told."""
    for _ in range(2):
        await scene.desk.reconcile()
    assert scene.stopped


async def assert_at_rest(scene: WireScene) -> None:
    """Nothing differs, nobody was stopped, and nothing is taken twice."""
    assert await scene.desk.reconcile() == ()
    assert scene.stopped == []
    counts = Counter(one.entry_id for one in await entries(scene))
    assert set(counts.values()) <= {1}
    state = scene.desk.state
    total = {
        symbol: state.positions().get(symbol, D(0)) + state.outside.get(symbol, D(0)) for symbol in {*state.positions(), *state.outside}
    }
    holdings = scene.do(lambda: {symbol: one.qty for symbol, one in scene.server.book.holdings.items()})
    assert {symbol: qty for symbol, qty in total.items() if qty} == holdings
    findings = Findings()
    for run in await scene.store.runs.runs():
        await check_run(run, scene.store, findings)
    assert findings.report().findings == ()
