"""What leaves for a broker, and what does not."""

from decimal import Decimal

import msgspec
import pytest

from core.brokers.paper.source import INFO as PAPER
from core.brokers.sim import INFO as SIM
from core.model.broker import Features
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.sending import broker_request, what_cannot_be_sent

UNTIL = OrderRequest(
    symbol="SPY",
    side=OrderSide.BUY,
    qty=Decimal(1),
    type=OrderType.LIMIT,
    limit_price=Decimal(5),
    time_in_force=TimeInForce.GTD,
    expires_ns=9,
)


@pytest.mark.parametrize(("features", "why"), [(SIM.features, "The broker takes no gtd; use gtc, and cancel it."), (PAPER.features, None)])
def test_gtd_goes_where_it_is_taken(features: Features, why: str | None) -> None:
    assert what_cannot_be_sent(UNTIL, TimeInForce.GTD, features) == why


@pytest.mark.parametrize(("in_force", "expires_ns"), [(TimeInForce.GTD, 9), (TimeInForce.GTC, None)])
def test_its_end_leaves_with_it(in_force: TimeInForce, expires_ns: int | None) -> None:
    order = Order(
        id="o",
        run_id="r",
        request=UNTIL if expires_ns else msgspec.structs.replace(UNTIL, time_in_force=in_force, expires_ns=None),
        time_in_force=in_force,
        status=OrderStatus.SUBMITTING,
        created_ns=1,
        updated_ns=1,
    )
    assert broker_request(order).expires_ns == expires_ns
