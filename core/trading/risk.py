"""The risk gate: may this order leave? Pure: limits, a situation and an order in, refusals out.

Each rule has its own switch: a limit of None is off. The same rules are asked twice, for the account and for the run. An order
that only takes off a position passes the rules that are there to keep losses and exposure small: closing must stay possible.
Source: docs/risk.md.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.money import ZERO, plain
from core.model.order import OrderRequest, RejectCode
from core.model.risk import RiskLimits, SwitchLevel

_PERCENT: Final = Decimal(100)


class Sent(msgspec.Struct, frozen=True, gc=False):
    """An order that left, and when."""

    request: OrderRequest
    time_ns: int


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is judged in. `positions` signed units; `prices` the last known; money in account currency."""

    now_ns: int
    equity: Decimal
    day_start_equity: Decimal
    peak_equity: Decimal
    positions: Mapping[str, Decimal] = {}
    prices: Mapping[str, Decimal] = {}
    working: tuple[OrderRequest, ...] = ()
    """Orders that can still fill, each over what it has left."""
    sent: Collection[Sent] = ()
    """What left in the last minute, or in the duplicates' window when that is longer."""
    level: SwitchLevel = SwitchLevel.OFF
    is_open: bool = True
    """Whether the symbol's market is in its regular session."""
    silent_s: float = 0.0
    """Seconds since the broker was heard of; 0 while it is."""
    price_times: Mapping[str, int] = {}
    """When each price was made, UTC ns."""
    is_armed: bool = True
    """Whether orders may go where real money is; a paper account always is."""

    def after(self, filled: OrderRequest) -> "Situation":
        """Return it as it is once an order has filled, with what its exits are judged in."""
        held = self.positions.get(filled.symbol, ZERO) + filled.qty * filled.side.sign
        return msgspec.structs.replace(self, positions={**self.positions, filled.symbol: held})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an order breaks, with its limit and the order's figure; empty where a rule has none."""

    code: RejectCode
    rule: str
    limit: str
    figure: str

    @property
    def sentence(self) -> str:
        """Return it for a person."""
        if not self.figure:
            return f"Risk rule {self.rule}: {self.limit}."
        return f"Risk rule {self.rule}: the limit is {self.limit}, this order is {self.figure}."


_Rule = Callable[[OrderRequest, RiskLimits, Situation], Refusal | None]


def judge(request: OrderRequest, limits: RiskLimits, situation: Situation) -> tuple[Refusal, ...]:
    """Return every rule that the order breaks; none: it may leave."""
    return tuple(refusal for rule in _RULES if (refusal := rule(request, limits, situation)) is not None)


def only_reduces(request: OrderRequest, situation: Situation) -> bool:
    """Tell whether the order, and all that works on its side, can only take off the position."""
    held = situation.positions.get(request.symbol, ZERO)
    same = sum((one.qty for one in situation.working if one.symbol == request.symbol and one.side is request.side), ZERO)
    return held * request.side.sign < 0 and request.qty + same <= abs(held)


def price_of(request: OrderRequest, situation: Situation) -> Decimal | None:
    """Return the price an order is valued at: its own limit or stop, else the last one known."""
    return request.limit_price or request.stop_price or situation.prices.get(request.symbol)


# --- the rules ---


