"""Slippage, each figure worked out by hand beside its case."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from core.errors import InvalidValue, UnknownName
from core.matching.costs import BpsSlippage, NoSlippage, SlippageModel, SpreadSlippage, VolumeSlippage, slippage_model
from core.model.money import MONEY_CONTEXT, ceil_to, floor_to


@pytest.fixture(autouse=True)
def money_context() -> Iterator[None]:
    with localcontext(MONEY_CONTEXT):
        yield


@pytest.mark.parametrize(
    ("text", "price", "qty", "volume", "distance"),
    [
        ("none", "100", "1", "10", "0"),
        ("bps:5", "100.01", "1", "10", "0.050005"),
        # Half of ten basis points; nothing is rounded, however small.
        ("spread:10", "100.01", "1", "10", "0.050005"),
        ("spread:1", "0.00001234", "1", "10", "0.000000000617"),
        # A tenth of the volume: 100 × 0.1 × 0.01.
        ("volume", "100", "10", "100", "0.1"),
        ("volume:0.5", "100", "10", "100", "0.5"),
        # More than the volume, and no volume, count as the whole of it.
        ("volume", "100", "100", "100", "10"),
        ("volume", "100", "200", "100", "10"),
        ("volume", "100", "1", "0", "10"),
        # A third, squared: 1.11111111111…, against the trader to ten decimals.
        ("volume", "100", "1", "3", "1.1111111112"),
        # A millionth: 100 × 0.1 × 1e-12 is less than a ten-billionth.
        ("volume", "100", "1", "1000000", "0.0000000001"),
        # The share has no end, but the distance has: 90 × 0.1 ÷ 9 is not lifted.
        ("volume", "90", "1", "3", "1"),
    ],
)
def test_distance(text: str, price: str, qty: str, volume: str, distance: str) -> None:
    assert slippage_model(text).distance(Decimal(price), Decimal(qty), Decimal(volume)) == Decimal(distance)


@pytest.mark.parametrize(("qty", "volume"), [("1", "1000000"), ("1", "3"), ("7", "90"), ("1", "9999999999")])
def test_ten_decimals_reach_the_tick_that_the_unrounded_distance_reaches(qty: str, volume: str) -> None:
    price, tick = Decimal("100.01"), Decimal("0.01")
    unrounded = price * Decimal("0.1") * (Decimal(qty) / Decimal(volume)) ** 2
    rounded = VolumeSlippage().distance(price, Decimal(qty), Decimal(volume))
    assert ceil_to(price + rounded, tick) == ceil_to(price + unrounded, tick)
    assert floor_to(price - rounded, tick) == floor_to(price - unrounded, tick)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("none", NoSlippage()),
        ("bps:0", NoSlippage()),
        ("spread:0", NoSlippage()),
        ("volume:0", NoSlippage()),
        ("BPS:5", BpsSlippage(Decimal(5))),
        ("spread:4", SpreadSlippage(Decimal(4))),
        ("volume", VolumeSlippage(Decimal("0.1"))),
        ("volume:0.25", VolumeSlippage(Decimal("0.25"))),
    ],
)
def test_text_forms(text: str, model: SlippageModel) -> None:
    assert slippage_model(text) == model


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spred:5", "There is no slippage model named 'spred'. Did you mean spread?"),
        ("x:5", "There is no slippage model named 'x'. Write one of none, bps:N, spread:N, volume[:K], plugin."),
    ],
)
def test_an_unknown_name_is_told_the_near_one(text: str, sentence: str) -> None:
    with pytest.raises(UnknownName) as caught:
        slippage_model(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bps", "slippage cannot be 'bps': write it as bps:N."),
        ("bps:5:1", "slippage cannot be 'bps:5:1': write it as bps:N."),
        ("spread:10000", "slippage cannot be 'spread:10000': the number of basis points must be below 10000."),
        ("volume:100", "slippage cannot be 'volume:100': the factor K must be below 100."),
        ("volume:1:2", "slippage cannot be 'volume:1:2': write it as volume[:K]."),
        ("plugin", "slippage cannot be 'plugin': the strategy has no slippage_model of its own."),
    ],
)
def test_what_is_amiss_is_named_with_its_bound(text: str, sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        slippage_model(text)
    assert str(caught.value) == sentence


def test_plugin_takes_the_strategys_own_model() -> None:
    own = BpsSlippage(Decimal(3))
    assert slippage_model("plugin", own) is own
