"""Strategies that sell short, for a margin account; none of the built-in ones does."""

from core.strategy.api import Bar, BarStrategy, donchian_lower, donchian_upper, equity_share, leg, param, rsi


class LongShort(BarStrategy):
    """Long above the channel, short below it, for `share` of the equity; it goes flat at market before it turns."""

    id = "long-short"
    version = "1"

    bars: int = param(8, minimum=2, maximum=500)
    share: float = param(1.0, minimum=0.01, maximum=2.0)

    def setup(self) -> None:
        self.top = self.indicator(donchian_upper, self.column("high"), self.bars)
        self.bottom = self.indicator(donchian_lower, self.column("low"), self.bars)

    def on_bar(self, bar: Bar) -> None:
        held = self.held()
        up, down = bar.close > self.top[-2], bar.close < self.bottom[-2]
        if (up and held < 0) or (down and held > 0):
            self.close_position(note="the channel broke the other way")
        elif held == 0 and (up or down):
            size = equity_share(self.share)
            _ = self.buy(size, note="above the channel") if up else self.sell(size, note="below the channel")


class ShortBrackets(BarStrategy):
    """Sells strength short by a limit above the close, with a target and a trailing stop behind it."""

    id = "short-brackets"
    version = "1"

    share: float = param(0.5, minimum=0.01, maximum=1.5)

    def setup(self) -> None:
        self.strength = self.indicator(rsi, self.close, 3)

    def on_bar(self, bar: Bar) -> None:
        if self.held() or self.account.working() or not self.strength.value > 55.0:
            return
        limit, target = round(bar.close * 1.003, 2), round(bar.close * 0.97, 2)
        trail = leg(trail_percent=3, time_in_force="gtc")
        self.sell(equity_share(self.share), limit=limit, time_in_force="gtc", target=leg(limit=target), stop_loss=trail, note="strong")


class ShortAndHold(BarStrategy):
    """Sells short for `share` of the equity and waits for the margin call; then does it again."""

    id = "short-and-hold"
    version = "1"

    share: float = param(1.0, minimum=0.01, maximum=2.0)

    def on_bar(self, bar: Bar) -> None:
        if not self.held() and not self.account.working():
            self.sell(equity_share(self.share), time_in_force="gtc", note="short")
