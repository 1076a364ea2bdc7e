"""What an account is made of when it opens is never archived, however old it is and whatever an archive is asked to take."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import BugError, RunError
from core.events.live_payloads import CoinFee, OrdersLeftTogether, SwitchCarriedOut
from core.events.payloads import OrderReplaced
from core.model.broker import BrokerOrderRequest
from core.model.hand import OrderTerms
from core.model.order import OrderSide, OrderStatus
from core.model.retention import EventClass
from core.model.risk import SwitchLevel
from core.model.run import RunStatus
from core.runs.checking import check_store
from core.runs.history import RunHistories
from core.trading.history import _all
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal
AGES = 10**9 * 86_400 * 400


def broker_at(price: int = 100) -> FakeBroker:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(price))
    return broker


async def end_run(scene: Scene, status: RunStatus = RunStatus.STOPPED) -> None:
    run = await scene.store.runs.run("run")
    assert run is not None
    async with scene.store.runs.begin() as work:
        work.put_run(msgspec.structs.replace(run, status=status, ended_ns=2))


async def archive_all(scene: Scene, folder: Path) -> set[str]:
    """Archive whatever an archive takes, and return the types of what is left in the log."""
    for kind in EventClass:
        await scene.store.care.archive(kind, SystemClock().now_ns() + AGES, folder / "archives", lambda _: None)
    return {event.type for event in await scene.store.log.read(limit=10_000)}


@pytest.mark.parametrize("run_id", [None, "run"])
async def test_the_kill_switch_holds_over_an_archive(tmp_path: Path, run_id: str | None) -> None:
    broker = broker_at()
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        await scene.throw(SwitchLevel.HALT, run_id)
        await scene.until(lambda: scene.desk.level("run").halts)
        await end_run(scene)
        await archive_all(scene, tmp_path)
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.level("run") is SwitchLevel.HALT


async def test_an_accounts_books_are_the_same_after_everything_old_was_archived(tmp_path: Path) -> None:
    broker = broker_at()
    broker.exchange.submit(BrokerOrderRequest(client_order_id="before", symbol="DEMO", side=OrderSide.BUY, qty=D(3)))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        changed = await scene.place("buy", limit="90")
        await scene.until_status(changed, S.ACCEPTED)
        await scene.desk.change(changed, OrderTerms(limit_price=D(95)))
        await scene.until(lambda: scene.desk.state.lives[changed].at == 1)
        broker.exchange.submit(BrokerOrderRequest(client_order_id="theirs", symbol="DEMO", side=OrderSide.BUY, qty=D(5)))
        await scene.until(lambda: scene.desk.state.outside.get("DEMO") == D(8))
        state = scene.desk.state
        before = (state.outside, state.known_outside, state.adopted, state.positions(), state.lives[changed].changes)
        await end_run(scene)
        left = await archive_all(scene, tmp_path)
        assert {"orders.ChangeSent", "live.AccountAdopted"} <= left
        assert not left & {"orders.Created", "orders.Filled", "risk.Approved", "live.Differed"}
        assert (await check_store(scene.store, lambda _: None)).findings == ()
        with pytest.raises(RunError, match="holds no events"):  # and not what little is left of them
            await RunHistories(scene.store.log, SystemClock()).view_at("run", 10**9)
    async with opened(tmp_path, broker) as scene:
        state = scene.desk.state
        assert (state.outside, state.known_outside, state.adopted, state.positions(), state.lives[changed].changes) == before
        assert await scene.desk.reconcile() == ()


async def test_a_run_that_may_go_on_is_not_archived(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.run()
        await scene.place("buy", limit="90")
        await end_run(scene, RunStatus.INTERRUPTED)
        assert "strategy.PlaceRequest" in await archive_all(scene, tmp_path)


@pytest.mark.parametrize("kind", [CoinFee, OrdersLeftTogether, OrderReplaced, SwitchCarriedOut])
def test_what_is_read_at_the_start_is_remembered(kind: type[CoinFee]) -> None:
    assert kind.remembered


async def test_what_may_have_been_archived_is_no_source_of_an_account(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        with pytest.raises(BugError, match="may have been archived"):
            [event async for event in _all(scene.store.log, "orders.Filled")]
