"""What the broker charges for a fill, each model a small pure class made from its text form.

A minimum, a maximum and a charge per trade count once per order: a model works out what the whole order owes so far
and charges what earlier parts have not paid. Source: docs/simulation.md, "Costs".
"""

from decimal import ROUND_CEILING, Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.matching.cost_text import BPS_BELOW, read_figure, split_text
from core.model.cost_models import FeeModel, Part
from core.model.market import AssetClass
from core.model.money import BASIS_POINT, ZERO
from core.model.order import OrderSide

_BUY = OrderSide.BUY
_EQUITY, _CRYPTO = AssetClass.EQUITY, AssetClass.CRYPTO
_CENT: Final = Decimal("0.01")
FEE_FORMS: Final = {
    "none": "none",
    "bps": "bps:N[:min]",
    "per-share": "per-share:X[:min[:max]]",
    "per-trade": "per-trade:X",
    "alpaca": "alpaca",
    "plugin": "plugin",
}
"""How each fee model is written, by name."""


class NoFee(msgspec.Struct, frozen=True):
    """No charge."""

    def fee(self, part: Part) -> Decimal:
        return ZERO


class BpsFee(msgspec.Struct, frozen=True):
    """A share of the money traded, in basis points (hundredths of a percent); `minimum` money per order."""

    bps: Decimal
    minimum: Decimal = ZERO

    def fee(self, part: Part) -> Decimal:
        money = part.qty * part.price
        if not self.minimum:
            return money * self.bps * BASIS_POINT
        return max((part.money_before + money) * self.bps * BASIS_POINT, self.minimum) - part.fees_before


class PerShareFee(msgspec.Struct, frozen=True):
    """Money per unit, at least `minimum` and, unless None, at most `maximum` money per order."""

    rate: Decimal
    minimum: Decimal = ZERO
    maximum: Decimal | None = None

    def fee(self, part: Part) -> Decimal:
        due = max((part.qty_before + part.qty) * self.rate, self.minimum)
        if self.maximum is not None and due > self.maximum:
            due = self.maximum
        return due - part.fees_before


class PerTradeFee(msgspec.Struct, frozen=True):
    """The same money for each order that fills, however many parts it takes."""

    money: Decimal

    def fee(self, part: Part) -> Decimal:
        return self.money - part.fees_before


class AlpacaFee(msgspec.Struct, frozen=True):
    """Alpaca: no commission on equities, but the regulatory fees on sells; crypto by maker and taker, in cash.

    - SEC fee (Securities Exchange Act, section 31): 20.60 per million of money sold, in force since 2026-04-04
      (order 34-104909 of 2026-02-27).
    - FINRA trading activity fee: 0.000195 per share sold, at most 9.79 per order, the schedule of 2026 (SR-FINRA-2024-019),
      without its holiday in the last quarter of that year.
    - Each of the two is rounded up to the cent, over the whole order (alpaca.markets/support/regulatory-fees).
    - Crypto: 15 basis points for a maker, 25 for a taker: the first tier, up to 100,000 traded in 30 days, in force since
      2023-03-13. Alpaca takes it from what is received; here it is charged in cash and not rounded.

    These rates apply to bars of any year: a cheap year of the past says nothing about the next one. Left out: the fee for
    the consolidated audit trail (0.0000265 per share in 2025, on buys too). National currencies cost nothing.
    """

    sec_rate: Decimal = Decimal("0.0000206")
    taf_per_share: Decimal = Decimal("0.000195")
    taf_maximum: Decimal = Decimal("9.79")
    maker_bps: Decimal = Decimal(15)
    taker_bps: Decimal = Decimal(25)

    def fee(self, part: Part) -> Decimal:
        if part.asset_class is _CRYPTO:
            return part.qty * part.price * (self.maker_bps if part.is_maker else self.taker_bps) * BASIS_POINT
        if part.asset_class is not _EQUITY or part.side is _BUY:
            return ZERO
        sec = (part.money_before + part.qty * part.price) * self.sec_rate
        taf = min((part.qty_before + part.qty) * self.taf_per_share, self.taf_maximum)
        return sec.quantize(_CENT, ROUND_CEILING) + taf.quantize(_CENT, ROUND_CEILING) - part.fees_before


def fee_model(text: str, own: FeeModel | None = None) -> FeeModel:
    """Read one of FEE_FORMS; `plugin` takes `own`, the strategy's model. Raises InvalidValue or UnknownName."""
    name, figures = split_text(text, FEE_FORMS, field="fees", kind="fee model")
    if name == "bps":
        return _bps_fee(figures, text)
    if name == "per-share":
        return _per_share_fee(figures, text)
    if name == "per-trade":
        charge = read_figure(figures[0], field="fees", text=text, what="the charge per trade")
        return PerTradeFee(charge) if charge else NoFee()
    if name == "alpaca":
        return AlpacaFee()
    if name == "plugin":
        if own is None:
            raise InvalidValue("fees", repr(text), "the strategy has no fee_model of its own.")
        return own
    return NoFee()


def _bps_fee(figures: list[str], text: str) -> FeeModel:
    bps = read_figure(figures[0], field="fees", text=text, what="the number of basis points", below=BPS_BELOW)
    minimum = read_figure(figures[1], field="fees", text=text, what="the minimum") if len(figures) > 1 else ZERO
    return BpsFee(bps, minimum) if bps or minimum else NoFee()


def _per_share_fee(figures: list[str], text: str) -> FeeModel:
    rate = read_figure(figures[0], field="fees", text=text, what="the charge per share")
    minimum = read_figure(figures[1], field="fees", text=text, what="the minimum") if len(figures) > 1 else ZERO
    maximum = read_figure(figures[2], field="fees", text=text, what="the maximum") if len(figures) > 2 else None
    if maximum is not None and maximum < minimum:
        raise InvalidValue("fees", repr(text), "the maximum cannot be below the minimum.")
    return PerShareFee(rate, minimum, maximum) if (rate or minimum) and maximum != 0 else NoFee()
