"""Paper runs on the simulated market: the strategy of a backtest, real time, and nothing left behind."""

from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.clock.realtime import ScaledClock
from core.errors import BooksDiffer, InvalidValue, UnknownName
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.order import OrderStatus, RejectCode
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import RunConfig, RunMode, RunStatus
from core.runs.live import ASLEEP_S
from core.runs.recorded_bars import recorded
from core.trading.books import RunBook
from core.trading.seat import Seat
from core.trading.service import AccountDesk
from tests.unit.runs.live_desk import live


async def test_a_run_trades_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=12))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        assert run.first_bar_ns is not None
        assert run.config.end_ns is not None
        minutes = (run.config.end_ns - run.first_bar_ns) // MINUTE_NS
        assert run.bars == run.bars_total == minutes
        assert minutes > 6
        await scene.assert_at_the_broker(run)
        fills = await scene.store.runs.fills(run.id)
        # What was decided at the last bar's end fills, or is cancelled with the run.
        assert [fill.side.value for fill in fills] in ((["buy", "sell"] * 9)[:count] for count in (minutes - 1, minutes))
        result = await scene.store.runs.result(run.id)
        assert result is not None
        assert len(result.trades) == len(fills) // 2
        assert len(result.equity) == minutes + 1
        bars = await scene.store.bars.read(recorded(run.id, "DEMO/USD", "1m"))
        assert len(bars) == 3 + minutes  # what it was warmed up with, and what came
        history = scene.broker.feed.bars("DEMO/USD", int(bars.start_ns[0]), int(bars.start_ns[-1]) + MINUTE_NS)
        assert np.array_equal(history.close, bars.close)


async def test_from_a_fill_one_can_walk_back_to_the_decision(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=8))
        assert run.first_bar_ns is not None
        events = {event.id: event for event in await scene.store.log.read(run_id=run.id, limit=1_000)}
        event = next(one for one in events.values() if one.type == "orders.Filled")
        walked = [event.type]
        while event.causation_id in events:
            event = events[event.causation_id]
            walked.append(event.type)
        assert walked == [
            "orders.Filled",
            "orders.Accepted",
            "orders.Submitted",
            "risk.Approved",
            "orders.Created",
            "live.PlaceOrder",
            "strategy.PlaceRequest",
        ]
        assert event.causation_id == f"{run.id}@{run.first_bar_ns + MINUTE_NS}"


async def test_a_stop_cancels_what_works(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start()
        await scene.until("orders.Filled", 2)
        stopped = await scene.runs.stop(run.id)
        assert stopped.status is RunStatus.STOPPED
        await scene.assert_at_the_broker(stopped)
        statuses = [order.status for order in await scene.store.runs.orders(run.id)]
        assert OrderStatus.CANCELLED in statuses


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("self.bars = getattr(self, 'bars', 0) + 1; 1 / (3 - self.bars)", "strategy_failed"),
        ("self.bars = getattr(self, 'bars', 0) + 1\n        while self.bars == 3: pass", "strategy_too_slow"),
        ("self.bars = getattr(self, 'bars', 0) + 1; self.cancel('never') if self.bars == 3 else None", "nonsense_action"),
    ],
)
async def test_a_strategy_that_misbehaves_ends_its_run_and_its_orders(tmp_path: Path, more: str, code: str) -> None:
    async with live(tmp_path, callback_limit_s=0.3, in_real_time=True) as scene:
        scene.strategy(more)
        run = await scene.over(await scene.start())
        assert (run.status, run.error_code) == (RunStatus.ERROR, code)
        await scene.assert_at_the_broker(run)


