"""Our orders in the units of after a split: as the broker has them since, or by the rules where nobody else minds them. Pure.

Source: docs/simulation.md, "Account".
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Final

import msgspec

from core.matching.splits import away_from_market
from core.model.broker import BrokerOrder
from core.model.corporate_action import price_after, units_after
from core.model.market import AssetClass, asset_class_of
from core.model.money import MONEY_CONTEXT, ZERO, ceil_to, floor_to
from core.model.order import OrderLeg, OrderRequest, OrderSide
from core.trading.changes import number_of, own_id
from core.trading.order_fold import OrderLife
from core.trading.parts import Change

UNIT: Final = Decimal("0.000000001")
"""The smallest part of a unit that is held."""
_CENT: Final = Decimal("0.01")


def by_own_id(orders: Sequence[BrokerOrder]) -> dict[str, BrokerOrder]:
    """Return the broker's orders by our ids; of those that a change made of one order, the one that works, or that worked last."""
    in_turn = sorted(orders, key=lambda order: (not order.status.is_final, number_of(order.client_order_id)))
    return {own_id(order.client_order_id): order for order in in_turn}


def went_through(life: OrderLife, ratio: Decimal, at_ns: int, theirs: BrokerOrder, unheard: Decimal) -> bool:
    """Tell whether the broker moved an order into the units of after; `unheard`: what was filled since and is not in our books.

    One that is over by now may have ended before the split, or by it, in the units of before.
    """
    if not theirs.status.is_final:
        return True
    if theirs.updated_ns < at_ns:
        return False
    with localcontext(MONEY_CONTEXT):
        return theirs.filled_qty == filled_after(life, ratio, at_ns) + unheard


def filled_after(life: OrderLife, ratio: Decimal, at_ns: int) -> Decimal:
    """Return what is filled of an order in the units of after a split at that instant. Within `MONEY_CONTEXT`."""
    later = sum((fill.qty for fill in life.fills if fill.time_ns >= at_ns), ZERO)
    return units_after(life.order.filled_qty - later, ratio) + later


def split_life(life: OrderLife, ratio: Decimal, at_ns: int, theirs: BrokerOrder | None) -> OrderLife:
    """Return an order in the units of after a split at that instant; `theirs`: as the broker has it since, None: by the rules."""
    before = life.order
    filled = filled_after(life, ratio, at_ns)
    request = split_request(before.request, ratio, filled=filled, rest=before.request.qty - before.filled_qty)
    with localcontext(MONEY_CONTEXT):
        parts = {
            number: part if number == life.at else msgspec.structs.replace(part, filled_qty=units_after(part.filled_qty, ratio))
            for number, part in life.parts.items()
        }
    if theirs is not None and theirs.qty is not None:
        earlier = sum((part.filled_qty for number, part in parts.items() if number != life.at), ZERO)
        request = msgspec.structs.replace(
            request,
            qty=theirs.qty + earlier,
            limit_price=theirs.limit_price,
            stop_price=theirs.stop_price,
            trail_price=theirs.trail_price,
        )
        if life.at in parts:
            own = msgspec.structs.replace(
                parts[life.at],
                qty=theirs.qty,
                filled_qty=theirs.filled_qty,
                limit_price=theirs.limit_price,
                stop_price=theirs.stop_price,
                trail_price=theirs.trail_price,
            )
            parts = {**parts, life.at: own}
    average = life.money / filled if filled else None
    order = msgspec.structs.replace(before, request=request, filled_qty=filled, avg_fill_price=average)
    changes = tuple(split_change(change, ratio, before.request.qty, request.qty) for change in life.changes)
    splits = (*life.splits, (at_ns, ratio))
    return msgspec.structs.replace(life, order=order, broker_qty=filled, parts=parts, changes=changes, splits=splits)


def split_change(change: Change, ratio: Decimal, before: Decimal, after: Decimal) -> Change:
    """Return what a change asked for in the units of after a split; `before`, `after`: what the order was over, and is."""
    with localcontext(MONEY_CONTEXT):
        return msgspec.structs.replace(change, qty=after if change.qty == before else floor_to(units_after(change.qty, ratio), UNIT))


def split_request(request: OrderRequest, ratio: Decimal, *, filled: Decimal = ZERO, rest: Decimal | None = None) -> OrderRequest:
    """Return terms in the units of after a split, prices to the tick away from the market, with those of exits that wait."""
    tick = _CENT if asset_class_of(request.symbol) is AssetClass.EQUITY else None
    is_buy = request.side is OrderSide.BUY
    with localcontext(MONEY_CONTEXT):
        return msgspec.structs.replace(
            request,
            qty=filled + (floor_to(units_after(request.qty if rest is None else rest, ratio), UNIT) or UNIT),
            limit_price=away_from_market(request.limit_price, ratio, tick, down=is_buy) or request.limit_price,
            stop_price=away_from_market(request.stop_price, ratio, tick, down=not is_buy) or request.stop_price,
            trail_price=None if request.trail_price is None else ceil_to(price_after(request.trail_price, ratio), tick),
            target=_split_leg(request.target, ratio, tick, is_buy=not is_buy),
            stop_loss=_split_leg(request.stop_loss, ratio, tick, is_buy=not is_buy),
        )


def _split_leg(leg: OrderLeg | None, ratio: Decimal, tick: Decimal | None, *, is_buy: bool) -> OrderLeg | None:
    if leg is None:
        return None
    return msgspec.structs.replace(
        leg,
        limit_price=away_from_market(leg.limit_price, ratio, tick, down=is_buy) or leg.limit_price,
        stop_price=away_from_market(leg.stop_price, ratio, tick, down=not is_buy) or leg.stop_price,
        trail_price=None if leg.trail_price is None else ceil_to(price_after(leg.trail_price, ratio), tick),
    )


def whole(qty: Decimal, ratio: Decimal) -> Decimal:
    """Return signed units after a split, without the fraction that is paid. Within `MONEY_CONTEXT`."""
    after = units_after(qty, ratio)
    return floor_to(after, UNIT) if after > 0 else -floor_to(-after, UNIT)
