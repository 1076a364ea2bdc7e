"""Sends orders, each once."""

from decimal import Decimal

from core.brokers.api import AnswerUnreadable, MayLeave, OutcomeUnknown
from core.model.broker import BrokerOrder, BrokerOrderRequest, OrderChange, OrderClass, RefusalReason
from core.model.order import OrderSide

from .wire import Wire
from .words import LIVES, SIDES, TYPES, Document, order_of, own_refusal, points, units

OUR_TYPES = {ours: theirs for theirs, ours in TYPES.items()}
OUR_LIVES = {ours: theirs for theirs, ours in LIVES.items()}
OUR_SIDES = {ours: theirs for theirs, ours in SIDES.items()}


class HarbourDesk:
    """Orders as they leave."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        if request.order_class is not OrderClass.SIMPLE or request.notional is not None or request.extended_hours:
            raise own_refusal(RefusalReason.INVALID_ORDER, "orders stand alone, are over shares, and trade in the session")
        if request.type not in OUR_TYPES:
            raise own_refusal(RefusalReason.INVALID_ORDER, f"there are no {request.type} orders")
        if request.time_in_force not in OUR_LIVES:
            raise own_refusal(RefusalReason.TIME_IN_FORCE, f"no order lives {request.time_in_force}")
        body = {
            "ref": request.client_order_id,
            "sym": request.symbol,
            "way": OUR_SIDES[request.side],
            "kind": OUR_TYPES[request.type],
            "life": OUR_LIVES[request.time_in_force],
            "size": units(request.qty),
            "limit": points(request.limit_price),
            "stop": points(request.stop_price),
        }
        return await self._sent("/orders", body, request.client_order_id, may_leave)

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        if change.trail is not None or change.time_in_force is not None:
            raise own_refusal(RefusalReason.INVALID_ORDER, "only size and prices can be changed")
        body = {
            "ticket": order_id,
            "ref": change.client_order_id,
            "size": units(change.qty),
            "limit": points(change.limit_price),
            "stop": points(change.stop_price),
        }
        return await self._sent("/amend", body, change.client_order_id, may_leave)

    async def cancel(self, order_id: str) -> None:
        await self._wire.send("/pull", {"ticket": order_id})

    async def cancel_all(self) -> list[str]:
        answer = await self._wire.send("/pull-all", {})
        return [str(ticket) for ticket in answer["kept"]]

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        rows = await self._wire.get("/positions")
        held = next((row["size"] for row in rows if row["sym"] == symbol), 0)
        if not held:
            raise own_refusal(RefusalReason.POSITION_UNKNOWN, f"no {symbol} is held")
        size = Decimal(held) if qty is None else qty
        return await self.submit(BrokerOrderRequest(client_order_id=client_order_id, symbol=symbol, side=OrderSide.SELL, qty=size))

    async def _sent(self, path: str, body: Document, ref: str, may_leave: MayLeave | None) -> BrokerOrder:
        answer = await self._wire.send(path, body, ref, may_leave)
        try:
            return order_of(answer)
        except AnswerUnreadable as error:
            raise OutcomeUnknown("Harbour took an order and describes it in no way we know.", client_order_id=ref) from error
