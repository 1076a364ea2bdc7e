"""What meeting a bar did to orders; the venue tells it on."""

from decimal import Decimal

import msgspec

from core.matching.orders import WorkingOrder
from core.model.order import RejectCode


class Execution(msgspec.Struct, gc=False):
    """A fill of `qty` units: `price` with slippage, `fee` and `slippage` as money. `complete`: the order is done."""

    order: WorkingOrder
    qty: Decimal
    price: Decimal
    fee: Decimal
    slippage: Decimal
    complete: bool
    path_dependent: bool = False


class Refused(msgspec.Struct, gc=False):
    """An order, or its rest, that the account could not bear when it would have filled."""

    order: WorkingOrder
    code: RejectCode
    reason: str


class Cancelled(msgspec.Struct, gc=False):
    """An order, or its rest, that went because of what the bar brought."""

    order: WorkingOrder
    reason: str


class Activated(msgspec.Struct, gc=False):
    """An exit leg that is live from here on, over `qty` units."""

    order: WorkingOrder
    qty: Decimal


class Resized(msgspec.Struct, gc=False):
    """A leg whose total is now `qty`: its parent filled a part, or its sibling did."""

    order: WorkingOrder
    qty: Decimal
    reason: str


Outcome = Execution | Refused | Cancelled | Activated | Resized
