"""What a split made of a run's position is what its account is made of: after an archive, after a removal, and for the kill switch."""

from decimal import Decimal
from pathlib import Path

import msgspec

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.envelope import envelope
from core.events.payloads import DividendPaid, InterestCharged, SplitApplied
from core.model.order import OrderStatus
from core.model.retention import EventClass
from core.model.run import Run, RunStatus
from core.runs.removal import left_to_account
from core.runs.switch_reach import SwitchReach
from tests.unit.trading.desk import KEY, Scene, opened

D = Decimal


async def bought_and_split(scene: Scene) -> Run:
    """A run that bought 10, which a split made 20, and is over."""
    await scene.run()
    scene.broker.exchange.show("DEMO", D(100))
    scene.desk.state.note_price("DEMO", D(100), 1)
    await scene.until_status(await scene.place("buy"), OrderStatus.FILLED)
    now = SystemClock().now_ns()
    told = (
        SplitApplied(symbol="DEMO", ratio=D(2), qty_before=D(10), qty=D(20), cash=D(0), time_ns=now),
        DividendPaid(symbol="DEMO", per_share=D(1), qty=D(20), cash=D(20)),
        InterestCharged(amount=D(3)),
    )
    await scene.store.log.append([envelope(one, id=f"e{at}", ts=now, producer="trading", run_id="run") for at, one in enumerate(told)])
    run = await scene.store.runs.run("run")
    assert run is not None
    over = msgspec.structs.replace(run, status=RunStatus.STOPPED, ended_ns=now)
    async with scene.store.runs.begin() as work:
        work.put_run(over)
    return over


async def test_an_archive_leaves_what_an_account_is_made_of(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await bought_and_split(scene)
    async with opened(tmp_path, broker) as scene:
        before = scene.desk.state.books["run"]
        assert before.positions() == {"DEMO": D(20)}
        await scene.store.care.archive(EventClass.PAPER, SystemClock().now_ns() + 1, tmp_path / "archives", lambda *_: None)
    async with opened(tmp_path, broker) as scene:
        after = scene.desk.state.books["run"]
        assert (after.positions(), after.cash) == (before.positions(), before.cash)


async def test_a_removal_leaves_as_many_as_there_are(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        run = await bought_and_split(scene)
        payloads = [event.payload for event in await left_to_account(run, scene.store, 1)]
        assert [(getattr(one, "symbol", ""), getattr(one, "qty", 0)) for one in payloads] == [("DEMO", D(10)), ("DEMO", D(10))]
        assert len({getattr(one, "execution_id", "") for one in payloads}) == 2


async def test_the_kill_switch_reaches_an_account_of_which_the_fills_alone_say_that_it_is_flat(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        run = await bought_and_split(scene)
        await scene.until_status(await scene.place("sell"), OrderStatus.FILLED)
        reach = SwitchReach.__new__(SwitchReach)
        reach._store = scene.store
        assert await reach._held_at(run) == {KEY}
        assert await scene.store.runs.open_orders([run.id]) == []
