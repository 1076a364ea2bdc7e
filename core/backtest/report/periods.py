"""Returns by month and year."""

import numpy as np

from core.backtest.stats_returns import trading_day
from core.model.market import AssetClass, Floats, Instants
from core.model.report import YearReturns


def yearly_returns(equity_ns: Instants, equity: Floats, asset_class: AssetClass) -> tuple[YearReturns, ...]:
    """Return the returns of each month and year, oldest year first.

    A month ends with the last point of its last trading day; its return is measured from the last point before it, the
    first month's from the first point. A return from zero or below is None. A year's is measured likewise.
    """
    if len(equity) < 2:
        return ()
    days = trading_day(equity_ns[1:], asset_class)
    last_of_day = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    months = days[last_of_day].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    closes = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    at = last_of_day[closes] + 1
    ends = equity[at]
    begins = np.concatenate((equity[:1], ends[:-1]))
    rows: dict[int, list[float | None]] = {}
    spans: dict[int, tuple[float, float]] = {}
    for month, begin, end in zip(months[closes].tolist(), begins.tolist(), ends.tolist(), strict=True):
        year, place = divmod(month, 12)
        rows.setdefault(1970 + year, [None] * 12)[place] = end / begin - 1.0 if begin > 0 else None
        spans[1970 + year] = (spans.get(1970 + year, (begin, end))[0], end)
    totals = {year: end / begin - 1.0 if begin > 0 else None for year, (begin, end) in spans.items()}
    return tuple(YearReturns(year, tuple(row), totals[year]) for year, row in sorted(rows.items()))


def monthly_gains(equity_ns: Instants, equity: Floats, asset_class: AssetClass) -> tuple[Instants, Floats]:
    """Return the months that have points (months since 1970) and what equity gained in each, in money."""
    if len(equity) < 2:
        return np.empty(0, np.int64), np.empty(0)
    days = trading_day(equity_ns[1:], asset_class)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    closes = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    return months[closes], np.diff(np.concatenate((equity[:1], equity[closes + 1])))
