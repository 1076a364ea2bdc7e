"""What a model of costs means, in words."""

import pytest

from core.errors import InputError
from core.views.cost_words import fee_words, slippage_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none", "Trading is free."),
        ("bps:10", "0.1 % of the money traded."),
        ("BPS:2.5:1", "0.025 % of the money traded, at least 1 per order."),
        ("per-share:0.005", "0.005 per unit."),
        ("per-share:0.005:1", "0.005 per unit, at least 1 per order."),
        ("per-share:0.005:1:20", "0.005 per unit, at least 1, at most 20 per order."),
        ("per-trade:4.95", "4.95 per order that fills."),
        ("alpaca", "Shares: regulatory fees on sells. Crypto: 0.15 % as maker, 0.25 % as taker."),
        (" Plugin ", "The strategy's own model; it must have one."),
    ],
)
def test_fees_are_said(text: str, words: str) -> None:
    assert fee_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none", "Orders fill at the price that the bar reached."),
        ("bps:5", "Market and stop orders fill 0.05 % against you."),
        ("spread:4", "Half of a spread of 0.04 %: 0.02 % against you."),
        ("volume", "Price × 0.1 × the square of the fill's share of the bar's volume."),
        ("volume:0.25", "Price × 0.25 × the square of the fill's share of the bar's volume."),
        ("plugin", "The strategy's own model; it must have one."),
    ],
)
def test_slippage_is_said(text: str, words: str) -> None:
    assert slippage_words(text) == words


@pytest.mark.parametrize("text", ["", "bps", "bps:x", "per-shares:1", "bps:-1"])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        fee_words(text)
    with pytest.raises(InputError):
        slippage_words(text)
