"""A person closes the position of a run, and the sale does not get through: the run's exits are back, as its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from core.events.envelope import Envelope
from core.events.live_payloads import ExitsOwedNoMore
from core.events.payloads import OrderRejected, OrderSubmitted
from core.model.order import Order, OrderStatus, OrderType
from core.model.risk import SwitchLevel
from core.model.run import Run
from tests.integration.trading.test_killed_run import KEEPER
from tests.unit.runs.test_hand import HandScene, lasting_hand

D, S = Decimal, OrderStatus


@pytest.fixture
def keeper(tmp_path: Path) -> Path:
    (tmp_path / "keeper.py").write_text(KEEPER)
    return tmp_path


@contextmanager
def no_sale_gets_through(hand: HandScene) -> Iterator[None]:
    """Let the line be cut in the moment in which an order by hand leaves, and be back once that has failed."""
    faults = hand.scene.broker.faults

    def cut(event: Envelope) -> None:
        payload = event.payload
        if isinstance(payload, OrderSubmitted) and "-h" in payload.order_id:
            faults.unreachable = True

    def mend(event: Envelope) -> None:
        if isinstance(event.payload, OrderRejected):
            faults.unreachable = False

    with hand.store.log.subscribe(OrderSubmitted.wire, cut, owner="test"), hand.store.log.subscribe(OrderRejected.wire, mend, owner="test"):
        yield


def exits(hand: HandScene) -> dict[OrderType, Order]:
    """The exits over two units that work, by their kind."""
    lives = hand.account.desk.state.lives.values()
    found = [life.order for life in lives if life.order.parent_id is not None and life.order.status is S.ACCEPTED]
    return {order.request.type: order for order in found if order.request.qty == 2}


async def held(hand: HandScene) -> Run:
    """Start a run that holds three, of which two have a target and a stop."""
    run = await hand.scene.start("keeper", cash=D(1_000_000))
    await hand.scene.until("orders.Filled", 2)
    await hand.moved(lambda: len(exits(hand)) == 2)
    return run


async def in_vain(hand: HandScene, run: Run) -> dict[OrderType, Order]:
    """Close all of it in vain, and return the exits that are there again."""
    before = exits(hand)
    with no_sale_gets_through(hand):
        sale = await hand.account.close("DEMO/USD", run.id)
        await hand.until(sale, S.REJECTED)
        await hand.moved(lambda: len(exits(hand)) == 2)
    after = exits(hand)
    assert {order.id for order in after.values()} == {f"{order.id}.back" for order in before.values()}
    assert {order.parent_id for order in after.values()} == {order.parent_id for order in before.values()}
    return after


async def test_they_are_a_pair_of_which_the_first_fill_takes_the_other_back(keeper: Path) -> None:
    async with lasting_hand(keeper) as hand:
        run = await held(hand)
        after = await in_vain(hand, run)
        target, stop = after[OrderType.LIMIT], after[OrderType.STOP]
        assert (target.sibling_id, stop.sibling_id) == (stop.id, target.id)
        hand.scene.broker.exchange.execute(target.broker_id or "", D(2), D(10_000_000))
        await hand.until(target, S.FILLED)
        await hand.until(stop, S.CANCELLED)
        await hand.moved(lambda: not hand.account._owed.owes)
        assert hand.account.desk.state.books[run.id].held("DEMO/USD") == 1
        await hand.scene.runs.stop(run.id)


async def test_the_strategy_finds_them_by_its_own_names_for_them(keeper: Path) -> None:
    async with lasting_hand(keeper) as hand:
        run = await held(hand)
        after = await in_vain(hand, run)
        await hand.moved(lambda: not hand.account._owed.owes)
        venue = hand.scene.runs._sessions._going[run.id]._work._venue  # type: ignore[attr-defined]
        families = venue.families
        for kind, other in ((OrderType.LIMIT, OrderType.STOP), (OrderType.STOP, OrderType.LIMIT)):
            assert families._siblings[after[kind].id] == after[other].id
            assert families.newest(after[kind].id.removesuffix(".back")) == after[kind].id
        await hand.scene.runs.stop(run.id)


async def test_a_run_that_is_over_is_owed_nothing(keeper: Path) -> None:
    async with lasting_hand(keeper) as hand:
        run = await held(hand)
        state = hand.account.desk.state
        with (
            no_sale_gets_through(hand),
            hand.store.log.subscribe(OrderRejected.wire, lambda _: state.set_level(run.id, SwitchLevel.HALT), owner="test"),
        ):
            await hand.until(await hand.account.close("DEMO/USD", run.id), S.REJECTED)
        await hand.moved(lambda: bool(hand.account._owed.bare(run.id, "DEMO/USD")))
        shown = {one.owner_id: one.bare for one in (await hand.view()).positions}
        assert shown[run.id].startswith("2 of it stand without the exits that they had. The kill switch lets nothing leave")
        await hand.scene.runs.stop(run.id)
        assert not hand.account._owed.owes
        (told,) = await hand.store.log.read(pattern=ExitsOwedNoMore.wire)
        assert isinstance(told.payload, ExitsOwedNoMore)
        assert told.payload.reason == "Its run is over, and takes its orders back."
        state.set_level(run.id, SwitchLevel.OFF)
        assert not exits(hand)
