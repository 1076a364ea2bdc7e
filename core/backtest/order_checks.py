"""What the simulated venue does not take: orders and changes of orders that cannot be. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.matching.orders import WorkingOrder
from core.model.instants import iso
from core.model.market import Instrument
from core.model.money import is_multiple, plain
from core.model.order import LegRole, OrderRequest, TimeInForce

_PRICES: Final = ("limit_price", "stop_price", "trail_price")
_TRAILS: Final = ("trail_price", "trail_percent")
_WHOSE: Final[Mapping[LegRole | None, str]] = {LegRole.TARGET: "The target's", LegRole.STOP: "The stop loss's"}
"""How a sentence about a leg begins: it is refused with its entry, which has prices of its own."""
REPLACEABLE: Final = ("qty", *_PRICES, "trail_percent")
"""What of an order may change while it works."""


def what_is_wrong(request: OrderRequest, time_in_force: TimeInForce, instrument: Instrument, now_ns: int) -> str | None:
    """Return the sentence that says why the venue does not take an order decided now, or None."""
    if time_in_force in {TimeInForce.OPG, TimeInForce.CLS} and not instrument.asset_class.has_sessions:
        return f"{request.symbol} has no auctions: it trades around the clock."
    parts = ((None, request), (LegRole.TARGET, request.target), (LegRole.STOP, request.stop_loss))
    for role, terms in parts:
        if terms is not None and terms.expires_ns is not None and terms.expires_ns <= now_ns:
            return f"{_WHOSE.get(role, 'Its')} end {iso(terms.expires_ns)} is not after now, {iso(now_ns)}."
    wrong = _off_lot(request.qty, instrument)
    for role, terms in parts:
        if wrong is None and terms is not None:
            wrong = _off_tick({name: getattr(terms, name) for name in _PRICES}, instrument, role)
    return wrong


def replaced_request(order: WorkingOrder, changes: dict[str, Decimal], instrument: Instrument) -> OrderRequest:
    """Return the order's request with the changes. Raises InvalidValue where it cannot be that."""
    qty = changes.get("qty")
    if qty is not None and not order.is_live:
        raise InvalidValue("qty", plain(qty), "an exit leg is over what its entry fills, and that has not filled yet.")
    wrong = _off_lot(qty, instrument) if qty is not None else None
    wrong = wrong or _off_tick({name: price for name, price in changes.items() if name in _PRICES}, instrument, order.role)
    if wrong is not None:
        raise InvalidValue("replace", order.ref, wrong)
    # A trail by price may become one by percent, and the other way round.
    trail = {name: changes.get(name) for name in _TRAILS} if any(name in changes for name in _TRAILS) else {}
    old = order.request
    if old.target is not None or old.stop_loss is not None:
        # The legs of an entry are orders of their own by now, and were compared with it when all were placed.
        old = msgspec.structs.replace(old, target=None, stop_loss=None)
    return msgspec.structs.replace(old, **(changes | trail))


def _off_lot(qty: Decimal, instrument: Instrument) -> str | None:
    return None if is_multiple(qty, instrument.lot) else f"The quantity {plain(qty)} is not a multiple of the lot, {instrument.lot}."


def _off_tick(prices: Mapping[str, Decimal | None], instrument: Instrument, role: LegRole | None) -> str | None:
    for name, price in prices.items():
        if price is not None and not is_multiple(price, instrument.tick):
            field = f"{_WHOSE.get(role, 'The')} {name.removesuffix('_price')} price"
            return f"{field} {plain(price)} is not a multiple of the tick, {instrument.tick}."
    return None
