"""Slippage and fees."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.oracle.market import Bar, Instrument
from tests.oracle.orders import Side
from tests.oracle.rounding import CENT, TEN_DECIMALS, down_to, up_to
from tests.oracle.settings import AlpacaFees, Settings

BASIS_POINT = Fraction(1, 10_000)


@dataclass(frozen=True, slots=True)
class Part:
    """One fill of an order, as its fee sees it."""

    qty: Decimal
    price: Decimal
    maker: bool


def slipped_price(settings: Settings, instrument: Instrument, bar: Bar, side: Side, reference: Decimal, qty: Decimal) -> Decimal:
    """The price after slippage: to the tick against the trader, then clipped to the bar."""
    name, *figures = settings.slippage.split(":")
    if name == "none":
        return reference
    price = Fraction(reference)
    step = instrument.tick
    if name == "bps":
        amount = price * Fraction(figures[0]) * BASIS_POINT
    elif name == "spread":
        amount = price * Fraction(figures[0]) * BASIS_POINT / 2
    elif name == "volume":
        strength = Fraction(figures[0]) if figures else Fraction(1, 10)
        share = Fraction(1) if bar.volume == 0 else min(Fraction(1), Fraction(qty) / Fraction(bar.volume))
        amount = price * strength * share * share
        step = step or TEN_DECIMALS
    else:
        raise ValueError(f"no slippage model {settings.slippage!r}")
    moved = price + amount if side == "buy" else price - amount
    return min(max(_against(moved, step, side), bar.low), bar.high)


def _against(price: Fraction, step: Decimal | None, side: Side) -> Decimal:
    if step is None:
        return Decimal(price.numerator) / Decimal(price.denominator)
    return up_to(price, step) if side == "buy" else down_to(price, step)


def order_fee(settings: Settings, instrument: Instrument, side: Side, parts: tuple[Part, ...]) -> Decimal:
    """What an order owes for all its parts together; the fee of a part is what it adds."""
    if not parts:
        return Decimal(0)
    name, *figures = settings.fees.split(":")
    numbers = [Decimal(figure) for figure in figures]
    notional = sum((part.qty * part.price for part in parts), Decimal(0))
    units = sum((part.qty for part in parts), Decimal(0))
    if name == "none":
        return Decimal(0)
    if name == "bps":
        return max(notional * numbers[0] / 10_000, *numbers[1:], Decimal(0))
    if name == "per-share":
        owed = max(units * numbers[0], *numbers[1:2], Decimal(0))
        return min(owed, *numbers[2:], owed)
    if name == "per-trade":
        return numbers[0]
    if name == "alpaca":
        return _alpaca_crypto(settings.alpaca, parts) if instrument.crypto else _alpaca_equity(settings.alpaca, side, units, notional)
    raise ValueError(f"no fee model {settings.fees!r}")


def _alpaca_equity(rates: AlpacaFees, side: Side, units: Decimal, notional: Decimal) -> Decimal:
    if side == "buy":
        return Decimal(0)
    sec = notional * rates.sec_rate
    taf = min(units * rates.taf_per_share, rates.taf_maximum)
    return up_to(sec, CENT) + up_to(taf, CENT) if rates.round_up_to_cent else sec + taf


def _alpaca_crypto(rates: AlpacaFees, parts: tuple[Part, ...]) -> Decimal:
    return sum((part.qty * part.price * (rates.maker_rate if part.maker else rates.taker_rate) for part in parts), Decimal(0))
