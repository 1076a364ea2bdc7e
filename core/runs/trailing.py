"""Where trailing stops stand: the broker moves them, and tells of it only when it is asked."""

from decimal import Decimal

from core.model.order import OrderType
from core.ports import BrokerOrderReader
from core.trading.state import AccountState


async def trailing_triggers(state: AccountState, orders: BrokerOrderReader) -> dict[str, Decimal]:
    """Return by the id of the order at which price each of ours would trigger now. Asks only where one works. Raises BrokerError."""
    if not any(life.order.request.type is OrderType.TRAILING_STOP for life in state.working()):
        return {}
    found = {}
    for lead in await orders.open_orders():
        for one in (lead, *lead.legs):
            life = state.find(one.client_order_id, one.id)
            if life is not None and one.trigger_price is not None:
                found[life.order.id] = one.trigger_price
    return found