async def test_a_strategy_may_end_its_run(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy("self.stop_run('Enough.')")
        run = await scene.over(await scene.start())
        assert (run.status, run.error) == (RunStatus.STOPPED, "Enough.")
        await scene.assert_at_the_broker(run)


async def test_revoked_keys_end_the_run_with_the_brokers_sentence(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start()
        await scene.until("orders.Filled", 2)
        scene.broker.faults.keys_refused = True
        scene.broker.faults.cut()
        run = await scene.over(run)
        assert (run.status, run.error_code) == (RunStatus.ERROR, "keys_refused")
        scene.broker.faults.keys_refused = False
        # Its account was let go of: the next run opens it anew.
        scene.broker.faults.mend()
        assert (await scene.over(await scene.start(minutes=8))).status is RunStatus.COMPLETED


async def test_a_run_that_is_told_to_stop_while_it_loads_does_not_trade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sit = AccountDesk.sit

    def seated(self: AccountDesk, run_id: str, book: RunBook, seat: Seat) -> None:
        sit(self, run_id, book, seat)
        seat.stop(BooksDiffer("The account holds 20 DEMO, and all fills together make 10.", ""))

    monkeypatch.setattr(AccountDesk, "sit", seated)
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=5))
        assert (run.status, run.error_code) == (RunStatus.ERROR, "books_differ")
        assert await scene.store.runs.orders(run.id) == []


async def test_a_gap_of_the_stream_is_completed_from_the_history(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start(minutes=12)
        await scene.until("orders.Filled", 2)
        scene.broker.faults.cut()
        await scene.clock.sleep_until(scene.clock.now_ns() + 2 * MINUTE_NS)
        scene.broker.faults.mend()
        run = await scene.over(run)
        assert run.status is RunStatus.COMPLETED
        bars = await scene.store.bars.read(recorded(run.id, "DEMO/USD", "1m"))
        assert set(np.diff(bars.start_ns).tolist()) == {MINUTE_NS}
        assert "live.StreamChanged" in [event.type for event in await scene.store.log.read(run_id=run.id, limit=1_000)]
        await scene.assert_at_the_broker(run)


async def test_what_a_run_saw_is_taken_by_name_only_and_goes_with_the_run(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=6))
        assert await scene.runs.bar_sets(run.id) == [recorded(run.id, "DEMO/USD", "1m")]
        config = RunConfig(strategy_id="plain", symbols=("DEMO/USD",), timeframe="1m")
        with pytest.raises(UnknownName, match="symbol with stored bars"):
            await scene.runs.create(config)
        named = await scene.runs.create(msgspec.structs.replace(config, source=f"run-{run.id}"))
        assert await scene.runs.bar_sets(named.id) == [recorded(run.id, "DEMO/USD", "1m")]
        await scene.runs.delete(run.id)
        assert await scene.store.bars.sets() == []


