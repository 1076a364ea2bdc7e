"""What the paper account does not take: orders that could never be, told in a broker's words with its codes."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from core.brokers.paper.hours import Hours
from core.brokers.paper.orders import UNIT
from core.errors import BrokerRefused, InvalidValue
from core.matching.ledger import Ledger, Refusal
from core.model.broker import BrokerOrderRequest, OrderClass, RefusalReason
from core.model.market import AssetClass, asset_class_of
from core.model.money import is_multiple, plain
from core.model.order import OrderLeg, OrderRequest, OrderType, RejectCode, TimeInForce

_MALFORMED, _NOT_ALLOWED = 42210000, 40310000
_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")
"""Equities are quoted so finely from a dollar on, and below."""
_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_LASTING: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})
_REASONS: Final = {
    RejectCode.INSUFFICIENT_CASH: RefusalReason.BUYING_POWER,
    RejectCode.INSUFFICIENT_MARGIN: RefusalReason.BUYING_POWER,
    RejectCode.INSUFFICIENT_POSITION: RefusalReason.QUANTITY_HELD,
}
_PRICES: Final = ("limit_price", "stop_price", "trail_price", "target_price", "stop_loss_price", "stop_loss_limit")


def refused(reason: RefusalReason, words: str, *, status: int = 422, code: int = _MALFORMED) -> BrokerRefused:
    """Return a refusal."""
    return BrokerRefused(f"The broker refused: {words}.", reason=reason, status=status, broker_code=code, words=words)


def unbearable(refusal: Refusal) -> BrokerRefused:
    """Return the refusal of an order that would fill now and that the account cannot bear."""
    reason = _REASONS.get(refusal.code, RefusalReason.INVALID_ORDER)
    what = "insufficient buying power" if reason is RefusalReason.BUYING_POWER else "insufficient qty available for order"
    return refused(reason, f"{what}: {refusal.reason.rstrip('.')}", status=403, code=_NOT_ALLOWED)


def check_order(request: BrokerOrderRequest, hours: Hours, now_ns: int, taken_ids: Collection[str]) -> None:
    """Raise BrokerRefused for an order that is not taken, whatever the market and the account are."""
    if request.client_order_id in taken_ids:
        raise refused(RefusalReason.CLIENT_ORDER_ID_TAKEN, "client_order_id must be unique", code=40010001)
    asset_class = asset_class_of(request.symbol)
    if asset_class is AssetClass.CURRENCY:
        raise refused(RefusalReason.ASSET_UNKNOWN, f'asset "{request.symbol}" not found')
    _check_time(request, hours, now_ns)
    _check_amount(request)
    check_prices(request.symbol, {name: price for name in _PRICES if (price := getattr(request, name)) is not None})
    _check_legs(request)


def check_restriction(request: BrokerOrderRequest, ledger: Ledger) -> None:
    """Raise BrokerRefused for an order that would open something while a margin call is carried out."""
    if not ledger.restricted or (request.qty and ledger.closing_part(request.symbol, request.side, request.qty) == request.qty):
        return
    words = "insufficient buying power: after a margin call nothing may raise exposure until all positions are closed"
    raise refused(RefusalReason.BUYING_POWER, words, status=403, code=_NOT_ALLOWED)


def check_prices(symbol: str, prices: Mapping[str, Decimal]) -> None:
    """Raise BrokerRefused for a price that an exchange does not quote."""
    for field, price in prices.items():
        if asset_class_of(symbol) is AssetClass.EQUITY and not is_multiple(price, _CENT if price >= 1 else _FINE):
            words = f"invalid {field} {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
            raise refused(RefusalReason.PRICE_INCREMENT, words)


def _check_time(request: BrokerOrderRequest, hours: Hours, now_ns: int) -> None:
    in_force = request.time_in_force
    if in_force in _AUCTIONS:
        if hours.next_session(request.symbol, now_ns) is None:
            raise refused(RefusalReason.TIME_IN_FORCE, f"invalid time_in_force {in_force}: {request.symbol} has no auctions")
        if request.type not in {OrderType.MARKET, OrderType.LIMIT}:
            raise refused(RefusalReason.TIME_IN_FORCE, f"an auction takes market and limit orders, not {request.type}")
    if request.expires_ns is not None and request.expires_ns <= now_ns:
        raise refused(RefusalReason.TIME_IN_FORCE, "the end of a gtd order must lie in the future")
    if request.extended_hours and not (
        request.type is OrderType.LIMIT and in_force in _LASTING and request.order_class is OrderClass.SIMPLE
    ):
        raise refused(RefusalReason.EXTENDED_HOURS, "extended hours order must be single limit orders that are day, gtc or gtd")


def _check_amount(request: BrokerOrderRequest) -> None:
    if request.notional is not None:
        is_plain = request.type is OrderType.MARKET and request.order_class is OrderClass.SIMPLE
        if not is_plain or request.time_in_force in _AUCTIONS:
            raise refused(RefusalReason.FRACTION, "an amount of money buys at market, in a single order outside auctions")
        if not is_multiple(request.notional, _CENT):
            raise refused(RefusalReason.FRACTION, f"invalid notional {plain(request.notional)}: it has whole cents")
    if request.qty is not None and not is_multiple(request.qty, UNIT):
        raise refused(RefusalReason.FRACTION, f"invalid qty {plain(request.qty)}: it has at most nine decimals")


def _check_legs(request: BrokerOrderRequest) -> None:
    if request.order_class is OrderClass.SIMPLE:
        return
    if request.time_in_force not in _LASTING:
        raise refused(RefusalReason.TIME_IN_FORCE, f"invalid time_in_force {request.time_in_force} for {request.order_class} orders")
    is_oco = request.order_class is OrderClass.OCO
    try:
        if is_oco:
            _check_pair(request)
        else:
            _as_entry(request)
    except InvalidValue as error:
        raise refused(RefusalReason.INVALID_ORDER, error.what.rstrip(".")) from error


def _check_pair(request: BrokerOrderRequest) -> None:
    """The target of a pair that sells lies above its stop; of one that buys below."""
    target, stop = request.target_price or Decimal(0), request.stop_loss_price or Decimal(0)
    if (target - stop) * request.side.sign >= 0:
        raise InvalidValue("target_price", plain(target), f"it lies on the wrong side of the stop, {plain(stop)}.")


def _as_entry(request: BrokerOrderRequest) -> OrderRequest:
    """Make the order of a strategy's that it is, which checks itself."""
    target = None if request.target_price is None else OrderLeg(type=OrderType.LIMIT, limit_price=request.target_price)
    stop = None
    if request.stop_loss_price is not None:
        kind = OrderType.STOP if request.stop_loss_limit is None else OrderType.STOP_LIMIT
        stop = OrderLeg(type=kind, stop_price=request.stop_loss_price, limit_price=request.stop_loss_limit)
    return OrderRequest(
        symbol=request.symbol,
        side=request.side,
        qty=request.qty or Decimal(1),
        type=request.type,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        target=target,
        stop_loss=stop,
    )
