"""Breaking out of a channel, with risk in proportion."""

from core.strategy.api import Bar, BarStrategy, atr, cash, donchian_lower, donchian_upper, leg, param


class Breakout(BarStrategy):
    """Channel breakout.

    Buys at the next open when the close is above the highest high of the `entry_bars` bars before, for so much money
    that a fall of `stop_ranges` average true ranges costs `risk` of the equity, at most `most` of it; a stop lies there.
    Sells all when the close is below the lowest low of the `exit_bars` bars before. Long only.
    """

    id = "breakout"
    version = "1"

    entry_bars: int = param(20, minimum=2, maximum=5_000, help="Bars in the channel that it must break out of.")
    exit_bars: int = param(10, minimum=2, maximum=5_000, help="Bars in the channel that makes it leave.")
    range_bars: int = param(20, minimum=2, maximum=5_000, help="Bars in the average true range.")
    stop_ranges: float = param(2.0, minimum=0.1, maximum=50.0, help="The stop is this many average true ranges below the close.")
    risk: float = param(0.01, minimum=0.0001, maximum=0.5, help="Share of equity that the stop may cost; 0.01 is 1 percent.")
    most: float = param(0.9, minimum=0.01, maximum=1.0, help="Largest share of equity in one position.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the stop's price.")

    def warmup_bars(self) -> int:
        return max(self.entry_bars, self.exit_bars, self.range_bars) + 1

    def setup(self) -> None:
        high, low = self.column("high"), self.column("low")
        self.top = self.indicator(donchian_upper, high, self.entry_bars, name="entry channel")
        self.bottom = self.indicator(donchian_lower, low, self.exit_bars, name="exit channel")
        self.range = self.indicator(atr, high, low, self.close, self.range_bars, pane="range")
        self.leaving: str | None = None

    def on_bar(self, bar: Bar) -> None:
        # [-2] is the channel before this bar: with it, nothing could ever be above the highest high.
        if self.held() > 0:
            bottom = self.bottom[-2]
            if bar.close < bottom and self.leaving not in self.account.working():
                self.leaving = self.close_position(note=f"close {bar.close:.6g} below the channel's {bottom:.6g}")
        elif bar.close > self.top[-2] and self.range.value > 0 and not self.account.working():
            distance = self.stop_ranges * self.range.value
            stop = round(bar.close - distance, self.digits)
            money = float(self.account.equity) * min(self.most, self.risk * bar.close / distance)
            if stop > 0 and money >= 0.01:
                why = f"close {bar.close:.6g} above the channel's {self.top[-2]:.6g}, stop {distance:.4g} below"
                self.buy(cash(round(money, 2)), stop_loss=leg(stop=stop, time_in_force="gtc"), note=why)