async def test_shares_and_coins_together_come_by_a_stream_each(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        run = await scene.over(await scene.start("momentum-rotation", minutes=8, symbols=("DEMO", "DEMO/USD")))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        assert run.first_bar_ns is not None
        assert run.config.end_ns is not None
        assert run.bars == 2 * (run.config.end_ns - run.first_bar_ns) // MINUTE_NS


async def test_two_runs_share_an_account_and_each_has_its_own_position(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        first, second = await scene.start(minutes=8), await scene.start(minutes=8)
        one, other = await scene.over(first), await scene.over(second)
        assert {one.status, other.status} == {RunStatus.COMPLETED}
        fills = [await scene.store.runs.fills(run.id) for run in (one, other)]
        assert all(fills)
        held = sum(fill.qty * fill.side.sign for own in fills for fill in own)
        assert sum(position.qty for position in scene.broker.exchange.positions()) == held


async def test_indicators_and_larger_bars_are_those_of_a_backtest(tmp_path: Path) -> None:
    (tmp_path / "seer.py").write_text('''
from core.strategy.api import Bar, BarStrategy, ema


class Seer(BarStrategy):
    """Notes what it sees."""

    id = "seer"
    warmup = 30
    timeframes = ("5m",)

    def setup(self) -> None:
        self.average = self.indicator(ema, self.close, 10)
        self.larger = self.indicator(ema, self.column("close", timeframe="5m"), 3)

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.note(f"{timeframe} {bar.start_ns} {bar.close!r}")

    def on_bar(self, bar: Bar) -> None:
        self.note(f"{bar.start_ns} {bar.close!r} {self.average.value!r} {self.larger.value!r}")
''')
    async with live(tmp_path) as scene:
        run = await scene.over(await scene.start("seer", minutes=11))
        assert run.status is RunStatus.COMPLETED, run.error
        notes = [event.payload for event in await scene.store.log.read(run_id=run.id, pattern="strategy.Noted", limit=1_000)]
        config = RunConfig(strategy_id="seer", symbols=("DEMO/USD",), timeframe="1m", source=f"run-{run.id}", start_ns=run.first_bar_ns)
        again = await scene.runs.start((await scene.runs.create(config)).id)
        await scene.over(again)
        tested = [event.payload for event in await scene.store.log.read(run_id=again.id, pattern="strategy.Noted", limit=1_000)]
        assert len(notes) > 6
        assert notes == tested


async def test_what_cannot_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        with pytest.raises(InvalidValue, match="sim: it has no live account"):
            await scene.start(mode=RunMode.LIVE)
        with pytest.raises(UnknownName, match="broker"):
            await scene.start(broker="sin")
        with pytest.raises(InvalidValue, match="feed cannot be 'sip': sim has none to choose from"):
            await scene.start(feed="sip")
        with pytest.raises(InvalidValue, match="never closes"):
            await scene.start(extended_hours=True)
        with pytest.raises(InvalidValue, match="whole minutes"):
            await scene.start(timeframe="30s")
        run = await scene.over(await scene.start(symbols=("SPY",)))
        assert (run.status, run.error_code) == (RunStatus.ERROR, "unknown_name")


BRACKET = """
from core.strategy.api import Bar, BarStrategy


class Bracket(BarStrategy):
    '''Buys once, with exits above and below.'''

    id = "bracket"
    warmup = 3

    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.buy(1, target=round(bar.close * 1.001, 2), stop_loss=round(bar.close * 0.999, 2))
        self.note(" ".join(self.account.working()))
"""


async def test_exits_leave_when_their_entry_filled_and_one_takes_the_other_back(tmp_path: Path) -> None:
    (tmp_path / "bracket.py").write_text(BRACKET)
    async with live(tmp_path, speed=600.0) as scene:
        run = await scene.over(await scene.start("bracket", minutes=45))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        await scene.assert_at_the_broker(run)
        orders = await scene.store.runs.orders(run.id)
        entries = [order for order in orders if order.parent_id is None]
        assert len(entries) > 1
        for entry in entries[:-1]:
            exits = [order for order in orders if order.parent_id == entry.id]
            ended = sorted(order.status for order in exits)
            # A step of this market lasts eight milliseconds: it may be at the other before its cancel. Then there is nothing left to sell.
            assert ended in ([OrderStatus.CANCELLED, OrderStatus.FILLED], [OrderStatus.FILLED, OrderStatus.REJECTED])
            assert all(order.request.reduce_only and order.request.side == "sell" for order in exits)
        held = sum(fill.qty * fill.side.sign for fill in await scene.store.runs.fills(run.id))
        assert held in {0, 1}
        # From the exit one walks back through the entry's fill to its decision.
        events = {event.id: event for event in await scene.store.log.read(run_id=run.id, limit=5_000)}
        event = next(
            one for one in events.values() if one.type == "orders.Filled" and getattr(one.payload, "order_id", "") != entries[0].id
        )
        walked = []
        while event.causation_id in events:
            event = events[event.causation_id]
            walked.append(event.type)
        assert walked.count("orders.Filled") == 1
        assert walked[-1] == "strategy.PlaceRequest"
        notes = [one.payload.text for one in events.values() if one.type == "strategy.Noted"]  # type: ignore[attr-defined]
        assert any(".stop" in note and ".target" in note for note in notes)


async def test_an_order_that_only_reduces_needs_something_to_reduce(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy("self.sell(5, reduce_only=True)")
        run = await scene.over(await scene.start(minutes=6))
        refused = {order.reject_code for order in await scene.store.runs.orders(run.id) if order.request.reduce_only}
        assert refused == {RejectCode.INSUFFICIENT_POSITION}


async def test_a_run_whose_lines_are_cut_is_halted_and_goes_on_to_see_it(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start(limits=RiskLimits(halt_silence_s=0.05))
        await scene.until("orders.Filled", 2)
        (held,) = scene.runs._desks._held.values()
        feed = held.opened.result().desk.state.seats[run.id].feed
        assert feed is not None
        assert (feed.symbols, feed.lost) == (("DEMO/USD",), {})
        scene.broker.faults.cut()
        (thrown,) = await scene.until("risk.SwitchThrown")
        assert thrown.level is SwitchLevel.HALT
        assert list(feed.lost) == ["crypto"]
        scene.broker.faults.mend()
        await scene.until("risk.Refused")  # it decides again, and nothing leaves
        assert feed.lost == {}
        await scene.runs.stop(run.id)
        await scene.assert_at_the_broker(run)


BIDS = """if self.account.working():
            self.replace("low", limit=2)
        else:
            self.buy(1, limit=1, time_in_force="gtc", ref="low")
        return"""

EXITS = """if self.account.working():
            self.replace("low.target", limit=9)
        else:
            self.buy(1, limit=1, time_in_force="gtc", ref="low", target=8)
        return"""


async def test_a_strategy_changes_its_working_order(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy(BIDS)
        run = await scene.over(await scene.start(minutes=8))
        (order,) = await scene.store.runs.orders(run.id)
        assert (order.request.limit_price, order.status) == (Decimal(2), OrderStatus.CANCELLED)
        theirs = [(one.client_order_id, one.broker_status) for one in scene.broker.exchange.orders()[::-1]]
        assert theirs == [(order.id, "replaced"), (f"{order.id}.r1", "canceled")]
        events = {event.id: event for event in await scene.store.log.read(run_id=run.id, limit=1_000)}
        event = next(one for one in events.values() if one.type == "orders.Replaced")
        walked = []
        while event.causation_id in events:
            event = events[event.causation_id]
            walked.append(event.type)
        assert walked == ["orders.ChangeSent", "live.ReplaceOrder", "strategy.ReplaceRequest"]
        refused = await scene.until("orders.ReplaceRefused")
        assert {one.reason for one in refused} == {"The order cannot be changed: it has these terms already."}


async def test_a_strategy_changes_an_exit_that_waits(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy(EXITS)
        run = await scene.over(await scene.start(minutes=6))
        (changed,) = await scene.until("orders.Replaced")
        assert changed.request.limit_price == 9
        assert [order.id for order in await scene.store.runs.orders(run.id)] == [changed.order_id.rpartition("-")[0] + "-1"]


async def test_what_a_sleeping_machine_missed_is_history_and_no_order_is_decided_on_it(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start()
        await scene.until("orders.Filled", 4)
        assert isinstance(scene.clock, ScaledClock)
        asleep_ns = round(2 * ASLEEP_S * scene.clock.speed) * SECOND_NS
        woke_ns = scene.clock.now_ns() + asleep_ns
        scene.clock._start_ns += asleep_ns  # it slept, or its clock was set
        await scene.until("orders.Filled", 10)
        await scene.runs.stop(run.id)
        decided = [event.causation_id for event in await scene.store.log.read(pattern="strategy.PlaceRequest", limit=1_000)]
        times = [int(cause.rpartition("@")[2]) for cause in decided if cause is not None]
        assert all(time_ns < woke_ns - asleep_ns or time_ns > woke_ns - MINUTE_NS for time_ns in times)
        assert any(time_ns > woke_ns for time_ns in times)
        bars = await scene.store.bars.read(recorded(run.id, "DEMO/USD", "1m"))
        assert set(np.diff(bars.start_ns).tolist()) == {MINUTE_NS}  # and all of it was seen
