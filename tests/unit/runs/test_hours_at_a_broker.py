"""Before the bell and at the auctions: what a run sees outside the session, and the orders that go out there."""

from datetime import UTC, datetime
from pathlib import Path

from core.model.instants import MINUTE_NS, to_ns
from core.runs.recorded_bars import recorded
from tests.unit.runs.broker_desk import at_broker

BELL = to_ns(datetime(2026, 11, 30, 14, 30, tzinfo=UTC))
"""Of a Monday."""
BEFORE = BELL - 28 * MINUTE_NS
EARLY = '''
from core.strategy.api import Bar, BarStrategy


class Early(BarStrategy):
    """Sends one order of each kind at its first bar."""

    id = "early"
    sent = False

    def on_bar(self, bar: Bar) -> None:
        if not self.sent:
            self.sent = True
            self.buy(1, limit=300, extended_hours=True)
            self.buy(1, time_in_force="opg")
            self.buy(1, limit=300, time_in_force="cls")
            self.buy(1, limit=300, time_in_force="ioc")
            self.buy(1, limit=300, time_in_force="fok")
'''


async def test_orders_of_every_life_leave_before_the_bell(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text(EARLY)
    async with at_broker(tmp_path, start_ns=BEFORE, speed=30) as desk:
        run = await desk.create(strategy_id="early", symbols=("SPY",), extended_hours=True)
        await desk.runs.start(run.id)
        await desk.until("orders.Accepted", 5)
        sent = desk.server.do(lambda: [dict(order) for order in desk.server.book.orders.values()])
        kinds = {"day": True, "opg": False, "cls": False, "ioc": False, "fok": False}
        assert {order["time_in_force"]: order["extended_hours"] for order in sent} == kinds
        stopped = await desk.runs.stop(run.id)
        seen = await desk.store.bars.read(recorded(run.id, "SPY", "1m"))
        assert stopped.first_bar_ns is not None
        assert BEFORE <= stopped.first_bar_ns <= int(seen.start_ns[0]) < BELL


async def test_without_them_a_run_sees_nothing_before_it(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text(EARLY)
    async with at_broker(tmp_path, start_ns=BEFORE, speed=30) as desk:
        run = await desk.create(strategy_id="early", symbols=("SPY",))
        await desk.runs.start(run.id)
        (closed,) = await desk.until("live.MarketClosed")
        desk.clock.jump(BELL - MINUTE_NS // 30)
        await desk.until("orders.Created", 5)
        stopped = await desk.runs.stop(run.id)
        seen = await desk.store.bars.read(recorded(run.id, "SPY", "1m"))
        assert closed.opens_ns == stopped.first_bar_ns == int(seen.start_ns[0]) == BELL
