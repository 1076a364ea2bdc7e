"""Two timeframes: the trend of the larger one, the entry of the run's own."""

from core.strategy.api import HOUR_NS, Bar, BarStrategy, ema, equity_share, param


class TrendPullback(BarStrategy):
    """Pullback in a larger trend.

    While the exponential average of the larger timeframe's closes rises, bids `depth` below the close for `hours`
    hours. What it bought it sells at a profit of `gain` or a loss of `loss`, whichever comes first: two orders of which
    one cancels the other. Long only. The run's own bars must be shorter than the larger ones.
    """

    id = "trend-pullback"
    version = "1"

    larger: str = param("1d", choices=("1h", "4h", "1d", "1w"), help="Timeframe of the trend, built from the run's bars.")
    trend: int = param(5, minimum=2, maximum=1_000, help="Larger bars in the average.")
    depth: float = param(0.005, minimum=0.0, maximum=0.5, help="How far below the close to bid; 0.005 is half a percent.")
    hours: int = param(12, minimum=1, maximum=10_000, help="Hours until a bid is given up.")
    gain: float = param(0.02, minimum=0.001, maximum=10.0, help="Profit at which it sells; 0.02 is 2 percent.")
    loss: float = param(0.01, minimum=0.001, maximum=0.9, help="Loss at which it sells.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the prices it asks for.")

    def setup(self) -> None:
        self.average = self.indicator(ema, self.column("close", timeframe=self.larger), self.trend, name="larger trend")
        self.is_rising = False

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.is_rising = self.average.value > self.average[-2]

    def on_bar(self, bar: Bar) -> None:
        if self.account.working():
            return
        held = self.held()
        if held > 0:
            paid = float(self.account.position(bar.symbol).avg_price)
            target, stop = round(paid * (1.0 + self.gain), self.digits), round(paid * (1.0 - self.loss), self.digits)
            if 0 < stop < target:
                why = f"paid {paid:.6g}: out at {target:g} or {stop:g}"
                self.oco("sell", held, limit=target, stop=stop, time_in_force="gtc", reduce_only=True, note=why)
        elif self.is_rising:
            bid = round(bar.close * (1.0 - self.depth), self.digits)
            if bid > 0:
                why = f"the {self.larger} average rose to {self.average.value:.6g}; bid {bid:g} below the close {bar.close:.6g}"
                self.buy(equity_share(self.share), limit=bid, expires=bar.end_ns + self.hours * HOUR_NS, note=why)
