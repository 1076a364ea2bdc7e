"""An exit that surely never came to the broker leaves again, until one has come: the position is not left without it."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors import BrokerUnreachable, RateLimited
from core.model.broker import BrokerOrder, BrokerOrderRequest, MayLeave
from core.model.instants import SECOND_NS
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, RejectCode, TimeInForce
from core.runs.unsent import LONGEST_PAUSE_NS, PAUSE_NS, Unsent, next_id
from core.trading.order_fold import OrderLife
from tests.unit.runs.test_hand import HandScene, buy, lasting_hand

S, D = OrderStatus, Decimal
NOW_NS = 1_000 * SECOND_NS
LEFT = D(3)


def exit_row(order_id: str, sibling: str | None = None, *, code: RejectCode | None = RejectCode.NEVER_SENT, **changes: Any) -> Order:
    order = Order(
        id=order_id,
        run_id="run",
        request=OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=D(5), reduce_only=True),
        time_in_force=TimeInForce.GTC,
        status=S.ACCEPTED if code is None else S.REJECTED,
        created_ns=NOW_NS,
        updated_ns=NOW_NS,
        reject_code=code,
        parent_id="entry",
        sibling_id=sibling,
    )
    return msgspec.structs.replace(order, **changes)


def lives(*orders: Order) -> dict[str, OrderLife]:
    entry = exit_row("entry", code=None, parent_id=None, status=S.FILLED)
    return {order.id: OrderLife(order=order) for order in (entry, *orders)}


def again(*orders: Order, now_ns: int = NOW_NS + PAUSE_NS, left: Decimal | None = LEFT, asked_back: tuple[str, ...] = ()) -> list[Order]:
    unsent = Unsent()
    for order in orders:
        unsent.watch(order.id)
    leaving, _ = unsent.due(lives(*orders), lambda _: left, now_ns, asked_back)
    return [intent.order for intent in leaving]


def test_it_leaves_again_over_what_is_left_under_another_id() -> None:
    (order,) = again(exit_row("x"))
    assert (order.id, order.request.qty, order.status, order.reject_code, order.parent_id) == ("x.again", D(3), S.CREATED, None, "entry")
    assert again(exit_row("x"), left=D(0)) == []


@pytest.mark.parametrize(
    "row",
    [
        exit_row("x", code=None),  # it works
        exit_row("x", code=RejectCode.BROKER_REFUSED),
        exit_row("x", code=RejectCode.RISK_HALTED),
        exit_row("x", code=None, status=S.CANCELLED),
        exit_row("x", filled_qty=D(1)),
    ],
)
def test_one_that_came_or_is_not_wanted_does_not(row: Order) -> None:
    assert again(row) == []


def test_one_that_was_taken_back_or_whose_other_one_closed_does_not() -> None:
    assert again(exit_row("x"), asked_back=("x",)) == []
    assert again(exit_row("x", "y"), exit_row("y", "x", code=None, status=S.FILLED, filled_qty=D(5))) == []
    assert again(exit_row("x", "y"), exit_row("y", "x", code=None), asked_back=("y",)) == []


def test_a_pair_leaves_again_as_a_pair_and_one_beside_the_other_that_works_over_what_that_has_left() -> None:
    both = again(exit_row("x", "y"), exit_row("y", "x"))
    assert [(order.id, order.sibling_id) for order in both] == [("x.again", "y.again"), ("y.again", "x.again")]
    working = exit_row("y", "x", code=None)
    (alone,) = again(exit_row("x", "y"), working, left=D(0))  # what is held is covered by the other one, which goes with it
    assert (alone.id, alone.sibling_id, alone.request.qty) == ("x.again", "y", D(5))


def test_each_pause_is_longer_than_the_one_before_up_to_a_minute() -> None:
    order_id, pauses = "x", []
    for _ in range(8):
        pause_ns = 0
        while not again(exit_row(order_id), now_ns=NOW_NS + pause_ns):
            pause_ns += SECOND_NS
        pauses.append(pause_ns)
        order_id = next_id(order_id)
    assert pauses == [min(PAUSE_NS << attempt, LONGEST_PAUSE_NS) for attempt in range(8)]
    assert order_id == "x.again8"


def test_after_a_start_only_what_failed_lately_or_is_in_doubt_is_wanted() -> None:
    later_ns = NOW_NS + 3_600 * SECOND_NS
    old, new = exit_row("old"), exit_row("new", updated_ns=later_ns - 60 * SECOND_NS)
    doubtful, bracket = exit_row("doubtful", code=None, status=S.SUBMITTING), exit_row("bracket", updated_ns=later_ns)
    unsent = Unsent()
    other_s = exit_row("x.back", updated_ns=later_ns)  # it is in the place of one that made way: see `core.runs.owed`
    unsent.recall([old, new, doubtful, bracket, other_s], {"bracket"}, later_ns)
    rows = (old, new, msgspec.structs.replace(doubtful, status=S.REJECTED, reject_code=RejectCode.NEVER_SENT), bracket, other_s)
    leaving, _ = unsent.due(lives(*rows), lambda _: D(3), later_ns + PAUSE_NS, ())
    assert [intent.order.id for intent in leaving] == ["new.again", "doubtful.again"]


async def protected(hand: HandScene) -> None:
    """Return once an exit of the position works."""

    def is_so() -> bool:
        return any(life.order.parent_id and life.order.status is S.ACCEPTED for life in hand.account.desk.state.lives.values())

    async with asyncio.timeout(30):
        await hand.moved(is_so)


@pytest.mark.parametrize("fault", [BrokerUnreachable("No connection."), RateLimited("Too many requests (429).", retry_after_s=1.0)])
async def test_a_request_that_did_not_get_through_is_made_again(tmp_path: Path, fault: Exception) -> None:
    async with lasting_hand(tmp_path) as hand:
        desk, failed = hand.scene.broker.desk, list[str]()
        submit: Callable[[BrokerOrderRequest], Awaitable[BrokerOrder]] = desk.submit

        async def fails_twice(request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
            if ".stop" in request.client_order_id and len(failed) < 2:
                failed.append(request.client_order_id)
                raise fault
            return await submit(request)

        desk.submit = fails_twice  # type: ignore[method-assign]
        await hand.filled(buy(1, stop_loss_price=D(1_000)))
        await protected(hand)
        assert [order_id.partition(".stop")[2] for order_id in failed] == ["", ".again"]
        working = [one for one in hand.scene.broker.exchange.orders() if not one.status.is_final]
        assert [(one.client_order_id.partition(".stop")[2], one.qty) for one in working] == [(".again2", D(1))]
