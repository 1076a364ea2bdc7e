"""A part of a position is closed by hand: no exit stays over more than what is held then."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.model.hand import HandOrder
from core.model.order import Order, OrderSide, OrderStatus, OrderType
from core.model.risk import SwitchLevel
from tests.integration.trading.test_killed_run import KEEPER
from tests.unit.runs.test_hand import HandScene, buy, lasting_hand

D = Decimal
S = OrderStatus
FAR: dict[str, Any] = {"target_price": D(10_000_000), "stop_loss_price": D(1)}


async def with_exits(hand: HandScene, qty: int, **exits: Any) -> Order:
    """Buy, and wait until the exits are at the broker."""
    entry = await hand.filled(buy(qty, **exits))
    exits.pop("symbol", None)
    lives = hand.account.desk.state.lives
    await hand.moved(
        lambda: [life.order.status for life in lives.values() if life.order.parent_id == entry.id] == [S.ACCEPTED] * len(exits)
    )
    return entry


def working(hand: HandScene) -> dict[str, Decimal]:
    """What works at the account, and over how much."""
    return {life.order.id.rpartition("-")[2]: life.order.request.qty for life in hand.account.desk.state.working()}


def over(entry: Order, **legs: int) -> dict[str, Decimal]:
    return {f"{entry.id.rpartition('-')[2]}.{leg}": D(qty) for leg, qty in legs.items()}


async def closed(hand: HandScene, qty: int, owner: str | None = None) -> None:
    await hand.until(await hand.account.close("DEMO/USD", owner or hand.run_id, D(qty)), S.FILLED)


def held(hand: HandScene) -> Decimal:
    return hand.account.desk.state.books[hand.run_id].held("DEMO/USD")


async def test_both_exits_are_made_smaller_and_the_first_to_fill_closes_exactly_the_rest(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 10, **FAR)
        await closed(hand, 4)
        assert (held(hand), working(hand)) == (D(6), over(entry, target=6, stop=6))
        lives = hand.account.desk.state.lives
        target, stop = lives[f"{entry.id}.target"].order, lives[f"{entry.id}.stop"].order
        hand.scene.broker.exchange.execute(target.broker_id or "", D(6), D(10_000_000))
        await hand.until(target, S.FILLED)
        await hand.until(stop, S.CANCELLED)
        assert held(hand) == 0


async def test_the_oldest_exits_give_way_first(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        older = await with_exits(hand, 5, stop_loss_price=D(1))
        newer = await with_exits(hand, 5, stop_loss_price=D(2))
        await closed(hand, 2)
        assert working(hand) == over(older, stop=3) | over(newer, stop=5)
        await closed(hand, 5)
        assert (held(hand), working(hand)) == (D(3), over(newer, stop=3))


async def test_an_order_of_ones_own_that_would_sell_more_than_stays_gives_way_too(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        await hand.filled(buy(10))
        wanted = HandOrder(symbol="DEMO/USD", side=OrderSide.SELL, qty=D(10), type=OrderType.LIMIT, limit_price=D(10_000_000))
        sale = await hand.account.place(wanted)
        await hand.until(sale, S.ACCEPTED)
        await closed(hand, 4)
        assert list(working(hand).values()) == [D(6)]


async def test_what_is_over_no_more_than_stays_is_left_alone(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 5, stop_loss_price=D(1))
        await hand.filled(buy(5))
        await closed(hand, 5)
        assert (held(hand), working(hand)) == (D(5), over(entry, stop=5))
        assert "orders.ChangeSent" not in [event.type for event in await hand.store.log.read(pattern="orders.*", limit=1_000)]


async def test_exits_that_wait_for_the_rest_of_their_entry_leave_over_what_is_held_then(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await hand.account.place(buy(10, type=OrderType.LIMIT, limit_price=D(1), **{**FAR, "stop_loss_price": D("0.5")}))
        await hand.until(entry, S.ACCEPTED)
        broker_id = hand.account.desk.state.lives[entry.id].order.broker_id or ""
        hand.scene.broker.exchange.execute(broker_id, D(6), D(1))
        await hand.moved(lambda: held(hand) == 6)
        await closed(hand, 4)
        hand.scene.broker.exchange.execute(broker_id, D(4), D(1))
        lives = hand.account.desk.state.lives
        await hand.moved(
            lambda: [lives[each].order.status for each in (f"{entry.id}.stop", f"{entry.id}.target") if each in lives] == [S.ACCEPTED] * 2
        )
        assert (held(hand), working(hand)) == (D(6), over(entry, target=6, stop=6))


async def test_a_close_that_the_gate_refuses_leaves_the_exits_as_they_are(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 10, **FAR)
        await hand.scene.throw(SwitchLevel.HALT)
        await hand.moved(lambda: hand.account.desk.level(hand.run_id) is SwitchLevel.HALT)
        for qty in (D(4), None):
            refused = await hand.account.close("DEMO/USD", hand.run_id, qty)
            assert refused.reject_code == "risk_halted"
        assert working(hand) == over(entry, target=10, stop=10)


async def test_all_of_it_in_figures_is_all_of_it(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        await with_exits(hand, 10, **FAR)
        await closed(hand, 10)
        assert (held(hand), working(hand)) == (D(0), {})


@pytest.fixture
def keeper(tmp_path: Path) -> Path:
    (tmp_path / "keeper.py").write_text(KEEPER)
    return tmp_path


async def test_the_exits_of_a_run_give_way_and_those_that_wait_leave_over_what_it_holds(keeper: Path) -> None:
    async with lasting_hand(keeper) as hand:
        run = await hand.scene.start("keeper", cash=D(1_000_000))
        await hand.scene.until("orders.Filled", 2)
        lives, book = hand.account.desk.state.lives, hand.account.desk.state.books[run.id]

        def exits() -> list[Decimal]:
            return sorted(
                life.order.request.qty for life in lives.values() if life.order.parent_id is not None and life.order.status is S.ACCEPTED
            )

        await hand.moved(lambda: exits() == [D(2), D(2)])
        await closed(hand, 2, run.id)
        assert (book.held("DEMO/USD"), exits()) == (D(1), [D(1), D(1)])
        low = next(life.order for life in lives.values() if life.order.request.qty == 3)
        await hand.until(low, S.ACCEPTED)
        broker_id = lives[low.id].order.broker_id or ""
        hand.scene.broker.exchange.execute(broker_id, D(2), D(2))
        await hand.moved(lambda: book.held("DEMO/USD") == 3)
        await closed(hand, 3, run.id)
        hand.scene.broker.exchange.execute(broker_id, D(1), D(2))
        await hand.moved(lambda: any(life.order.parent_id == low.id and life.order.status is S.ACCEPTED for life in lives.values()))
        assert (book.held("DEMO/USD"), exits()) == (D(1), [D(1)])
        await hand.scene.runs.stop(run.id)
