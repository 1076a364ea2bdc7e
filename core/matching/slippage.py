"""How far a market, stop or triggered order fills from the price that the path reached.

Each model is a small pure class made from its text form and returns a distance against the trader, per unit; the matcher
moves the price to the tick and keeps it inside the bar. Source: docs/simulation.md, "Costs".
"""

from decimal import ROUND_CEILING, Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.matching.cost_text import BPS_BELOW, read_figure, split_text
from core.model.cost_models import SlippageModel
from core.model.money import BASIS_POINT, ZERO

_TEN_DECIMALS: Final = Decimal("1e-10")
_HALF: Final = Decimal("0.5")
_LARGEST_K: Final = Decimal(100)
SLIPPAGE_FORMS: Final = {"none": "none", "bps": "bps:N", "spread": "spread:N", "volume": "volume[:K]", "plugin": "plugin"}
"""How each slippage model is written, by name."""


class NoSlippage(msgspec.Struct, frozen=True):
    """Fills at the price that the path reached."""

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        return ZERO


class BpsSlippage(msgspec.Struct, frozen=True):
    """A share of the price, in basis points (hundredths of a percent)."""

    bps: Decimal

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        return price * self.bps * BASIS_POINT


class SpreadSlippage(msgspec.Struct, frozen=True):
    """Half of a spread of `bps` basis points: bars are taken to be of mid prices."""

    bps: Decimal

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        return price * self.bps * BASIS_POINT * _HALF


class VolumeSlippage(msgspec.Struct, frozen=True):
    """Price × `strength` × share², the share of the bar's volume that this fill takes, at most 1; no volume counts as 1.

    Rounded up, against the trader, to ten decimals. Where there is a tick it moves the price to the same tick as the
    unrounded distance would, because a tick is a multiple of that.
    """

    strength: Decimal = Decimal("0.1")

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        if qty >= volume:
            return (price * self.strength).quantize(_TEN_DECIMALS, ROUND_CEILING)
        # One division, last: what is a whole number of ten decimals must not be lifted by a rounded quotient.
        return (price * self.strength * qty * qty / (volume * volume)).quantize(_TEN_DECIMALS, ROUND_CEILING)


def slippage_model(text: str, own: SlippageModel | None = None) -> SlippageModel:
    """Read one of SLIPPAGE_FORMS; `plugin` takes `own`, the strategy's model. Raises InvalidValue or UnknownName."""
    name, figures = split_text(text, SLIPPAGE_FORMS, field="slippage", kind="slippage model")
    if name in {"bps", "spread"}:
        bps = read_figure(figures[0], field="slippage", text=text, what="the number of basis points", below=BPS_BELOW)
        if not bps:
            return NoSlippage()
        return BpsSlippage(bps) if name == "bps" else SpreadSlippage(bps)
    if name == "volume":
        if not figures:
            return VolumeSlippage()
        strength = read_figure(figures[0], field="slippage", text=text, what="the factor K", below=_LARGEST_K)
        return VolumeSlippage(strength) if strength else NoSlippage()
    if name == "plugin":
        if own is None:
            raise InvalidValue("slippage", repr(text), "the strategy has no slippage_model of its own.")
        return own
    return NoSlippage()
