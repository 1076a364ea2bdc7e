"""A paper order between its row and the working order that meets the market."""

from decimal import Decimal
from typing import Final

import msgspec

from core.matching.orders import WorkingOrder
from core.model.broker import BrokerOrder, BrokerOrderRequest, OrderClass
from core.model.market import AssetClass, asset_class_of
from core.model.money import ZERO
from core.model.order import LegRole, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.paper import PaperOrder

CENT: Final = Decimal("0.01")
UNIT: Final = Decimal("0.000000001")
"""The smallest part of a unit that is traded."""
_LEG_TIMES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})


def new_order(request: BrokerOrderRequest, id: str, now_ns: int) -> BrokerOrder:
    """Return an order as it is taken. Of an oco it is the target; its stop is a leg."""
    is_oco = request.order_class is OrderClass.OCO
    return BrokerOrder(
        id=id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        broker_type=request.type.value,
        time_in_force=request.time_in_force,
        broker_time_in_force=request.time_in_force.value,
        status=OrderStatus.ACCEPTED,
        broker_status="new",
        filled_qty=ZERO,
        submitted_ns=now_ns,
        updated_ns=now_ns,
        qty=request.qty,
        notional=request.notional,
        limit_price=request.target_price if is_oco else request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        expires_ns=request.expires_ns,
        order_class=request.order_class.value,
    )


def leg_terms(request: BrokerOrderRequest) -> dict[LegRole, dict[str, Decimal | OrderType]]:
    """Return type and prices of each leg that an order brings with it, the stop first: of two at once it acts first."""
    legs: dict[LegRole, dict[str, Decimal | OrderType]] = {}
    if request.stop_loss_price is not None:
        if request.stop_loss_limit is None:
            legs[LegRole.STOP] = {"type": OrderType.STOP, "stop_price": request.stop_loss_price}
        else:
            prices = {"stop_price": request.stop_loss_price, "limit_price": request.stop_loss_limit}
            legs[LegRole.STOP] = {"type": OrderType.STOP_LIMIT, **prices}
    if request.target_price is not None and request.order_class is not OrderClass.OCO:
        legs[LegRole.TARGET] = {"type": OrderType.LIMIT, "limit_price": request.target_price}
    return legs


def new_leg(parent: BrokerOrder, terms: dict[str, Decimal | OrderType], id: str, *, is_oco: bool) -> BrokerOrder:
    """Return a leg: the other side of its entry, held until that fills; of an oco the same side, and at work."""
    sides = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}
    kind = terms["type"]
    in_force = parent.time_in_force
    if in_force not in _LEG_TIMES:
        in_force = TimeInForce.GTC if asset_class_of(parent.symbol) is AssetClass.CRYPTO else TimeInForce.DAY
    return msgspec.structs.replace(
        parent,
        id=id,
        client_order_id=id,
        side=parent.side if is_oco or parent.side is None else sides[parent.side],
        broker_type=str(kind),
        time_in_force=in_force,
        broker_time_in_force=in_force.value,
        broker_status="new" if is_oco else "held",
        **{"limit_price": None, "stop_price": None, "trail_price": None, "trail_percent": None, "extended_hours": False, **terms},
    )


def working(one: PaperOrder) -> WorkingOrder:
    """Return the order as the matching sees it, as far as it does not hang on others."""
    order = one.order
    is_exit = one.role is not None or order.liquidates
    request = OrderRequest(
        symbol=order.symbol,
        side=order.side or OrderSide.BUY,
        qty=one.qty or order.qty or order.notional or UNIT,
        type=order.type or OrderType.MARKET,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        time_in_force=order.time_in_force,
        expires_ns=order.expires_ns,
        extended_hours=order.extended_hours,
        reduce_only=is_exit,
    )
    made = WorkingOrder(order.id, order.id, request, one.live_from_ns, one.dead_from_ns, order.time_in_force or TimeInForce.GTC)
    made.place = one.number
    made.role = one.role
    made.goes_when_flat = is_exit
    made.is_live = one.is_live
    made.qty = one.qty
    made.filled = order.filled_qty
    made.charged_qty = order.filled_qty if one.charged_qty is None else one.charged_qty
    made.filled_money, made.fees = one.money, one.fees
    made.triggered, made.rested, made.mark = one.triggered, one.rested, one.mark
    made.tick = CENT if asset_class_of(order.symbol) is AssetClass.EQUITY else None
    if order.filled_qty:
        made.is_plain = False  # what is plain fills whole
    return made


def relate(made: dict[str, WorkingOrder], rows: dict[str, PaperOrder]) -> None:
    """Let working orders know which others they hang on; one that is over already is nobody's concern."""
    for id_, order in made.items():
        row = rows[id_]
        parent, sibling = made.get(row.parent_id or ""), made.get(row.sibling_id or "")
        if parent is not None and parent is not sibling:
            order.parent = parent
            parent.legs = tuple(sorted((*parent.legs, order), key=lambda leg: leg.place))
            parent.is_plain = False
        if sibling is not None:
            order.sibling = sibling
            order.is_plain = False


def as_it_is(row: PaperOrder, order: WorkingOrder) -> PaperOrder:
    """Return the row with what meeting the market has changed."""
    return msgspec.structs.replace(
        row,
        qty=order.qty,
        live_from_ns=order.live_from_ns,
        dead_from_ns=order.dead_from_ns,
        money=order.filled_money,
        fees=order.fees,
        is_live=order.is_live,
        triggered=order.triggered,
        rested=order.rested,
        mark=order.mark,
        charged_qty=None if order.charged_qty == order.filled else order.charged_qty,
    )
