"""A few bars and a few orders in both engines: to show one difference at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from core.model.market import BarSeries
from core.model.run import PathModel
from core.strategy.api import Bar, BarStrategy
from tests.backtests import Backtest, minutes
from tests.crosscheck.engines import Outcome, Theirs, by_ours, by_theirs
from tests.crosscheck.real_bars import Market

PLAIN: Final = Market("EUR/USD", "", "1m", 1, 5, 0.001)
"""A symbol without sessions that may be sold short."""
FLAT: Final = (100.0, 101.0, 99.0, 100.0)

OurCalls = Mapping[int, Callable[["Scripted"], object]]
TheirCalls = Mapping[int, Callable[[Theirs], object]]


class Scripted(BarStrategy):
    """Does what the script says at the close of a bar, counted from 0."""

    market: Market

    def __init__(self, calls: OurCalls) -> None:
        super().__init__()
        self.calls = calls
        self.at = -1

    def on_bar(self, bar: Bar) -> None:
        self.at += 1
        if self.at in self.calls:
            self.calls[self.at](self)


def series(*rows: Sequence[float]) -> BarSeries:
    """Return bars of (open, high, low, close), the first two of them flat: backtesting.py is not called for the first."""
    return minutes([FLAT, FLAT, *rows], symbol=PLAIN.symbol)


def ours(bars: BarSeries, calls: OurCalls, *, path: PathModel = PathModel.ADAPTIVE, **options: Any) -> tuple[Outcome, Backtest]:
    """Run a script by the product, on its default path."""
    return by_ours(bars, Scripted(calls), PLAIN, path=path, **options)


def theirs(bars: BarSeries, calls: TheirCalls, **options: Any) -> Outcome:
    """Run a script by backtesting.py."""

    class Told(Theirs):
        def init(self) -> None:
            pass

        def next(self) -> None:
            if self.at in calls:
                calls[self.at](self)

    return by_theirs(bars, Told, PLAIN, **options)
