"""The answer to a commit of the desk is lost: the commit is made once, and what follows from it happens once."""

import asyncio
from decimal import Decimal
from itertools import chain, repeat
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.errors import DatabaseUnreachable, LeaseLost
from core.events.live_payloads import AccountAdopted
from core.events.payloads import OrderFilled, OrderPartiallyFilled
from core.model.broker import BrokerOrderRequest
from core.model.desk import LeaseKind
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import SwitchLevel
from core.runs.leases import FencedRuns
from core.store.unit_of_work import AddFills, Step
from core.trading import service
from core.trading import state as state_module
from tests.losing import LosingRows, Outcome
from tests.strictness.log_guard import AllowLog
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal
ANSWERED, LOST, UNDONE = Outcome


def has_fills(steps: list[Step]) -> bool:
    return any(isinstance(step, AddFills) for step in steps)


async def begun(scene: Scene) -> None:
    scene.broker.exchange.show("DEMO", D(100))
    await scene.run()
    scene.desk.state.note_price("DEMO", D(100), 1)


async def told_fills(scene: Scene) -> list[str]:
    events = await scene.store.log.read(pattern="orders.*", limit=10_000)
    return [event.payload.fill_id for event in events if isinstance(event.payload, (OrderFilled, OrderPartiallyFilled))]


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
async def test_a_fill_is_told_once(outcome: Outcome, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("not known")
    async with opened(tmp_path, settle_ns=200_000_000, soon_s=0.05) as scene:
        await begun(scene)
        scene.desk.state._runs = lost = LosingRows(scene.store.runs, [outcome], has_fills)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        assert lost.lost == 1
        assert len(await told_fills(scene)) == 1
        await scene.assert_books_equal()


@pytest.mark.parametrize("outcomes", [[LOST], [LOST, LOST, UNDONE]], ids=["at once", "asked in vain, twice"])
async def test_an_order_that_is_committed_leaves_once_though_nobody_asks_again(outcomes: list[Outcome], tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await begun(scene)
        # The first is the order; the others are the questions what became of it.
        scene.desk.state._runs = LosingRows(scene.store.runs, outcomes)
        with pytest.raises(DatabaseUnreachable, match="not known"):
            await scene.place("buy", id="run-1")
        await scene.until(lambda: "run-1" in scene.desk.state.lives)
        await scene.until_status("run-1", S.FILLED)
        assert [one.client_order_id for one in scene.broker.exchange.orders()] == ["run-1"]
        await scene.assert_books_equal()


async def test_an_order_that_is_not_committed_is_nowhere(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await begun(scene)
        scene.desk.state._runs = LosingRows(scene.store.runs, [UNDONE])
        with pytest.raises(DatabaseUnreachable, match="not known"):
            await scene.place("buy", id="run-1")
        await scene.until(lambda: not scene.desk.state.turn.is_unsure)
        assert scene.desk.state.lives == {}
        assert await scene.store.runs.orders("run") == []
        await scene.until_status(await scene.place("buy", id="run-1"), S.FILLED)  # the same again, and once
        await scene.assert_books_equal()


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
async def test_an_account_is_met_once(outcome: Outcome, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("not reconciled")
    async with opened(tmp_path, loses=[outcome], soon_s=0.02) as scene:
        assert scene.desk.comparisons.count
        met = await scene.store.log.read(pattern=AccountAdopted.wire)
        assert len(met) == 1


async def test_an_order_is_not_closed_as_never_sent_while_it_is_about_to_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FIND_OUT_S", 3_600.0)
    async with opened(tmp_path, settle_ns=0) as scene:
        await begun(scene)
        # The desk asks in vain what became of it, and not again: whoever compares the books finds it out.
        scene.desk.state._runs = LosingRows(scene.store.runs, [LOST, UNDONE])
        with pytest.raises(DatabaseUnreachable):
            await scene.place("buy", id="run-1")
        await scene.desk.reconcile()  # it finds out that the order is committed, and has asked the broker before
        await scene.until_status("run-1", S.FILLED)
        assert "orders.Rejected" not in await scene.types()


async def test_what_is_found_out_late_does_not_leave_unless_it_protects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "LATE_NS", -1)
    async with opened(tmp_path) as scene:
        await begun(scene)
        order = await scene.until_status(await scene.place("buy"), S.REJECTED)
        assert (order.reason or "").startswith("It was not sent: this desk was away for too long")
        assert scene.broker.exchange.orders() == []


async def test_cancels_and_the_kill_switch_are_asked_for_while_the_store_is_away(tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("not known")
    allow_log("not stored")
    allow_log("not reconciled")
    allow_log("not carried out")
    async with opened(tmp_path, soon_s=0.05) as scene:
        await begun(scene)
        placed = [await scene.place("buy", limit="50") for _ in range(3)]
        for order_id in placed:
            await scene.until_status(order_id, S.ACCEPTED)
        changed = asyncio.Event()
        scene.broker.exchange.listeners.append(lambda _: changed.set())
        scene.desk.state._runs = LosingRows(scene.store.runs, repeat(UNDONE))
        with pytest.raises(DatabaseUnreachable):
            await scene.place("buy", limit="60")
        assert scene.desk.state.turn.is_unsure
        await scene.desk.cancel(placed[0])
        await scene.throw(SwitchLevel.CANCEL_ALL)
        async with asyncio.timeout(20):
            while any(not one.status.is_final for one in scene.broker.exchange.orders()):
                changed.clear()
                await changed.wait()
        assert scene.desk.state.turn.is_unsure
        scene.desk.state._runs = scene.store.runs
        for order_id in placed:
            await scene.until_status(order_id, S.CANCELLED)


async def test_a_desk_that_lost_the_account_meanwhile_sends_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await begun(scene)
        lease = await scene.store.leases.acquire(LeaseKind.ACCOUNT, "a", 60)
        fenced = FencedRuns(scene.store.runs, lease)
        scene.desk.state._runs = LosingRows(fenced, chain([LOST], repeat(UNDONE)))
        with pytest.raises(DatabaseUnreachable):
            await scene.place("buy")
        await scene.store.leases.release(lease)
        await scene.store.leases.acquire(LeaseKind.ACCOUNT, "a", 60)
        scene.desk.state._runs = fenced
        with pytest.raises(LeaseLost):
            await scene.desk.state.turn.acquire()
        assert scene.desk.state.turn.is_unsure
        assert scene.broker.exchange.orders() == []
        assert scene.desk.state.lives == {}


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_lost_books_rows_and_broker_come_to_the_same(seed: int, tmp_path: Path, allow_log: AllowLog) -> None:
    for part in ("not known", "not stored", "not reconciled", "not carried out"):
        allow_log(part)
    random = Random(seed)
    options: dict[str, Any] = {"settle_ns": 300_000_000, "soon_s": 0.02, "missing_s": 0.0}
    async with opened(tmp_path, **options) as scene:
        await begun(scene)
        scene.desk.state._runs = lost = LosingRows(
            scene.store.runs, (random.choices([ANSWERED, LOST, UNDONE], [3, 1, 1])[0] for _ in range(60))
        )
        for number in range(12):
            order_id = f"run-{number}"
            side, qty, limit = random.choice(["buy", "sell"]), random.randint(1, 9), random.choice([None, "90", "110"])
            while order_id not in scene.desk.state.lives:
                try:
                    await scene.place(side, qty, id=order_id, limit=limit)
                except DatabaseUnreachable:
                    await scene.until(lambda: not scene.desk.state.turn.is_unsure)
            if random.random() < 0.3:
                await scene.desk.cancel(order_id)
            scene.broker.exchange.show("DEMO", D(random.randint(80, 120)))
        if random.random() < 0.5:
            outside = BrokerOrderRequest(
                client_order_id="theirs", symbol="DEMO", side=OrderSide.BUY, type=OrderType.MARKET, time_in_force=TimeInForce.DAY, qty=D(7)
            )
            await scene.broker.desk.submit(outside)
        scene.desk.state._runs = scene.store.runs
        await scene.desk.cancel_working("run")
        await scene.until(lambda: all(life.is_settled for life in scene.desk.state.lives.values()))
        await scene.desk.reconcile()
        assert lost.lost
        told = await told_fills(scene)
        assert len(told) == len(set(told))
        events = await scene.store.log.read(limit=100_000)
        assert len({event.id for event in events}) == len(events)
        held = dict(scene.desk.state.positions()), dict(scene.desk.state.outside)
        sent = [one.client_order_id for one in scene.broker.exchange.orders()]
        assert len(sent) == len(set(sent))
        broker = scene.broker
    async with opened(tmp_path, broker, **options) as again:
        assert (again.desk.state.positions(), again.desk.state.outside) == held
        assert [one for one in again.desk.state.lives.values() if not one.is_settled] == []
