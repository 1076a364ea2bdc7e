"""Statistics across splits and dividends: no step in a price is a gain or a loss."""

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.backtest.adjusted import as_held, in_first_units, split_factors, splits_without_step
from core.backtest.report.exposure import exposure_curve
from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import with_excursions
from core.model.corporate_action import Dividend, PositionChange, Split, day_number
from core.model.instants import DAY_NS, parse_instant
from core.model.market import AssetClass, BarSeries, Timeframe
from core.model.order import Fill, OrderSide
from core.model.position import PositionSide
from core.model.round_trips import round_trips

START_NS = parse_instant("2024-01-02")
"""A Tuesday; four sessions follow each other."""

CLOSES = [100.0, 110.0, 22.0, 24.0]
"""Five for one before the third day."""

SPLIT = Split(symbol="SPY", day=day_number(date(2024, 1, 4)), ratio=Decimal(5))


def series() -> BarSeries:
    close = np.array(CLOSES)
    opens = np.array([100.0, 100.0, 22.0, 22.0])
    return BarSeries(
        symbol="SPY", timeframe=Timeframe(DAY_NS), start_ns=START_NS + DAY_NS * np.arange(4), open=opens, high=np.maximum(opens, close) + 1,
        low=np.minimum(opens, close) - 1, close=close, volume=np.ones(4),
    )  # fmt: skip


def fill(side: str, qty: str, price: str, day: int, fee: str = "0") -> Fill:
    return Fill(
        id=f"{side}{day}", run_id="r", order_id=f"{side}{day}", symbol="SPY", side=OrderSide(side), qty=Decimal(qty), price=Decimal(price),
        fee=Decimal(fee), slippage=Decimal(0), time_ns=START_NS + DAY_NS * day,
    )  # fmt: skip


def change(ratio: str, qty: str, cash: str = "0", day: int = 2) -> PositionChange:
    return PositionChange(symbol="SPY", ratio=Decimal(ratio), qty=Decimal(qty), cash=Decimal(cash), time_ns=START_NS + DAY_NS * day)


def test_a_split_makes_no_step() -> None:
    bars = series()
    factors = split_factors(bars, (SPLIT,))
    assert factors is not None
    assert factors.tolist() == [1, 1, 5, 5]
    assert in_first_units(bars, (SPLIT,)).close.tolist() == [100, 110, 110, 120]
    assert split_factors(bars, ()) is None
    assert in_first_units(bars, ()) is bars


def test_dividends_are_put_into_more_of_it() -> None:
    paid = Dividend(symbol="SPY", day=SPLIT.day, amount=Decimal("2.2"))
    assert as_held(series(), (SPLIT, paid)).close.tolist() == pytest.approx([100, 110, 110 * 1.1, 120 * 1.1])
    assert split_factors(series(), (paid,)) is None


@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 6)])
def test_what_happened_before_the_first_bar_or_after_the_last_changes_nothing(day: date) -> None:
    assert split_factors(series(), (Split(symbol="SPY", day=day_number(day), ratio=Decimal(5)),)) is None


def test_holding_the_benchmark_over_a_split_gains_what_the_shares_gained() -> None:
    equity_ns = START_NS + DAY_NS * np.arange(5)

    def figures(**more: Any) -> dict[str, float | None]:
        return compute_statistics(
            equity_ns=equity_ns, equity=np.array([100.0, 100, 110, 110, 120]), trades=(), fills=(), asset_class=AssetClass.EQUITY,
            bars={"SPY": series()}, **more,
        )  # fmt: skip

    held = figures(actions={"SPY": (SPLIT,)})
    assert [held["buy_hold_return"], held["beta"]] == pytest.approx([0.2, 1.0])
    assert held["alpha"] == pytest.approx(0, abs=1e-9)
    assert figures()["buy_hold_return"] == pytest.approx(-0.76)


