"""Buying what has fallen too fast in a market that rises."""

from core.strategy.api import Bar, BarStrategy, equity_share, leg, param, rsi, sma


class RsiReversion(BarStrategy):
    """RSI reversion.

    Buys at the next open when the relative strength index of the last `period` bars is below `oversold` while the close
    is above the average of the last `trend` closes. Sells all when the index is above `recovered`, or at a stop `loss`
    below the close it bought on. Long only.
    """

    id = "rsi-reversion"
    version = "1"

    period: int = param(3, minimum=2, maximum=1_000, help="Bars in the relative strength index.")
    oversold: float = param(20.0, minimum=0.0, maximum=100.0, help="Buy below this index.")
    recovered: float = param(60.0, minimum=0.0, maximum=100.0, help="Sell above this index.")
    trend: int = param(100, minimum=2, maximum=10_000, help="Bars in the average that the close must be above.")
    loss: float = param(0.05, minimum=0.001, maximum=0.9, help="How far below the close the stop is; 0.05 is 5 percent.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the stop's price.")

    def warmup_bars(self) -> int:
        return max(self.trend, self.period + 1)

    def setup(self) -> None:
        self.strength = self.indicator(rsi, self.close, self.period, pane="rsi")
        self.average = self.indicator(sma, self.close, self.trend, name="trend")
        self.leaving: str | None = None

    def on_bar(self, bar: Bar) -> None:
        strength = self.strength.value
        if self.held() > 0:
            if strength > self.recovered and self.leaving not in self.account.working():
                self.leaving = self.close_position(note=f"RSI {strength:.1f} above {self.recovered:g}")
        elif strength < self.oversold and bar.close > self.average.value and not self.account.working():
            stop = round(bar.close * (1.0 - self.loss), self.digits)
            if stop > 0:
                why = f"RSI {strength:.1f} below {self.oversold:g}, close {bar.close:.6g} above the trend's {self.average.value:.6g}"
                self.buy(equity_share(self.share), stop_loss=leg(stop=stop, time_in_force="gtc"), note=why)
