"""Exits of a position of ten SPY, and an account that knows of them by what is stored."""

from decimal import Decimal
from typing import Any, cast

from core.brokers.loader import AdapterLoader
from core.clock.realtime import SystemClock
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.trading.order_fold import revived
from core.trading.state import AccountState


def known(*orders: Order) -> AccountState:
    """The state of an account at Alpaca with these orders."""
    features = AdapterLoader(()).find_all()["alpaca"].features
    state = AccountState("alpaca:1", features, RiskLimits(), runs=cast(Any, None), clock=SystemClock())
    for order in orders:
        state.recall(revived(order, ()))
    return state


def exit_(order_id: str, sibling_id: str | None = None, qty: int = 10, status: OrderStatus = OrderStatus.ACCEPTED, **more: Any) -> Order:
    """A target where its id says so, else a stop loss."""
    is_target = "target" in order_id
    price: dict[str, Any] = {"limit_price": Decimal(420)} if is_target else {"stop_price": Decimal(380)}
    kind = OrderType.LIMIT if is_target else OrderType.STOP
    return Order(
        id=order_id,
        run_id="run",
        request=OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=Decimal(qty), type=kind, reduce_only=True, **price),
        time_in_force=TimeInForce.DAY,
        status=status,
        created_ns=1,
        updated_ns=1,
        sibling_id=sibling_id,
        broker_id=f"there-{order_id}",
        **more,
    )
