"""An order on its way to a venue."""

import msgspec

from core.model.order import OrderRequest, TimeInForce


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """An order as it reaches the venue: its id, the strategy's name for it, and how long it lives."""

    order_id: str
    ref: str
    request: OrderRequest
    time_in_force: TimeInForce
