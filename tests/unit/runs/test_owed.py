"""What is owed of exits that made way: made of what is stored and of the orders as they are."""

from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from core.events.live_payloads import ExitsOwed
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.runs.closing_side import ClosingSide
from core.runs.owed import Debt, Key, base_id, is_owed_back, newest_back, there_is
from core.trading.state import AccountState
from tests.unit.trading import exits
from tests.unit.trading.exits import known

D, S = Decimal, OrderStatus
KEY = Key("run", "SPY", OrderSide.SELL)
exit_ = partial(exits.exit_, parent_id="entry")


def told(state: AccountState, *order_ids: str, left: int = 0, closing: str = "sale", qty: int = 10, allowed: int = 0) -> ExitsOwed:
    working, filled = there_is(order_ids, state, ClosingSide(state))
    return ExitsOwed(
        order_ids=order_ids,
        symbol="SPY",
        qty=working,
        filled_qty=filled,
        left_qty=D(left),
        closing_id=closing,
        closing_qty=D(qty),
        allowed_qty=D(allowed),
    )


def owed(state: AccountState, *order_ids: str, **more: Any) -> Debt:
    return Debt(told(state, *order_ids, **more), state.lives[order_ids[0]].order, state.lives)


def now(state: AccountState, order: Order, **changes: Any) -> None:
    """Let an order be so from now on."""
    life = known(msgspec.structs.replace(order, **changes)).lives[order.id]
    state.recall(life)


def over(state: AccountState, debt: Debt) -> Decimal:
    return debt.owed_qty(state, ClosingSide(state))


def test_what_is_taken_back_is_owed_once_it_is_gone_and_no_more_once_it_is_there_again() -> None:
    state = known(exit_("stop"))
    debt = owed(state, "stop")
    assert (debt.key, over(state, debt), debt.is_making_way(state.lives)) == (KEY, D(0), True)
    now(state, exit_("stop"), status=S.CANCELLED)
    assert (over(state, debt), debt.is_making_way(state.lives), debt.is_taken_away(state.lives)) == (D(10), False, False)
    (again,) = debt.again(state.lives, D(6), 7)
    assert (again.id, again.request.qty, again.status, again.parent_id, again.broker_id) == ("stop.back", D(6), S.CREATED, "entry", None)
    debt.sent()
    now(state, exit_("stop.back", qty=6), status=S.SUBMITTING)
    assert (over(state, debt), debt.is_there(state.lives), debt.is_leaving(state.lives)) == (D(4), False, True)
    now(state, exit_("stop.back", qty=6))
    assert (over(state, debt), debt.is_there(state.lives)) == (D(4), True)
    assert [one.id for one in debt.again(state.lives, D(4), 8)] == ["stop.back2"]


def test_what_fills_meanwhile_is_owed_no_more() -> None:
    state = known(exit_("stop", filled_qty=D(2)))
    debt = owed(state, "stop")
    assert debt.qty == 8
    now(state, exit_("stop"), filled_qty=D(5), status=S.CANCELLED)
    assert over(state, debt) == 5


def test_a_pair_is_owed_as_a_pair_over_what_neither_has_filled() -> None:
    state = known(exit_("stop", "target"), exit_("target", "stop"))
    state.left_together([exit_("target", "stop"), exit_("stop", "target")])
    debt = owed(state, "stop", "target")
    now(state, exit_("target", "stop"), filled_qty=D(3), status=S.CANCELLED)
    now(state, exit_("stop", "target"), status=S.CANCELLED)
    assert over(state, debt) == 7
    stop, target = debt.again(state.lives, D(7), 7)
    assert ((stop.id, stop.sibling_id), (target.id, target.sibling_id)) == (("stop.back", "target.back"), ("target.back", "stop.back"))
    assert (stop.request.stop_price, target.request.limit_price, target.filled_qty) == (D(380), D(420), D(0))


def test_of_a_pair_of_which_one_did_not_come_that_one_leaves_again_beside_the_other() -> None:
    state = known(*(exit_(one, other, status=S.CANCELLED) for one, other in (("stop", "target"), ("target", "stop"))))
    debt = owed(known(exit_("stop", "target"), exit_("target", "stop")), "stop", "target")
    debt.sent()
    refused = {"status": S.REJECTED, "reject_code": RejectCode.NEVER_SENT, "updated_ns": 5 * SECOND_NS}
    now(state, exit_("stop.back", "target.back"), **refused)
    now(state, exit_("target.back", "stop.back"))
    assert (over(state, debt), debt.is_there(state.lives)) == (D(0), False)
    (again,) = debt.again(state.lives, D(0), 7)
    assert (again.id, again.sibling_id, again.request.qty) == ("stop.back2", "target.back", D(10))
    now(state, exit_("target.back", "stop.back"), filled_qty=D(1))
    assert debt.again(state.lives, D(0), 7) == []  # the other one has begun: it is needed no more