def _switch(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if now.level.halts:
        return Refusal(code=RejectCode.RISK_HALTED, rule="kill switch", limit="nothing new leaves", figure="")
    if now.level is SwitchLevel.REDUCE_ONLY and not only_reduces(request, now):
        held = plain(now.positions.get(request.symbol, ZERO))
        figure = f"a {request.side} of {plain(request.qty)} {request.symbol} with {held} held"
        return Refusal(code=RejectCode.RISK_REDUCE_ONLY, rule="reduce only", limit="only what takes off a position leaves", figure=figure)
    return None


def _armed(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if now.is_armed:
        return None
    return Refusal(code=RejectCode.RISK_NOT_ARMED, rule="live armed", limit="no order leaves while it is not armed", figure="")


def _symbols(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.symbols is None or request.symbol in limits.symbols:
        return None
    return Refusal(code=RejectCode.RISK_SYMBOL, rule="symbols", limit=", ".join(limits.symbols) or "none", figure=request.symbol)


def _hours(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if not limits.regular_hours_only or now.is_open:
        return None
    return Refusal(code=RejectCode.RISK_HOURS, rule="trading hours", limit="only in the regular session", figure="")


def _silence(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    most = limits.max_silence_s
    if most is None or now.silent_s <= most:
        return None
    return _too_much(RejectCode.RISK_SILENCE, "silent broker", f"{most:g} s", f"{now.silent_s:.0f} s without a word of it")


def _price_age(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_price_age_s is None:
        return None
    made_ns = now.price_times.get(request.symbol)
    if made_ns is None:
        return _no_price(request, "price age")
    age_s = (now.now_ns - made_ns) / SECOND_NS
    if age_s <= limits.max_price_age_s:
        return None
    return _too_much(RejectCode.RISK_SILENCE, "price age", f"{limits.max_price_age_s:g} s", f"on a price that is {age_s:.0f} s old")


def _qty(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_order_qty is None or request.qty <= limits.max_order_qty:
        return None
    return _too_much(RejectCode.RISK_ORDER_QTY, "order size", f"{plain(limits.max_order_qty)} units", f"{plain(request.qty)} units")


def _value(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_order_value is None:
        return None
    price = price_of(request, now)
    if price is None:
        return _no_price(request, "order value")
    worth = price * request.qty
    if worth <= limits.max_order_value:
        return None
    return _too_much(RejectCode.RISK_ORDER_VALUE, "order value", plain(limits.max_order_value), plain(worth))


def _share(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_order_share is None or only_reduces(request, now):
        return None
    price = price_of(request, now)
    if price is None:
        return _no_price(request, "share of equity")
    worth = price * request.qty
    if worth <= limits.max_order_share * now.equity:
        return None
    figure = f"{plain(worth)} of {plain(now.equity)}"
    return _too_much(RejectCode.RISK_ORDER_SHARE, "share of equity", _percent(limits.max_order_share), figure)


def _distance(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    wanted = [price for price in (request.limit_price, request.stop_price) if price is not None]
    if limits.max_price_distance is None or not wanted:
        return None
    last = now.prices.get(request.symbol)
    if last is None:
        return _no_price(request, "price distance")
    worst = max(wanted, key=lambda price: abs(price - last))
    if abs(worst - last) <= limits.max_price_distance * last:
        return None
    figure = f"{plain(worst)} with the market at {plain(last)}"
    return _too_much(RejectCode.RISK_PRICE_DISTANCE, "price distance", _percent(limits.max_price_distance), figure)


def _position(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_position_value is None or only_reduces(request, now):
        return None
    price = now.prices.get(request.symbol) or price_of(request, now)
    if price is None:
        return _no_price(request, "position")
    worth = abs(_after(request, now)) * price
    if worth <= limits.max_position_value:
        return None
    return _too_much(RejectCode.RISK_POSITION, "position", plain(limits.max_position_value), plain(worth))


def _gross(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_gross_exposure is None or only_reduces(request, now):
        return None
    total = ZERO
    symbols = {request.symbol, *now.positions, *(one.symbol for one in now.working)}
    for symbol in symbols:
        price = now.prices.get(symbol) or (price_of(request, now) if symbol == request.symbol else None)
        held = abs(_after(request, now)) if symbol == request.symbol else _worst(symbol, now)
        if held and price is None:
            return _no_price(request, "gross exposure")
        total += held * (price or ZERO)
    if total <= limits.max_gross_exposure:
        return None
    return _too_much(RejectCode.RISK_GROSS_EXPOSURE, "gross exposure", plain(limits.max_gross_exposure), plain(total))


def _rate(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    most = limits.max_orders_per_minute
    if most is None:
        return None
    count = sum(one.time_ns > now.now_ns - MINUTE_NS for one in now.sent) + 1
    return None if count <= most else _too_much(RejectCode.RISK_ORDER_RATE, "orders per minute", str(most), str(count))


def _open(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    most, count = limits.max_open_orders, len(now.working) + 1
    return None if most is None or count <= most else _too_much(RejectCode.RISK_OPEN_ORDERS, "open orders", str(most), str(count))


def _duplicate(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    window_s = limits.duplicate_window_s
    if window_s is None:
        return None
    ages = [now.now_ns - one.time_ns for one in now.sent if _same(one.request, request)]
    if not ages or min(ages) >= window_s * SECOND_NS:
        return None
    figure = f"the same order {min(ages) / SECOND_NS:.1f} s later"
    return _too_much(RejectCode.RISK_DUPLICATE, "duplicate", f"once in {window_s:g} s", figure)


def _daily_loss(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    lost = now.day_start_equity - now.equity
    if limits.max_daily_loss is None or lost < limits.max_daily_loss or only_reduces(request, now):
        return None
    return Refusal(
        code=RejectCode.RISK_DAILY_LOSS, rule="daily loss", limit=plain(limits.max_daily_loss), figure=f"{plain(lost)} lost already"
    )


def _drawdown(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    lost = now.peak_equity - now.equity
    if limits.max_drawdown is None or lost < limits.max_drawdown * now.peak_equity or only_reduces(request, now):
        return None
    figure = f"{plain(lost)} below the peak of {plain(now.peak_equity)} already"
    return Refusal(code=RejectCode.RISK_DRAWDOWN, rule="drawdown", limit=_percent(limits.max_drawdown), figure=figure)


_RULES: Final[tuple[_Rule, ...]] = (
    _switch,
    _armed,
    _symbols,
    _hours,
    _silence,
    _price_age,
    _qty,
    _value,
    _share,
    _distance,
    _position,
    _gross,
    _rate,
    _open,
    _duplicate,
    _daily_loss,
    _drawdown,
)


def _after(request: OrderRequest, now: Situation) -> Decimal:
    """Return the position if the order and all that works on its side filled."""
    held = now.positions.get(request.symbol, ZERO) + request.qty * request.side.sign
    return held + sum((one.qty * one.side.sign for one in now.working if one.symbol == request.symbol and one.side is request.side), ZERO)


def _worst(symbol: str, now: Situation) -> Decimal:
    """Return the largest a position can get by what works on either side."""
    held = now.positions.get(symbol, ZERO)
    moves = [one.qty * one.side.sign for one in now.working if one.symbol == symbol]
    return max(abs(held + sum((move for move in moves if move > 0), ZERO)), abs(held + sum((move for move in moves if move < 0), ZERO)))


def _same(one: OrderRequest, other: OrderRequest) -> bool:
    return msgspec.structs.replace(one, note=None) == msgspec.structs.replace(other, note=None)


def _too_much(code: RejectCode, rule: str, limit: str, figure: str) -> Refusal:
    return Refusal(code=code, rule=rule, limit=limit, figure=figure)


def _no_price(request: OrderRequest, rule: str) -> Refusal:
    return Refusal(code=RejectCode.RISK_NO_PRICE, rule=rule, limit=f"no price of {request.symbol} is known", figure="")


def _percent(share: Decimal) -> str:
    return f"{plain(share * _PERCENT)} %"
