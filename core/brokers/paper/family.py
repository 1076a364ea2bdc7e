"""Paper orders that hang together: an order with the legs it brings, and one that takes another's place."""

from collections.abc import Callable
from typing import Final

import msgspec

from core.brokers.paper.checks import check_prices, refused
from core.brokers.paper.orders import leg_terms, new_leg
from core.matching.orders import WorkingOrder
from core.model.broker import BrokerOrder, BrokerOrderRequest, OrderChange, OrderClass, RefusalReason
from core.model.money import ZERO
from core.model.order import LegRole, OrderStatus, OrderType, TimeInForce
from core.model.paper import PaperOrder

Life = tuple[int, int | None]
_EXCHANGED: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def new_family(request: BrokerOrderRequest, order: BrokerOrder, number: int, life: Life, leg_id: Callable[[int], str]) -> list[PaperOrder]:
    """Return the rows of an order and its legs. `leg_id`: the id of the first leg, the second."""
    is_oco = request.order_class is OrderClass.OCO
    live_ns, dead_ns = life
    row = PaperOrder(
        order=order,
        number=number,
        qty=request.qty or ZERO,
        live_from_ns=live_ns,
        dead_from_ns=dead_ns,
        role=LegRole.TARGET if is_oco else None,
    )
    legs = leg_terms(request)
    ids = {role: leg_id(1 + at) for at, role in enumerate(legs)}
    if is_oco:
        row = msgspec.structs.replace(row, sibling_id=ids[LegRole.STOP])
    family = [row]
    for at, (role, terms) in enumerate(legs.items()):
        others = [id_ for other, id_ in ids.items() if other is not role]
        family.append(
            PaperOrder(
                order=new_leg(order, terms, ids[role], is_oco=is_oco),
                number=number + 1 + at,
                qty=row.qty if is_oco else ZERO,
                live_from_ns=live_ns if is_oco else 0,
                dead_from_ns=dead_ns if is_oco else None,
                is_live=is_oco,
                role=role,
                parent_id=order.id,
                sibling_id=order.id if is_oco else next(iter(others), None),
            )
        )
    return family


def replacement(row: PaperOrder, old: WorkingOrder, change: OrderChange, id: str, number: int, now_ns: int) -> PaperOrder:
    """Return the row of the order that an old one becomes. A quantity that is not named is what is left. Raises BrokerRefused."""
    order = row.order
    if order.notional is not None:
        raise refused(RefusalReason.INVALID_ORDER, "an order over an amount of money cannot be replaced")
    if change.qty is not None and not old.is_live:
        raise refused(RefusalReason.INVALID_ORDER, "a leg that is held is over what its entry fills")
    if change.time_in_force is not None and (change.time_in_force not in _EXCHANGED or order.time_in_force not in _EXCHANGED):
        raise refused(RefusalReason.TIME_IN_FORCE, f"invalid time_in_force {change.time_in_force} for a replacement")
    kind = order.type or OrderType.MARKET
    wanted = {"limit_price": kind.has_limit, "stop_price": kind.has_stop, "trail": kind is OrderType.TRAILING_STOP}
    for field, fits in wanted.items():
        if getattr(change, field) is not None and not fits:
            raise refused(RefusalReason.INVALID_ORDER, f"a {kind} order has no {field}")
    terms = {name: price for name in ("limit_price", "stop_price") if (price := getattr(change, name)) is not None}
    if change.trail is not None:
        terms["trail_price" if order.trail_price is not None else "trail_percent"] = change.trail
    check_prices(order.symbol, terms)
    qty = change.qty if change.qty is not None else old.open_qty
    in_force = change.time_in_force or order.time_in_force
    new = msgspec.structs.replace(
        order,
        id=id,
        client_order_id=change.client_order_id,
        status=OrderStatus.ACCEPTED,
        broker_status="new" if old.is_live else "held",
        filled_qty=ZERO,
        avg_fill_price=None,
        submitted_ns=now_ns,
        updated_ns=now_ns,
        qty=qty if old.is_live else order.qty,
        time_in_force=in_force,
        broker_time_in_force=str(in_force),
        replaces=order.id,
        **terms,
    )
    return msgspec.structs.replace(
        row,
        order=new,
        number=number,
        qty=qty if old.is_live else ZERO,
        live_from_ns=now_ns if old.is_live else row.live_from_ns,
        dead_from_ns=old.dead_from_ns,
        money=ZERO,
        fees=ZERO,
        triggered=old.triggered,
        rested=False,
        mark=old.mark,
    )


def take_place(old: WorkingOrder, new: WorkingOrder) -> None:
    """Let `new` hang where `old` hung."""
    new.parent, new.sibling, new.legs = old.parent, old.sibling, old.legs
    new.is_plain = new.is_plain and new.sibling is None and not new.legs
    if new.sibling is not None:
        new.sibling.sibling = new
    for leg in new.legs:
        leg.parent = new
    if new.parent is not None:
        new.parent.legs = tuple(new if leg is old else leg for leg in new.parent.legs)
