"""The models of costs in words: what stands in a form's field is explained while it is typed."""

from typing import Final

from core.matching.costs import (
    AlpacaFee,
    BpsFee,
    BpsSlippage,
    PerShareFee,
    PerTradeFee,
    SpreadSlippage,
    VolumeSlippage,
    fee_model,
    slippage_model,
)
from core.model.money import plain

OWN: Final = "plugin"
"""The form that takes a strategy's own model."""


def fee_words(text: str) -> str:
    """Return what a form of fees charges. Raises InvalidValue or UnknownName for a form that does not exist."""
    if text.strip().lower() == OWN:
        return "The strategy's own model; it must have one."
    match fee_model(text):
        case BpsFee(bps=bps, minimum=minimum):
            return f"{plain(bps / 100)} % of the money traded" + (f", at least {plain(minimum)} per order." if minimum else ".")
        case PerShareFee(rate=rate, minimum=minimum, maximum=maximum):
            least = f", at least {plain(minimum)}" if minimum else ""
            most = f", at most {plain(maximum)}" if maximum is not None else ""
            return f"{plain(rate)} per unit{least}{most}{' per order' if least or most else ''}."
        case PerTradeFee(money=money):
            return f"{plain(money)} per order that fills."
        case AlpacaFee(maker_bps=maker, taker_bps=taker):
            return f"Shares: regulatory fees on sells. Crypto: {plain(maker / 100)} % as maker, {plain(taker / 100)} % as taker."
    return "Trading is free."


def slippage_words(text: str) -> str:
    """Return how far a form of slippage moves a price. Raises InvalidValue or UnknownName for a form that does not exist."""
    if text.strip().lower() == OWN:
        return "The strategy's own model; it must have one."
    match slippage_model(text):
        case BpsSlippage(bps=bps):
            return f"Market and stop orders fill {plain(bps / 100)} % against you."
        case SpreadSlippage(bps=bps):
            return f"Half of a spread of {plain(bps / 100)} %: {plain(bps / 200)} % against you."
        case VolumeSlippage(strength=strength):
            return f"Price × {plain(strength)} × the square of the fill's share of the bar's volume."
    return "Orders fill at the price that the bar reached."
