"""Events of a small run, as the engine makes them."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

from core.events.envelope import Envelope, Payload, envelope
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderFilled,
    OrderPartiallyFilled,
    OrderRejected,
    RunCreated,
)
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, RejectCode, TimeInForce
from core.model.run import Run, RunConfig, RunStatus

CONFIG = RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1m", params={"fast": 10, "slow": 30})


class Events:
    """Wraps payloads into envelopes with seq, id and time of their own."""

    def __init__(self, run_id: str = "run1") -> None:
        self.run_id = run_id
        self._numbers: Iterator[int] = count(1)

    def wrap(self, payload: Payload, *, run_id: str | None = None, seq: bool = True) -> Envelope:
        number = next(self._numbers)
        made = envelope(payload, id=f"e{number}", ts=number * 1_000_000_000, producer="test", run_id=run_id or self.run_id)
        return Envelope(made.id, number if seq else 0, *[getattr(made, name) for name in made.__struct_fields__[2:]])

    def order(self, id: str, side: OrderSide = OrderSide.BUY, qty: str = "2", symbol: str = "BTC/USD") -> Envelope:
        return self.wrap(OrderCreated(order=order(id, side=side, qty=qty, symbol=symbol, run_id=self.run_id)))

    def accepted(self, id: str) -> Envelope:
        return self.wrap(OrderAccepted(order_id=id))

    def part(self, id: str, qty: str, price: str, filled: str) -> Envelope:
        return self.wrap(OrderPartiallyFilled(order_id=id, time_ns=60, **_execution(id, qty, price, filled)))

    def filled(self, id: str, qty: str = "2", price: str = "100", filled: str = "2") -> Envelope:
        return self.wrap(OrderFilled(order_id=id, time_ns=120, **_execution(id, qty, price, filled)))

    def rejected(self, id: str) -> Envelope:
        return self.wrap(OrderRejected(order_id=id, code=RejectCode.INSUFFICIENT_CASH, reason="needs 200.00, has 10.00"))

    def cancelled(self, id: str) -> Envelope:
        return self.wrap(OrderCancelled(order_id=id, reason="the strategy asked for it"))

    def run_created(self, run_id: str | None = None) -> Envelope:
        return self.wrap(RunCreated(config=CONFIG), run_id=run_id)


def _execution(id: str, qty: str, price: str, filled: str) -> dict[str, Any]:
    return {
        "fill_id": f"{id}-{filled}",
        "qty": Decimal(qty),
        "price": Decimal(price),
        "fee": Decimal("0.1"),
        "filled_qty": Decimal(filled),
    }


def order(id: str, *, side: OrderSide = OrderSide.BUY, qty: str = "2", symbol: str = "BTC/USD", run_id: str = "run1") -> Order:
    return Order(
        id=id,
        run_id=run_id,
        request=OrderRequest(symbol=symbol, side=side, qty=Decimal(qty)),
        time_in_force=TimeInForce.GTC,
        status=OrderStatus.CREATED,
        created_ns=1,
        updated_ns=1,
    )


def run(id: str = "run1", status: RunStatus = RunStatus.PENDING) -> Run:
    return Run(id=id, config=CONFIG, status=status, created_ns=1)
