"""Fees, each figure worked out by hand beside its case."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from core.errors import InvalidValue, UnknownName
from core.matching.costs import AlpacaFee, BpsFee, FeeModel, NoFee, Part, PerShareFee, PerTradeFee, fee_model
from core.model.market import AssetClass, asset_class_of
from core.model.money import MONEY_CONTEXT
from core.model.order import OrderSide

B, S = OrderSide.BUY, OrderSide.SELL


@pytest.fixture(autouse=True)
def money_context() -> Iterator[None]:
    with localcontext(MONEY_CONTEXT):
        yield


def fees_of(model: FeeModel, parts: str, *, side: OrderSide = S, symbol: str = "SPY", maker: bool = False) -> list[str]:
    """Return what each part `qty@price` of one order costs."""
    qty_before = money_before = fees_before = Decimal(0)
    charged = []
    for text in parts.split():
        qty, price = map(Decimal, text.split("@"))
        fee = model.fee(Part(symbol, asset_class_of(symbol), side, qty, price, maker, qty_before, money_before, fees_before))
        qty_before += qty
        money_before += qty * price
        fees_before += fee
        charged.append(f"{fee.normalize():f}")
    return charged


@pytest.mark.parametrize(
    ("text", "parts", "expected"),
    [
        ("none", "10@100", ["0"]),
        ("bps:0", "10@100", ["0"]),
        # 1000 × 10 / 10000; nothing is rounded: 745.13 × 0.0007 = 0.521591.
        ("bps:10", "10@100", ["1"]),
        ("bps:7", "1@745.13", ["0.521591"]),
        ("bps:10:1.50", "10@100", ["1.5"]),
        ("bps:10:1.50", "20@100", ["2"]),
        # The order owes 0.4, 0.8, 1.0 in all, and at least 0.7.
        ("bps:10:0.7", "4@100 4@100 2@100", ["0.7", "0.1", "0.2"]),
        ("bps:10", "4@100 4@100 2@100", ["0.4", "0.4", "0.2"]),
        ("bps:0:2", "4@100 4@100", ["2", "0"]),
        ("per-share:0.005", "10@100", ["0.05"]),
        ("per-share:0.005:1", "10@100", ["1"]),
        ("per-share:0.005:1", "300@100", ["1.5"]),
        # 0.5, 1.0, 1.5 by shares; the order's minimum of 1 is used up by the second part.
        ("per-share:0.005:1", "100@100 100@100 100@100", ["1", "0", "0.5"]),
        # The maximum is money and counts for the whole order.
        ("per-share:0.5:1:4", "10@100", ["4"]),
        ("per-share:0.5:1:4", "1@100 5@100 10@100", ["1", "2", "1"]),
        ("per-share:0.5:0:4", "1@100 5@100 10@100", ["0.5", "2.5", "1"]),
        ("per-trade:2", "10@100", ["2"]),
        ("per-trade:2.25", "1@100 1@100 1@100", ["2.25", "0", "0"]),
    ],
)
def test_fees(text: str, parts: str, expected: list[str]) -> None:
    assert fees_of(fee_model(text), parts) == expected


@pytest.mark.parametrize(
    ("parts", "side", "symbol", "maker", "expected"),
    [
        ("100@500", B, "SPY", False, ["0"]),
        # 50,000 × 0.0000206 = 1.03; 100 × 0.000195 = 0.0195, up to 0.02.
        ("100@500", S, "SPY", False, ["1.05"]),
        # 500 × 0.0000206 = 0.0103, up to 0.02; 0.000195, up to 0.01.
        ("1@500", S, "SPY", False, ["0.03"]),
        # 1,000,000 × 0.0000206 = 20.6; 100,000 × 0.000195 = 19.5, at most 9.79.
        ("100000@10", S, "SPY", False, ["30.39"]),
        # Rounded over the order, not by part: 0.02 + 0.01, then 0.0206 → 0.03 + 0.01, then 0.0309 → 0.04 + 0.01.
        ("1@500 1@500 1@500", S, "SPY", False, ["0.03", "0.01", "0.01"]),
        # 1000 × 0.0025 and × 0.0015.
        ("1@1000", B, "BTC/USD", False, ["2.5"]),
        ("1@1000", S, "BTC/USD", True, ["1.5"]),
        # Not rounded: 0.001 × 745.13 × 0.0015.
        ("0.001@745.13", B, "BTC/USD", True, ["0.001117695"]),
        ("1000@1.1", S, "EUR/USD", False, ["0"]),
    ],
)
def test_alpaca(parts: str, side: OrderSide, symbol: str, maker: bool, expected: list[str]) -> None:
    assert fees_of(fee_model("alpaca"), parts, side=side, symbol=symbol, maker=maker) == expected


def test_an_order_that_fills_at_its_limit_and_at_an_open_pays_each_part_by_its_kind() -> None:
    model = AlpacaFee()
    crypto = AssetClass.CRYPTO
    assert model.fee(Part("BTC/USD", crypto, B, Decimal(1), Decimal(1000), True)) == Decimal("1.5")
    assert model.fee(Part("BTC/USD", crypto, B, Decimal(1), Decimal(1000), False, Decimal(1), Decimal(1000), Decimal("1.5"))) == Decimal(
        "2.5"
    )


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("none", NoFee()),
        (" NONE ", NoFee()),
        ("per-trade:0", NoFee()),
        ("per-share:0", NoFee()),
        ("per-share:5:0:0", NoFee()),
        ("bps:10", BpsFee(Decimal(10))),
        ("BPS: 10 : 1", BpsFee(Decimal(10), Decimal(1))),
        ("per-share:0.005:1:20", PerShareFee(Decimal("0.005"), Decimal(1), Decimal(20))),
        ("per-trade:1", PerTradeFee(Decimal(1))),
        ("alpaca", AlpacaFee()),
    ],
)
def test_text_forms(text: str, model: FeeModel) -> None:
    assert fee_model(text) == model


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("per-shar:0.005", "There is no fee model named 'per-shar'. Did you mean per-share?"),
        (
            "x",
            "There is no fee model named 'x'. Write one of none, bps:N[:min], per-share:X[:min[:max]], per-trade:X, alpaca, plugin.",
        ),
        ("", "There is no fee model named ''. Write one of none, bps:N[:min], per-share:X[:min[:max]], per-trade:X, alpaca, plugin."),
    ],
)
def test_an_unknown_name_is_told_the_near_one(text: str, sentence: str) -> None:
    with pytest.raises(UnknownName) as caught:
        fee_model(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("none:1", "fees cannot be 'none:1': write it as none."),
        ("bps", "fees cannot be 'bps': write it as bps:N[:min]."),
        ("bps:1:2:3", "fees cannot be 'bps:1:2:3': write it as bps:N[:min]."),
        ("per-share:1:2:3:4", "fees cannot be 'per-share:1:2:3:4': write it as per-share:X[:min[:max]]."),
        ("alpaca:2", "fees cannot be 'alpaca:2': write it as alpaca."),
        ("bps:", "fees cannot be 'bps:': the number of basis points is '', which is not a number."),
        ("bps:ten", "fees cannot be 'bps:ten': the number of basis points is 'ten', which is not a number."),
        ("bps:nan", "fees cannot be 'bps:nan': the number of basis points is 'nan', which is not a number."),
        ("bps:10000", "fees cannot be 'bps:10000': the number of basis points must be below 10000."),
        ("bps:-1", "fees cannot be 'bps:-1': the number of basis points cannot be below zero."),
        ("bps:1:-1", "fees cannot be 'bps:1:-1': the minimum cannot be below zero."),
        ("per-share:1e-13", "fees cannot be 'per-share:1e-13': the charge per share has more than 12 decimals."),
        ("per-share:1:2:1", "fees cannot be 'per-share:1:2:1': the maximum cannot be below the minimum."),
        ("per-trade:2e9", "fees cannot be 'per-trade:2e9': the charge per trade cannot be above 1000000000."),
        ("plugin", "fees cannot be 'plugin': the strategy has no fee_model of its own."),
    ],
)
def test_what_is_amiss_is_named_with_its_bound(text: str, sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        fee_model(text)
    assert str(caught.value) == sentence


def test_plugin_takes_the_strategys_own_model() -> None:
    own = PerTradeFee(Decimal(3))
    assert fee_model("plugin", own) is own
    assert fee_model("none", own) == NoFee()
