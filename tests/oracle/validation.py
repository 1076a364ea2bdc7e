"""What no venue would take."""

from decimal import Decimal

from tests.oracle.market import Instrument
from tests.oracle.orders import Order
from tests.oracle.rounding import on_step


def fault(order: Order, instrument: Instrument, decided_ns: int, *, leg: bool = False) -> str | None:
    """One sentence on what is wrong with an order, or None."""
    if not leg and (order.qty <= 0 or not on_step(order.qty, instrument.lot)):
        return "quantity"
    return (
        _prices(order, instrument)
        or _time(order, instrument, decided_ns)
        or _children(order, instrument, decided_ns)
        or ("extended hours are for limit orders" if order.extended_hours and order.type != "limit" else None)
    )


def _prices(order: Order, instrument: Instrument) -> str | None:
    wanted = {
        "market": set[str](),
        "limit": {"limit"},
        "stop": {"stop"},
        "stop_limit": {"limit", "stop"},
        "trailing_stop": set[str](),
    }[order.type]
    if {name for name in ("limit", "stop") if getattr(order, name) is not None} != wanted:
        return "the prices of its type, and no others"
    if (order.type == "trailing_stop") != ((order.trail_price is None) != (order.trail_percent is None)):
        return "one distance for a trailing stop, none for others"
    if order.trail_percent is not None and not 0 < order.trail_percent < 100:
        return "a percentage"
    for price in (order.limit, order.stop, order.trail_price):
        if price is not None and (price <= 0 or not on_step(price, instrument.tick)):
            return "price"
    return None


def _time(order: Order, instrument: Instrument, decided_ns: int) -> str | None:
    if order.time_in_force in ("opg", "cls") and (instrument.crypto or order.type not in ("market", "limit")):
        return "auction"
    if (order.time_in_force == "gtd") != (order.gtd_ns is not None):
        return "gtd and its time go together"
    if order.gtd_ns is not None and order.gtd_ns <= decided_ns:
        return "gtd in the past"
    return None


def _children(order: Order, instrument: Instrument, decided_ns: int) -> str | None:
    if len(order.children) > 2:
        return "too many legs"
    for child in order.children:
        if child.children or child.symbol != order.symbol:
            return "a leg is a plain order of its parent's symbol"
        found = fault(child, instrument, decided_ns, leg=True)
        if found is not None:
            return found
    if len(order.children) == 2:
        return _bracket(order)
    return None


def _bracket(order: Order) -> str | None:
    stops = [child for child in order.children if child.type in ("stop", "stop_limit", "trailing_stop")]
    targets = [child for child in order.children if child.type == "limit"]
    if len(stops) != 1 or len(targets) != 1 or any(child.side == order.side for child in order.children):
        return "a bracket is a target and a stop on the other side"
    target, stop = targets[0].limit, stops[0].stop
    if stop is None:
        return None
    assert target is not None
    away = target - stop if order.side == "buy" else stop - target
    return None if away > Decimal(0) else "the legs are the wrong way round"
