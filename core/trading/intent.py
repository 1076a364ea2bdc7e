"""An order that is wanted of an account's desk."""

import msgspec

from core.model.order import Order


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is wanted, with the event that asked for it.

    `exits` leave with it where the broker takes them as one order, and are rows from then on; elsewhere nothing becomes of them here.
    """

    order: Order
    caused_by: str | None = None
    trace_id: str | None = None
    exits: tuple["Intent", ...] = ()
