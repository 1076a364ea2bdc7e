"""Crossing of two simple moving averages."""

from core.strategy.api import Bar, BarStrategy, param, sma


class SmaCross(BarStrategy):
    """Moving-average cross.

    Buys at the next open when the fast average of closes rises above the slow one, and sells all it holds when the
    fast one is no longer above. *Above* means `fast − slow > 1e-9 × slow`, so that a tie is not above, whatever the
    rounding. The first bar at which both averages exist only sets the state. Long only.
    """

    id = "sma-cross"
    version = "1"

    fast: int = param(10, minimum=1, maximum=10_000, help="Bars in the fast average.")
    slow: int = param(30, minimum=1, maximum=10_000, help="Bars in the slow average; more than in the fast one.")
    qty: float = param(1.0, minimum=0.00000001, help="Units to buy at each crossing.")

    def setup(self) -> None:
        self.fast_average = self.indicator(sma, self.close, self.fast)
        self.slow_average = self.indicator(sma, self.close, self.slow)
        self.above: bool | None = None

    def on_bar(self, bar: Bar) -> None:
        slow = self.slow_average.value
        gap = self.fast_average.value - slow
        above = gap > 1e-9 * slow
        if above is self.above:
            return
        if gap != gap:  # nan: one of the averages does not exist yet
            return
        if self.above is None:
            self.above = above
            return
        self.above = above
        if above:
            self.buy(self.qty, note="fast average rose above the slow one")
        else:
            held = self.held()
            if held > 0:
                self.sell(held, note="fast average fell below the slow one")
