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
from core.model.order import OrderRequest, OrderSide, OrderType, RejectCode
from core.model.risk import RiskLimits, SwitchLevel

_PERCENT: Final = Decimal(100)


class Sent(msgspec.Struct, frozen=True, gc=False):
    """An order that left, and when."""

    request: OrderRequest
    time_ns: int


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What one run holds, signed units, and which of its orders can still fill."""

    positions: Mapping[str, Decimal]
    working: tuple[OrderRequest, ...] = ()
    """As in `Situation`."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is judged in. `positions` signed units; `prices` the last known; money in account currency."""

    now_ns: int
    equity: Decimal
    day_start_equity: Decimal
    peak_equity: Decimal
    positions: Mapping[str, Decimal] = {}
    prices: Mapping[str, Decimal] = {}
    working: tuple[OrderRequest, ...] = ()
    """Orders that can still fill, each over what it has left; of a pair, where one cancels the other, the one over more."""
    twins: int = 0
    """How many more orders work: the others of those pairs."""
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
    own: "Own | None" = None
    """Of an account: what is the run's of it whose order it is."""

    is_compared: bool = True
    """Of an account: whether its last comparison with the broker came to an end; where a bug cut it off, the books may be wrong."""
    unjudged: str = ""
    """Why nobody can tell what was lost, in words; empty: it is known."""

    def after(self, filled: OrderRequest) -> "Situation":
        """Return it as it is once an order has filled, with what its exits are judged in."""
        held = self.positions.get(filled.symbol, ZERO) + filled.qty * filled.side.sign
        own = None
        if self.own is not None:
            mine = self.own.positions.get(filled.symbol, ZERO) + filled.qty * filled.side.sign
            own = msgspec.structs.replace(self.own, positions={**self.own.positions, filled.symbol: mine})
        return msgspec.structs.replace(self, positions={**self.positions, filled.symbol: held}, own=own)


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


def closes(request: OrderRequest, now: Situation) -> bool:
    """Tell whether the order can only take off a position, its run's or the account's: rules that keep exposure small let it pass."""
    return any(only_reduces(request, each, is_open=now.is_open) for each in (now, now.own) if each is not None)


def only_reduces(request: OrderRequest, situation: Situation | Own, *, is_open: bool = True) -> bool:
    """Tell whether the order can only take off the position, whatever of that which works on its side fills, too.

    Exits fill what is left by then and no more, so they do not count; but where the order or another one on its side waits, and would
    open something once nothing is left to take off: then an exit may fill first. A market order fills at once in an open market.
    """
    held = situation.positions.get(request.symbol, ZERO)
    if held * request.side.sign >= 0:
        return False
    beside = [one for one in situation.working if one.symbol == request.symbol and one.side is request.side]
    may_open_last = any(not one.reduce_only and _waits(one, is_open) for one in (request, *beside))
    counted = (one.qty for one in beside if may_open_last or not one.reduce_only or one.type is OrderType.MARKET)
    return request.qty + sum(counted, ZERO) <= abs(held)


def _waits(request: OrderRequest, is_open: bool) -> bool:
    return request.type is not OrderType.MARKET or request.is_auction or not is_open


def price_of(request: OrderRequest, situation: Situation) -> Decimal | None:
    """Return the most that a unit of the order can be worth when it fills, as the market stands; None where nobody knows.

    The limit of a buy caps that. Anything else fills at the market, now or once the market has come to its own price: a sale
    at 1 with the market at 500 is one at 500, and a buy that a stop at 1 lets go pays 500.
    """
    if request.side is OrderSide.BUY and request.limit_price is not None:
        return request.limit_price
    last = situation.prices.get(request.symbol)
    if last is None:
        return None
    own = [price for price in (request.limit_price, request.stop_price) if price is not None]
    if request.side is OrderSide.BUY:
        trail = request.trail_price or (request.trail_percent or ZERO) * last / _PERCENT
        own.append(last + trail)  # where a stop that trails begins
    return max((last, *own))


def _worth(symbol: str, request: OrderRequest, now: Situation) -> Decimal | None:
    """Return what a unit that is held would be worth, should the order fill."""
    last = now.prices.get(symbol)
    own = price_of(request, now) if symbol == request.symbol else None
    return max((price for price in (last, own) if price is not None), default=None)


# --- the rules ---


def _switch(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if now.level.halts:
        return Refusal(code=RejectCode.RISK_HALTED, rule="kill switch", limit="nothing new leaves", figure="")
    mine = now.own or now  # what others hold beside it, a run does not take off
    if now.level is SwitchLevel.REDUCE_ONLY and not only_reduces(request, mine, is_open=now.is_open):
        held = plain(mine.positions.get(request.symbol, ZERO))
        figure = f"a {request.side} of {plain(request.qty)} {request.symbol} with {held} held"
        return Refusal(code=RejectCode.RISK_REDUCE_ONLY, rule="reduce only", limit="only what takes off a position leaves", figure=figure)
    return None


def _armed(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if now.is_armed:
        return None
    return Refusal(code=RejectCode.RISK_NOT_ARMED, rule="live armed", limit="no order leaves while it is not armed", figure="")


def _compared(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if now.is_compared or closes(request, now):
        return None
    words = "the account could not be compared with its broker, by a bug in the program; only what takes off a position leaves"
    return Refusal(code=RejectCode.RISK_UNCOMPARED, rule="reconciliation", limit=words, figure="")


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
    if limits.max_order_share is None or closes(request, now):
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
    if limits.max_position_value is None or closes(request, now):
        return None
    price = _worth(request.symbol, request, now)
    if price is None:
        return _no_price(request, "position")
    worth = abs(_after(request, now)) * price
    if worth <= limits.max_position_value:
        return None
    return _too_much(RejectCode.RISK_POSITION, "position", plain(limits.max_position_value), plain(worth))


def _gross(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    if limits.max_gross_exposure is None or closes(request, now):
        return None
    total = ZERO
    symbols = {request.symbol, *now.positions, *(one.symbol for one in now.working)}
    for symbol in symbols:
        price = _worth(symbol, request, now)
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
    most, count = limits.max_open_orders, len(now.working) + now.twins + 1
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
    if limits.max_daily_loss is None or (lost < limits.max_daily_loss and not now.unjudged) or closes(request, now):
        return None
    if now.unjudged:
        return _unjudged(now, "daily loss")
    return Refusal(
        code=RejectCode.RISK_DAILY_LOSS, rule="daily loss", limit=plain(limits.max_daily_loss), figure=f"{plain(lost)} lost already"
    )


def _drawdown(request: OrderRequest, limits: RiskLimits, now: Situation) -> Refusal | None:
    lost = now.peak_equity - now.equity
    if limits.max_drawdown is None or (lost < limits.max_drawdown * now.peak_equity and not now.unjudged) or closes(request, now):
        return None
    if now.unjudged:
        return _unjudged(now, "drawdown")
    figure = f"{plain(lost)} below the peak of {plain(now.peak_equity)} already"
    return Refusal(code=RejectCode.RISK_DRAWDOWN, rule="drawdown", limit=_percent(limits.max_drawdown), figure=figure)


_RULES: Final[tuple[_Rule, ...]] = (
    _switch,
    _armed,
    _compared,
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


def _unjudged(now: Situation, rule: str) -> Refusal:
    return Refusal(code=RejectCode.RISK_NO_PRICE, rule=rule, limit=f"losses cannot be judged while {now.unjudged}", figure="")


def _percent(share: Decimal) -> str:
    return f"{plain(share * _PERCENT)} %"
