"""What was held over time, from the fills and the bars."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.backtest.adjusted import NO_ACTIONS, Actions, in_first_units, split_factors
from core.model.market import BarSeries, Floats, Instants
from core.model.money import to_float
from core.model.order import Fill
from core.model.report import Exposure


def exposure_curve(
    fills: Sequence[Fill], bars: Mapping[str, BarSeries], equity_ns: Instants, equity: Floats, actions: Actions = NO_ACTIONS
) -> Exposure | None:
    """Return the value of what was held at each point of the equity curve ÷ equity there; None where a symbol's bars are missing.

    A fill counts from the first point after its time: the end of the bar it happened in. Prices are the last closes.
    """
    count = len(equity)
    by_symbol: dict[str, list[Fill]] = {}
    for fill in fills:
        by_symbol.setdefault(fill.symbol, []).append(fill)
    if count == 0 or not all(symbol in bars and len(bars[symbol]) for symbol in by_symbol):
        return None
    gross, net = np.zeros(count), np.zeros(count)
    for symbol, own in by_symbol.items():
        series = bars[symbol]
        when = np.fromiter((fill.time_ns for fill in own), np.int64, len(own))
        signed = np.fromiter((fill.side.sign * to_float(fill.qty) for fill in own), np.float64, len(own))
        rounding = 1e-9 * float(np.abs(signed).max())
        factors = split_factors(series, actions.get(symbol, ()))
        if factors is not None:
            series = in_first_units(series, actions.get(symbol, ()))
            signed /= factors[np.clip(np.searchsorted(series.start_ns, when, side="right") - 1, 0, len(series) - 1)]
            # The fraction of a unit that a split paid in cash is no fill.
            rounding = max(rounding, 1.0 / float(factors.min()))
        steps = np.zeros(count)
        np.add.at(steps, np.minimum(np.searchsorted(equity_ns, when, side="right"), count - 1), signed)
        held = np.cumsum(steps)
        # Sums of floats: what is left of a closed position is their rounding.
        held[np.abs(held) < rounding] = 0.0
        # The bar that a point ends is the last that starts before it.
        known = np.maximum(np.searchsorted(series.start_ns, equity_ns, side="left") - 1, 0)
        value = held * series.close[known]
        gross += np.abs(value)
        net += value
    alive = equity > 0
    shares = [np.divide(money, equity, out=np.full(count, np.nan), where=alive) for money in (gross, net)]
    return Exposure(gross=shares[0], net=shares[1])