@pytest.mark.parametrize(("opening", "closing", "side", "gain"), [("buy", "sell", "long", "100"), ("sell", "buy", "short", "-100")])
def test_a_trade_over_a_split_gains_what_the_money_did(opening: str, closing: str, side: str, gain: str) -> None:
    signed = "50" if side == "long" else "-50"
    fills = [fill(opening, "10", "100", 0, fee="3"), fill(closing, "50", "22", 3, fee="1")]
    (trade,) = round_trips(fills, [change("5", signed)])
    assert (trade.side, trade.qty, trade.entry_price, trade.exit_price) == (PositionSide(side), Decimal(50), Decimal(20), Decimal(22))
    assert (trade.pnl, trade.fees) == (Decimal(gain) - 4, Decimal(4))
    (known,) = with_excursions([trade], {"SPY": series()}, {"SPY": (SPLIT,)})
    # Per old share: entry 100; bars from 99 to 111, then 105 to 115; exit 110.
    worst, best = (-0.01, 0.15) if side == "long" else (-0.15, 0.01)
    assert [known.mae, known.mfe] == pytest.approx([worst, best])


def test_the_fraction_that_a_split_pays_in_cash_is_a_trade() -> None:
    # 7 × 1.5 is 10 and a half: the half is paid at 60 a share.
    fills = [fill("buy", "7", "90", 0, fee="7"), fill("sell", "10", "66", 3)]
    fraction, rest = round_trips(fills, [change("1.5", "10", cash="30")])
    assert (fraction.qty, fraction.exit_price) == (Decimal("0.5"), Decimal(60))
    assert (fraction.exit_order_id, fraction.exit_ns) == ("", START_NS + 2 * DAY_NS)
    assert rest.qty == 10
    # All the money: −630 − 7 + 30 + 660.
    assert fraction.pnl + rest.pnl == pytest.approx(Decimal(53))
    assert fraction.fees + rest.fees == 7
    # The half is 0.5 of 10.5 units: a third of one.
    assert fraction.fees == Decimal("0.3333333333")


def test_a_split_while_flat_and_one_after_the_last_fill() -> None:
    fills = [fill("buy", "1", "100", 0), fill("sell", "1", "110", 1), fill("buy", "3", "22", 2)]
    assert [trade.pnl for trade in round_trips(fills, [change("5", "0"), change("0.5", "1", cash="22", day=3)])] == [10, 0]


def test_exposure_counts_the_units_of_after_a_split() -> None:
    fills = [fill("buy", "10", "100", 0), fill("sell", "25", "22", 3)]
    when = START_NS + DAY_NS * np.arange(5)
    found = exposure_curve(fills, {"SPY": series()}, when, np.full(5, 1_000.0), {"SPY": (SPLIT,)})
    assert found is not None
    np.testing.assert_allclose(found.net, [0, 1.0, 1.1, 1.1, 0.6])


@pytest.mark.parametrize(
    ("ratio", "opened", "counts_twice"),
    [
        ("5", 22.0, False),
        ("5", 110.0, True),
        ("5", 60.0, True),  # 110 ÷ 60 is nearer to no split than to one of five
        ("5", 40.0, False),
        ("0.1", 1_100.0, False),
        ("0.1", 115.0, True),
        ("1.25", 110.0, True),
        ("1.2", 110.0, False),  # a night may move as much
        ("5", 0.0, False),
    ],
)
def test_a_split_whose_price_stood_still_is_in_the_prices_already(ratio: str, opened: float, counts_twice: bool) -> None:
    bars = series()
    bars.open[2] = opened
    split = Split(symbol="SPY", day=SPLIT.day, ratio=Decimal(ratio))
    paid = Dividend(symbol="SPY", day=SPLIT.day, amount=Decimal(1))
    assert splits_without_step(bars, [split, paid]) == ([split] if counts_twice else [])


@pytest.mark.parametrize("day", [date(2024, 1, 2), date(2023, 12, 1), date(2024, 3, 1)])
def test_a_split_outside_the_bars_says_nothing_about_them(day: date) -> None:
    assert splits_without_step(series(), [Split(symbol="SPY", day=day_number(day), ratio=Decimal(5))]) == []