def test_what_is_taken_back_or_over_in_its_time_is_wanted_no_more() -> None:
    state = known(exit_("stop"))
    debt = owed(state, "stop")
    debt.sent()
    now(state, exit_("stop"), status=S.CANCELLED)
    assert not debt.is_taken_away(state.lives)
    now(state, exit_("stop.back"), status=S.CANCELLED)
    assert debt.is_taken_away(state.lives)
    state = known(exit_("stop"))
    debt = owed(state, "stop")
    now(state, exit_("stop"), status=S.EXPIRED)
    assert debt.is_taken_away(state.lives)


def test_what_came_before_it_made_way_again_is_long_over() -> None:
    state = known(exit_("stop", status=S.CANCELLED), exit_("stop.back", qty=6), exit_("stop.back2", qty=4))
    debt = owed(state, "stop.back2")
    assert (debt.qty, debt.count, debt.is_taken_away(state.lives)) == (D(10), 2, False)
    now(state, exit_("stop.back2", qty=4), status=S.CANCELLED)
    assert (over(state, debt), [one.id for one in debt.again(state.lives, D(4), 7)]) == (D(4), ["stop.back3"])
    now(state, exit_("stop.back", qty=6), filled_qty=D(2))
    assert over(state, debt) == 4


@pytest.mark.parametrize(
    ("code", "pauses"),
    [
        (RejectCode.NEVER_SENT, [2 * SECOND_NS, 4 * SECOND_NS, 8 * SECOND_NS]),
        (RejectCode.BROKER_REFUSED, [MINUTE_NS, 2 * MINUTE_NS, 4 * MINUTE_NS]),
    ],
)
def test_each_pause_is_twice_the_one_before(code: RejectCode, pauses: list[int]) -> None:
    state = known(exit_("stop"))
    debt = owed(state, "stop")
    assert debt.pause_ns(state.lives) == (0, None)
    for number, pause_ns in enumerate(pauses, 1):
        debt.sent()
        order_id = f"stop.back{'' if number == 1 else number}"
        now(state, exit_(order_id), status=S.REJECTED, reject_code=code, updated_ns=1_000 * SECOND_NS)
        until_ns, failed = debt.pause_ns(state.lives)
        assert failed is not None
        assert (until_ns - 1_000 * SECOND_NS, failed.id) == (pause_ns, order_id)
    for _ in range(20):
        debt.sent()
        now(state, exit_(f"stop.back{debt.count}"), status=S.REJECTED, reject_code=code, updated_ns=1_000 * SECOND_NS)
    longest = MINUTE_NS if code is RejectCode.NEVER_SENT else 15 * MINUTE_NS
    assert debt.pause_ns(state.lives)[0] == 1_000 * SECOND_NS + longest


def test_a_further_closing_is_one_of_the_same_debt() -> None:
    state = known(exit_("stop"))
    debt = owed(state, "stop", left=6, closing="first", qty=4, allowed=6)
    assert (debt.most_qty(state.lives), debt.is_making_way(state.lives)) == (D(10), True)
    now(state, exit_("first", qty=4), filled_qty=D(1))
    assert (debt.most_qty(state.lives), debt.closing_is_over(state.lives)) == (D(9), False)
    debt.take(told(state, "stop", closing="second", qty=10, allowed=0))
    assert (debt.qty, debt.most_qty(state.lives), list(debt.closing_ids)) == (D(10), D(10), ["first", "second"])
    now(state, exit_("first", qty=4), status=S.CANCELLED)
    assert debt.closing_is_over(state.lives)  # the second one was never made


def test_who_has_the_place_of_another_is_known_by_its_name() -> None:
    assert [base_id(each) for each in ("a", "a.back", "a.back12", "a.again.back2", "a.backs")] == ["a", "a", "a", "a.again", "a.backs"]
    lives = known(exit_("stop", status=S.CANCELLED), exit_("stop.back", status=S.CANCELLED), exit_("stop.back2")).lives
    assert [newest_back(each, lives) for each in ("stop", "stop.back", "stop.back2", "other")] == [*["stop.back2"] * 3, "other"]
    lives = known(exit_("stop", qty=6), exit_("stop.back", qty=4)).lives
    assert newest_back("stop", lives) == "stop"  # it works on itself


def test_an_order_that_closes_by_itself_or_brings_exits_of_its_own_is_not_owed() -> None:
    stop = exit_("stop")
    market = msgspec.structs.replace(stop, request=OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=D(1)))
    auction = msgspec.structs.replace(
        stop,
        request=OrderRequest(
            symbol="SPY", side=OrderSide.SELL, qty=D(1), type=OrderType.LIMIT, limit_price=D(1), time_in_force=TimeInForce.CLS
        ),
    )
    assert [is_owed_back(one) for one in (stop, market, auction)] == [True, False, False]


def test_while_executions_are_missing_it_is_not_known_what_is_owed() -> None:
    state = known(exit_("stop"))
    debt = owed(state, "stop")
    assert not debt.is_unsure(state.lives)
    state.recall(msgspec.structs.replace(state.lives["stop"], broker_qty=D(3)))
    assert debt.is_unsure(state.lives)
