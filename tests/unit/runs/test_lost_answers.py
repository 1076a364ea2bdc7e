"""The answer to a commit is lost while a run or a person trades: what was committed leaves, and nothing is stored twice."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.errors import DatabaseUnreachable, DiskFull
from core.events.live_payloads import OrderAskedByHand, OrderChangeSent
from core.events.payloads import OrderCreated, OrderReplaceRefused
from core.model.desk import LeaseKind
from core.model.hand import OrderTerms
from core.model.order import OrderStatus, OrderType
from core.model.risk import RiskLimits
from core.ports import Rows
from core.runs import store_away
from core.runs.store_away import StoreAway
from core.store.memory import MemoryStore
from core.store.unit_of_work import Append, PutOrders, Step
from core.trading import state as state_module
from core.trading.entries import Entry
from core.trading.service import Intent
from tests.contract.samples import StillClock, note, order, run
from tests.losing import LosingRows, Outcome
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.test_hand import HandScene, buy, lasting_hand
from tests.unit.trading.desk import opened

S, D = OrderStatus, Decimal
ANSWERED, LOST, UNDONE = Outcome


def has_exits(steps: list[Step]) -> bool:
    return any(isinstance(step, PutOrders) and any(one.parent_id for one in step.orders) for step in steps)


def lose(hand: HandScene, outcomes: list[Outcome], is_meant: Callable[[list[Step]], bool]) -> LosingRows:
    state = hand.account.desk.state
    state._runs = lost = LosingRows(state._runs, outcomes, is_meant)
    return lost


def exits(hand: HandScene) -> list[tuple[OrderStatus, str | None]]:
    return [(life.order.status, life.order.reason) for life in hand.account.desk.state.lives.values() if life.order.parent_id]


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
async def test_a_stop_protects_though_its_commit_was_not_answered(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    async with lasting_hand(tmp_path) as hand:
        lost = lose(hand, [outcome], has_exits)
        await hand.account.place(buy(1, stop_loss_price=D(1000)))
        await hand.moved(lambda: exits(hand) == [(S.ACCEPTED, None)])
        assert lost.lost == 1
        assert len([one for one in hand.scene.broker.exchange.orders() if one.client_order_id.endswith(".stop")]) == 1
        made = [event.payload for event in await hand.store.log.read(pattern=OrderCreated.wire)]
        assert len([one for one in made if isinstance(one, OrderCreated) and one.order.parent_id]) == 1


async def test_a_stop_leaves_however_long_the_store_was_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog) -> None:
    allow_log("waits for the store")
    async with lasting_hand(tmp_path) as hand:

        def is_long_ago(steps: list[Step]) -> bool:
            if not has_exits(steps):
                return False
            monkeypatch.setattr(state_module, "LATE_NS", -1)
            # Nothing was renewed while the store was away. It is from here on, and the account is still this desk's.
            state, renew = hand.account.desk.state, hand.account.desk.state.still_holds
            may_send = state.may_send

            async def renewed() -> bool:
                state.may_send = may_send
                return await renew()

            state.may_send, state.still_holds = lambda: False, renewed
            return True

        lost = lose(hand, [LOST], is_long_ago)
        await hand.account.place(buy(1, stop_loss_price=D(1000)))
        await hand.moved(lambda: exits(hand) == [(S.ACCEPTED, None)])
        assert lost.lost == 1


async def test_an_account_that_is_lost_is_not_held_still(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        state = hand.account.desk.state
        assert await state.still_holds()
        assert state.may_send()
        (lease,) = [one for one in await hand.store.leases.held(LeaseKind.ACCOUNT) if one.name == state.key]
        await hand.store.leases.release(lease)
        assert not await state.still_holds()
        assert not state.may_send()


async def test_an_order_whose_commit_was_not_answered_is_told_to_a_person_and_leaves_once(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        lose(hand, [LOST], lambda steps: any(isinstance(step, PutOrders) for step in steps))
        with pytest.raises(DatabaseUnreachable, match="not known"):
            await hand.account.place(buy(1))
        lives = hand.account.desk.state.lives
        await hand.moved(lambda: [life.order.status for life in lives.values()] == [S.FILLED])
        assert len(hand.scene.broker.exchange.orders()) == 1


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
async def test_a_runs_order_is_placed_once(outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    async with opened(tmp_path) as desk:
        await desk.run()
        desk.broker.exchange.show("BTC/USD", D(100))
        desk.desk.state.note_price("BTC/USD", D(100), 1)
        desk.desk.state._runs = LosingRows(desk.store.runs, [outcome])
        await StoreAway("run", desk.store.log, SystemClock().now_ns).place(desk.desk, [Intent(order=order("run-1", "run", S.CREATED))])
        await desk.until_status("run-1", S.FILLED)
        assert (await desk.types()).count("orders.Created") == 1
        await desk.assert_books_equal()


def is_change(steps: list[Step]) -> bool:
    """Whether a unit of work tells what became of a wish for other terms."""
    wires = {event.type for step in steps if isinstance(step, Append) for event in step.events}
    return not wires.isdisjoint({OrderChangeSent.wire, OrderReplaceRefused.wire})


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
@pytest.mark.parametrize("is_refused", [False, True], ids=["made", "refused by the gate"])
async def test_a_runs_change_is_asked_for_once(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog, *, is_refused: bool
) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    async with opened(tmp_path) as desk:
        await desk.run(limits=RiskLimits(max_order_qty=D(10)))
        order_id = await desk.place(limit="90")
        await desk.until_status(order_id, S.ACCEPTED)
        desk.desk.state._runs = lost = LosingRows(desk.store.runs, [outcome], is_change)
        terms = OrderTerms(qty=D(11)) if is_refused else OrderTerms(limit_price=D(91))
        await StoreAway("run", desk.store.log, SystemClock().now_ns).change(desk.desk, order_id, terms, None)
        await desk.until_told("orders.ReplaceRefused" if is_refused else "orders.Replaced")
        assert lost.lost == 1
        told = await desk.types("*")
        assert (told.count("orders.ChangeSent"), told.count("risk.Refused")) == ((0, 1) if is_refused else (1, 0))
        assert len(desk.broker.exchange.orders()) == (1 if is_refused else 2)
        await desk.assert_books_equal()


async def test_a_change_that_waited_for_too_long_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    async with opened(tmp_path) as desk:
        await desk.run()
        order_id = await desk.place(limit="90")
        await desk.until_status(order_id, S.ACCEPTED)

        def is_long_ago(steps: list[Step]) -> bool:
            if is_change(steps):
                monkeypatch.setattr(state_module, "LATE_NS", -1)
            return is_change(steps)

        desk.desk.state._runs = LosingRows(desk.store.runs, [UNDONE], is_long_ago)
        await StoreAway("run", desk.store.log, SystemClock().now_ns).change(desk.desk, order_id, OrderTerms(limit_price=D(91)), None)
        assert "away for too long" in (await desk.until_told("orders.ReplaceRefused")).reason
        assert len(desk.broker.exchange.orders()) == 1


@pytest.mark.parametrize("outcome", [LOST, UNDONE])
async def test_that_a_person_asked_for_a_cancel_is_stored_once(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    async with lasting_hand(tmp_path) as hand:
        order = await hand.account.place(buy(1, type=OrderType.LIMIT, limit_price=D(1)))
        await hand.until(order, S.ACCEPTED)
        lost = lose(hand, [outcome], lambda steps: any(isinstance(one, Append) for one in steps))
        await hand.account.cancel(order.id)
        await hand.until(order, S.CANCELLED)
        assert lost.lost == 1
        asked = [event.payload for event in await hand.store.log.read(pattern=OrderAskedByHand.wire)]
        assert [one.what for one in asked if isinstance(one, OrderAskedByHand)] == ["place", "cancel"]


async def test_a_cancel_that_cannot_be_stored_reaches_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("not stored")
    async with lasting_hand(tmp_path) as hand:
        order = await hand.account.place(buy(1, type=OrderType.LIMIT, limit_price=D(1)))
        await hand.until(order, S.ACCEPTED)
        commit = Entry.commit

        async def full(self: Entry, rows: Rows) -> None:
            if any(isinstance(event.payload, OrderAskedByHand) for event in self.events):
                raise DiskFull("No space is left.")
            await commit(self, rows)

        monkeypatch.setattr(Entry, "commit", full)
        with pytest.raises(DiskFull):
            await hand.account.cancel(order.id)
        await hand.until(order, S.CANCELLED)


@pytest.mark.parametrize("outcomes", [[LOST], [UNDONE], [LOST, LOST], [UNDONE, UNDONE, LOST], [LOST, UNDONE]])
async def test_a_runs_events_are_stored_once(outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog) -> None:
    allow_log("waits for the store")
    monkeypatch.setattr(store_away, "FIRST_PAUSE_S", 0.0)
    store = MemoryStore(StillClock())
    rows = LosingRows(store.runs, outcomes)
    away = StoreAway("run-1", store.log, StillClock().now_ns)
    await away.commit(rows, [note("one"), note("two")], lambda work: work.put_run(run()))
    await away.commit(rows, [note("three")], lambda work: work.put_run(run()))
    assert rows.lost == len(outcomes)
    assert [event.id for event in await store.log.read()] == ["note-one", "note-two", "note-three"]
