"""Buying below the average and selling above it."""

from core.strategy.api import Bar, BarStrategy, param, sma

TIE = 1e-9
"""Relative distance within which a close is neither above nor below a threshold, whatever the rounding."""


class MeanReversion(BarStrategy):
    """Mean reversion.

    Buys at the next open when it is flat and the close is below `(1 − entry) ×` the mean of the last `lookback` closes,
    this bar's included; sells all it holds when the close is above `(1 + exit) ×` that mean. It waits while an order of
    its own is still working. Long only.
    """

    id = "mean-reversion"
    version = "1"

    lookback: int = param(20, minimum=2, maximum=10_000, help="Bars in the mean.")
    entry: float = param(0.02, minimum=0.0, maximum=0.99, help="Buy this far below the mean; 0.02 is 2 percent.")
    exit: float = param(0.0, minimum=-0.99, maximum=10.0, help="Sell this far above the mean; 0 sells at the mean.")
    qty: float = param(1.0, minimum=0.00000001, help="Units to buy.")

    def setup(self) -> None:
        self.mean = self.indicator(sma, self.close, self.lookback)
        self.below = (1.0 - self.entry) * (1.0 - TIE)
        self.above = (1.0 + self.exit) * (1.0 + TIE)

    def on_bar(self, bar: Bar) -> None:
        close, mean = bar.close, self.mean.value
        # While the mean does not exist it is nan, and both comparisons are false.
        cheap = close < self.below * mean
        dear = close > self.above * mean
        if not (cheap or dear):
            return
        held = self.held()
        if cheap and held == 0 and not self.account.working():
            self.buy(self.qty, note="close is below the mean")
        elif dear and held > 0 and not self.account.working():
            self.sell(held, note="close is back at the mean")
