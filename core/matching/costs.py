"""What a fill costs: slippage and fees, each a small pure class made from its text form.

Source: docs/simulation.md, "Costs".
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from core.errors import InvalidValue, UnknownName
from core.model.money import BASIS_POINT, ZERO, parse_money
from core.model.order import OrderSide


class SlippageModel(Protocol):
    """How far a market, stop or triggered order fills from the price that the path reached."""

    def distance(self, price: Decimal) -> Decimal:
        """Return the distance against the trader, in quote currency per unit, never negative."""
        ...


class FeeModel(Protocol):
    """What the broker charges for a fill."""

    def fee(self, side: OrderSide, qty: Decimal, price: Decimal) -> Decimal:
        """Return the charge in quote currency, exact and never negative."""
        ...


class NoSlippage(msgspec.Struct, frozen=True):
    """Fills at the price that the path reached."""

    def distance(self, price: Decimal) -> Decimal:
        return ZERO


class BpsSlippage(msgspec.Struct, frozen=True):
    """A share of the price, in basis points (hundredths of a percent)."""

    bps: Decimal

    def distance(self, price: Decimal) -> Decimal:
        return price * self.bps * BASIS_POINT


class NoFee(msgspec.Struct, frozen=True):
    """No charge."""

    def fee(self, side: OrderSide, qty: Decimal, price: Decimal) -> Decimal:
        return ZERO


class BpsFee(msgspec.Struct, frozen=True):
    """A share of the money traded, in basis points (hundredths of a percent)."""

    bps: Decimal

    def fee(self, side: OrderSide, qty: Decimal, price: Decimal) -> Decimal:
        return qty * price * self.bps * BASIS_POINT


def slippage_model(text: str) -> SlippageModel:
    """Read `none` or `bps:N`. Raises InvalidValue or UnknownName."""
    bps = _parse(text, "slippage")
    return NoSlippage() if bps is None else BpsSlippage(bps)


def fee_model(text: str) -> FeeModel:
    """Read `none` or `bps:N`. Raises InvalidValue or UnknownName."""
    bps = _parse(text, "fees")
    return NoFee() if bps is None else BpsFee(bps)


def _parse(text: str, field: str) -> Decimal | None:
    name, colon, figure = text.strip().lower().partition(":")
    if name == "none" and not colon:
        return None
    if name != "bps":
        raise UnknownName(f"{field} model", text, ("none", "bps:N"))
    bps = parse_money(figure, field=field)
    if not 0 <= bps < 10_000:
        raise InvalidValue(field, repr(text), "basis points go from 0 to below 10000.")
    return bps or None
