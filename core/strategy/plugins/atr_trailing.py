"""Riding a trend behind a stop that follows it."""

from core.strategy.api import Bar, BarStrategy, atr, ema, equity_share, leg, param


class AtrTrailing(BarStrategy):
    """ATR trailing stop.

    Buys at the next open when the close crosses above the exponential average of the last `trend` closes. The only way
    out is a trailing stop, `ranges` average true ranges behind the best price since it bought; the distance is fixed
    with the order. Long only.
    """

    id = "atr-trailing"
    version = "1"

    trend: int = param(50, minimum=2, maximum=10_000, help="Bars in the average that the close must cross.")
    range_bars: int = param(14, minimum=2, maximum=5_000, help="Bars in the average true range.")
    ranges: float = param(3.0, minimum=0.1, maximum=50.0, help="Average true ranges between the best price and the stop.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the trailing distance.")

    def warmup_bars(self) -> int:
        return max(self.trend, self.range_bars) + 1

    def setup(self) -> None:
        self.average = self.indicator(ema, self.close, self.trend, name="trend")
        self.range = self.indicator(atr, self.column("high"), self.column("low"), self.close, self.range_bars, pane="range")
        self.best = self.plot("best close since it bought")
        self.highest = 0.0
        self.was_above: bool | None = None

    def on_bar(self, bar: Bar) -> None:
        average = self.average.value
        if average != average:  # nan: there is no average yet
            return
        is_above = bar.close > average
        crossed = is_above and self.was_above is False
        self.was_above = is_above
        if self.held() > 0:
            self.highest = max(self.highest, bar.close)
            self.best.set(self.highest)
            return
        self.highest = 0.0
        distance = round(self.ranges * self.range.value, self.digits) if self.range.value > 0 else 0.0
        if crossed and distance > 0 and not self.account.working():
            why = f"close {bar.close:.6g} crossed its average {average:.6g}; stop trails by {distance:g}"
            self.buy(equity_share(self.share), stop_loss=leg(trail=distance, time_in_force="gtc"), note=why)
