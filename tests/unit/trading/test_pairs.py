"""Which two exits a broker takes as one order."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.model.broker import Features, OrderClass
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.pairs import pair_request, pairs_of

D = Decimal
OCO = Features(order_classes=(OrderClass.SIMPLE, OrderClass.OCO))


def exit_(id: str, sibling: str, time_in_force: TimeInForce = TimeInForce.DAY, **terms: Any) -> Order:
    given: dict[str, Any] = {"symbol": "SPY", "side": OrderSide.SELL, "qty": D(10), "reduce_only": True}
    request = OrderRequest(**(given | terms))
    return Order(
        id=id,
        run_id="r",
        request=request,
        time_in_force=time_in_force,
        status=OrderStatus.SUBMITTING,
        created_ns=1,
        updated_ns=1,
        sibling_id=sibling,
    )


def target(**terms: Any) -> Order:
    given: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(110)}
    return exit_("t", "s", **(given | terms))


def stop(**terms: Any) -> Order:
    given: dict[str, Any] = {"type": OrderType.STOP, "stop_price": D(90)}
    return exit_("s", "t", **(given | terms))


def test_a_target_and_a_stop_over_the_same_whole_shares_are_one_order() -> None:
    pair = (target(), stop())
    assert pairs_of(pair[::-1], OCO) == [pair]
    request = pair_request(*pair)
    assert (request.client_order_id, request.order_class, request.qty) == ("t", OrderClass.OCO, D(10))
    assert (request.target_price, request.stop_loss_price, request.stop_loss_limit) == (D(110), D(90), None)
    limited = stop(type=OrderType.STOP_LIMIT, limit_price=D(89))
    assert pair_request(target(), limited).stop_loss_limit == D(89)


@pytest.mark.parametrize(
    ("orders", "features"),
    [
        ((target(), stop()), Features()),
        ((target(),), OCO),
        ((target(), stop(qty=D(9))), OCO),
        ((target(qty=D("0.5")), stop(qty=D("0.5"))), OCO),
        ((target(symbol="BTC/USD"), stop(symbol="BTC/USD")), OCO),
        ((target(), stop(time_in_force=TimeInForce.GTC)), OCO),
        ((target(), stop(type=OrderType.TRAILING_STOP, stop_price=None, trail_price=D(1))), OCO),
        ((target(reduce_only=False), stop(reduce_only=False)), OCO),  # entries: no broker takes a pair of those
        ((target(), msgspec.structs.replace(stop(), status=OrderStatus.REJECTED)), OCO),  # the gate refused one
    ],
)
def test_what_does_not_fit_leaves_apart(orders: tuple[Order, ...], features: Features) -> None:
    assert pairs_of(orders, features) == []
