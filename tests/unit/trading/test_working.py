"""What orders can still fill is counted once: of a pair one will, and what one of it sold the other has no more."""

from decimal import Decimal
from typing import Any

import msgspec

from core.model.broker import Execution
from core.model.order import Order, OrderSide, OrderStatus
from core.trading.order_fold import OrderLife, executed
from core.trading.state import AccountState
from core.trading.working import once
from tests.unit.trading.exits import exit_, known

D, S = Decimal, OrderStatus


def target(sibling_id: str = "run-1.stop", **terms: Any) -> Order:
    return exit_("run-1.target", sibling_id, **terms)


def stop(order_id: str = "run-1.stop", **terms: Any) -> Order:
    return exit_(order_id, "run-1.target", **terms)


def sells(state: AccountState) -> Decimal:
    return state.rests.qty("run", "SPY", OrderSide.SELL)


def sold(life: OrderLife, qty: str) -> OrderLife:
    execution = Execution(id="e", order_id="there", symbol="SPY", side=OrderSide.SELL, qty=D(qty), price=D(420), time_ns=1, cum_qty=D(qty))
    return executed(life, execution, "alpaca:1/e", 1).life


def test_one_that_left_again_under_another_id_is_counted_with_the_one_that_works_on() -> None:
    for again in ("run-1.stop.again", "a-1.stop"):  # whichever of the two ids is the smaller
        assert sells(known(target(), stop(status=S.REJECTED), stop(again))) == 10
        assert sells(known(stop(again, qty=6), stop(status=S.CANCELLED), target())) == 10


def test_two_that_are_no_pair_are_counted_each() -> None:
    assert sells(known(target(), exit_("run-2", qty=3))) == 13


def test_what_one_of_a_pair_sold_the_other_has_no_more_before_the_broker_says_so() -> None:
    state = known(target(), stop())
    state.left_together([target(), stop()])
    state.recall(sold(state.lives["run-1.target"], "4"))
    assert sells(state) == 6
    assert {each: rest.qty for each, rest in state.rests._all.items()} == {"run-1.target": D(6), "run-1.stop": D(6)}
    state.recall(msgspec.structs.replace(state.lives["run-1.target"], broker_qty=D(10)))
    assert sells(state) == 6  # six more are sold there and not booked yet; the stop has nothing left
    assert "run-1.stop" not in state.rests._all


def test_it_is_so_after_a_restart_too_whichever_of_them_sold() -> None:
    for seller, other in (("run-1.target", "run-1.stop"), ("run-1.stop", "run-1.target")):
        state = known(target(), stop())
        state.recall(sold(state.lives[seller], "4"))
        state.left_together([state.lives["run-1.target"].order, state.lives["run-1.stop"].order])
        assert state.rests._all[other].qty == 6


def test_a_pair_that_the_program_minds_is_over_what_each_has_left() -> None:
    state = known(target(), stop())
    state.recall(sold(state.lives["run-1.target"], "4"))
    assert sells(state) == 10  # the stop is taken back, and until then it may sell all of it


def test_the_smaller_of_each_pair_is_taken_out() -> None:
    rests = {"a": target().request, "b": stop(qty=4).request, "c": stop().request}
    once(rests, {"b": "a", "c": "gone"})
    assert list(rests) == ["a", "c"]
