"""What a split does to a working order: its quantity times the ratio, its prices divided by it, away from the market.

The thread must have entered `MONEY_CONTEXT`. Source: docs/simulation.md, "Account".
"""

from decimal import Decimal

import msgspec

from core.matching.orders import WorkingOrder
from core.model.corporate_action import price_after, units_after
from core.model.money import ceil_to, floor_to
from core.model.order import OrderRequest


class Dissolved(Exception):
    """A split leaves nothing of the order that could work on; it says why."""


def split_order(order: WorkingOrder, ratio: Decimal, tick: Decimal | None, lot: Decimal | None) -> OrderRequest:
    """Move an order into the units of after a split and return its terms there. Raises Dissolved, and then nothing has changed.

    What is still to be filled must be whole lots; what was filled is what it was. A leg's exits are orders of their own by then.
    """
    old, filled = order.request, units_after(order.filled, ratio)
    rest = floor_to(units_after(order.open_qty if order.is_live else old.qty, ratio), lot)
    limit_price = away_from_market(old.limit_price, ratio, tick, down=order.is_buy)
    stop_price = away_from_market(old.stop_price, ratio, tick, down=not order.is_buy)
    if not rest:
        raise Dissolved("A split left less than one lot of it.")
    if limit_price == 0 or stop_price == 0:
        raise Dissolved("A split left its price below one tick.")
    request = msgspec.structs.replace(
        old,
        qty=filled + rest,
        limit_price=limit_price,
        stop_price=stop_price,
        trail_price=None if old.trail_price is None else ceil_to(price_after(old.trail_price, ratio), tick),
        target=None,
        stop_loss=None,
    )
    order.filled = filled
    if order.is_live:
        order.qty = filled + rest
    order.request = request
    order.price(request)
    if order.mark is not None:
        order.mark = price_after(order.mark, ratio)
    return request


def away_from_market(price: Decimal | None, ratio: Decimal, tick: Decimal | None, *, down: bool) -> Decimal | None:
    """Return a price after a split, on the tick away from the market."""
    if price is None:
        return None
    return floor_to(price_after(price, ratio), tick) if down else ceil_to(price_after(price, ratio), tick)
