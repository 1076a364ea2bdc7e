"""What holds for the statistics of any run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.backtest.stats import compute_statistics
from core.backtest.stats_drawdown import drawdown
from core.backtest.stats_returns import Figures
from core.model.instants import DAY_NS, HOUR_NS
from core.model.market import AssetClass, Floats
from core.model.statistics import STATISTICS, StatisticUnit

curves = arrays(np.float64, st.integers(1, 60), elements=st.floats(1, 1e6))
steps = st.sampled_from([60 * 10**9, HOUR_NS, DAY_NS, 3 * DAY_NS])
classes = st.sampled_from(AssetClass)


def figures(equity: Floats, step_ns: int, asset_class: AssetClass) -> Figures:
    when = 1_700_000_000 * 10**9 + step_ns * np.arange(len(equity))
    return compute_statistics(equity_ns=when, equity=equity, trades=(), fills=(), asset_class=asset_class)


@given(equity=curves, step_ns=steps, asset_class=classes)
def test_every_figure_is_finite_or_none_and_inside_its_range(equity: Floats, step_ns: int, asset_class: AssetClass) -> None:
    found = figures(equity, step_ns, asset_class)
    assert list(found) == [spec.key for spec in STATISTICS]
    assert all(value is None or math.isfinite(value) for value in found.values())
    fall, average, ulcer = found["max_drawdown"], found["avg_drawdown"], found["ulcer_index"]
    assert fall is not None
    assert ulcer is not None
    assert -1.0 <= fall <= 0.0
    assert 0.0 <= ulcer <= -fall + 1e-12
    assert average is None or fall - 1e-12 <= average < 0.0
    duration = found["max_drawdown_duration_s"]
    assert duration is not None
    assert 0.0 <= duration <= step_ns / 10**9 * (len(equity) - 1)
    assert (duration > 0.0) == (fall < 0.0)
    tail, risk = found["cvar_95"], found["value_at_risk_95"]
    assert (tail is None) == (risk is None) == (len(equity) < 2)
    if tail is not None and risk is not None:
        assert tail <= risk + 1e-12 * abs(risk)
    assert found["volatility_ann"] is None or found["volatility_ann"] >= 0.0
    assert found["omega"] is None or found["omega"] >= 0.0


@given(equity=curves, step_ns=steps, asset_class=classes, power=st.integers(-8, 8))
def test_another_size_of_account_changes_money_only(equity: Floats, step_ns: int, asset_class: AssetClass, power: int) -> None:
    small, large = figures(equity, step_ns, asset_class), figures(equity * 2.0**power, step_ns, asset_class)
    for spec in STATISTICS:
        scale = 2.0**power if spec.unit is StatisticUnit.MONEY else 1.0
        value = small[spec.key]
        assert large[spec.key] == (value if value is None else pytest.approx(value * scale, rel=1e-12))


@given(equity=curves)
def test_drawdown_is_measured_from_the_highest_point_before(equity: Floats) -> None:
    direct = [equity[i] / equity[: i + 1].max() - 1.0 for i in range(len(equity))]
    assert drawdown(equity).tolist() == direct


@given(equity=curves, step_ns=steps, asset_class=classes)
def test_the_total_return_is_one_that_the_daily_ones_can_compound_to(equity: Floats, step_ns: int, asset_class: AssetClass) -> None:
    found = figures(equity, step_ns, asset_class)
    best, worst, total = found["best_day"], found["worst_day"], found["total_return"]
    if best is None or worst is None or total is None:
        assert len(equity) == 1
        return
    assert worst <= best
    # Of up to so many daily returns, none outside the worst and the best.
    most, slack = max(1, len(equity) - 1), 1e-9
    assert min(0.0, most * math.log1p(worst)) - slack <= math.log1p(total) <= max(0.0, most * math.log1p(best)) + slack
