"""One run in each engine, told in the same words: fills by bar, and the equity at the end."""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from core.model.market import BarSeries, Floats
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.api import BarStrategy
from tests.backtests import Backtest, backtest
from tests.crosscheck.real_bars import Market

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import backtesting

CASH: Final = 100_000.0
MARGIN: Final = AccountTerms(kind=AccountKind.MARGIN)

Made = tuple[int, str, float, float]
"""A fill: the number of its bar, its side, units and price. What fills in one bar on one side at one price is one fill."""


class Theirs(backtesting.Strategy):  # type: ignore[misc]
    """A strategy of backtesting.py, with the market it trades and the number of the bar it is called for.

    Its indicators are plain arrays read at `self.at`. Declared through `self.I` they would shift the first call: backtesting.py
    skips the bar at which the slowest of them first has a value.
    """

    market: Market

    @property
    def at(self) -> int:
        return len(self.data) - 1

    def array(self, name: str) -> Floats:
        """Return a whole column; to be called in `init` alone."""
        return np.asarray(getattr(self.data, name), np.float64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: the fills, how many orders were refused for lack of money, the equity at the last close."""

    fills: list[Made]
    refused: int
    equity: float


def by_theirs(
    bars: BarSeries,
    strategy: type[Theirs],
    market: Market,
    *,
    commission: float | tuple[float, float] | Callable[[float, float], float] = 0.0,
    margin: float = 1.0,
    **options: Any,
) -> Outcome:
    """Run a strategy by backtesting.py. A reversal's two halves are told as one fill, a trade closed in parts likewise."""
    index = pd.to_datetime(bars.start_ns)
    columns = {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume}
    made = type(strategy.__name__, (strategy,), {"market": market})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test = backtesting.Backtest(pd.DataFrame(columns, index=index), made, cash=CASH, commission=commission, margin=margin, **options)
        stats = test.run()
    refused = sum("Broker canceled" in str(warning.message) for warning in caught)
    units: Counter[tuple[int, str, float]] = Counter()
    for trade in (*stats["_strategy"].closed_trades, *stats["_strategy"].trades):
        sides = ("buy", "sell") if trade.size > 0 else ("sell", "buy")
        units[trade.entry_bar, sides[0], trade.entry_price] += abs(trade.size)
        if trade.exit_bar is not None:
            units[trade.exit_bar, sides[1], trade.exit_price] += abs(trade.size)
    return Outcome(_told(units), refused, float(stats["Equity Final [$]"]))


def by_ours(
    bars: BarSeries,
    strategy: BarStrategy,
    market: Market,
    *,
    fees: str = "none",
    path: PathModel = PathModel.PESSIMISTIC,
    account: AccountTerms | None = None,
    **options: Any,
) -> tuple[Outcome, Backtest]:
    """Run a strategy by the simulator of the product."""
    strategy.market = market  # type: ignore[attr-defined]
    run = backtest(strategy, bars, cash=str(int(CASH)), fees=fees, path=path, account=account, **options)
    bar_of = {int(start): at for at, start in enumerate(bars.start_ns)}
    units: Counter[tuple[int, str, float]] = Counter()
    for fill in run.fills:
        units[bar_of[fill.time_ns], fill.side.value, float(fill.price)] += float(fill.qty)  # type: ignore[assignment]
    return Outcome(_told(units), len(run.rejections), float(run.venue.equity)), run


def _told(units: Counter[tuple[int, str, float]]) -> list[Made]:
    return [(bar, side, float(qty), float(price)) for (bar, side, price), qty in sorted(units.items())]
