"""Back to the session's average price."""

from core.strategy.api import Bar, BarStrategy, atr, equity_share, param, vwap


class VwapReversion(BarStrategy):
    """VWAP reversion.

    The VWAP is the average price since the session began, weighted by volume. Buys at the next open when the close is
    `entry_ranges` average true ranges below it; takes the profit at the VWAP of that moment and the loss `stop_ranges`
    below the close. It closes what is left when a new session begins. Where there are no sessions, days in UTC are.
    Needs bars with volume, shorter than a day. Long only.
    """

    id = "vwap-reversion"
    version = "1"

    range_bars: int = param(30, minimum=2, maximum=5_000, help="Bars in the average true range.")
    entry_ranges: float = param(3.0, minimum=0.1, maximum=100.0, help="Average true ranges below the VWAP at which it buys.")
    stop_ranges: float = param(3.0, minimum=0.1, maximum=100.0, help="Average true ranges below the close at which it gives up.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the prices it asks for.")

    def setup(self) -> None:
        high, low, session = self.column("high"), self.column("low"), self.column("session")
        self.average = self.indicator(vwap, high, low, self.close, self.column("volume"), session, name="VWAP")
        self.range = self.indicator(atr, high, low, self.close, self.range_bars, pane="range")
        self.session = self.indicator(lambda column: column, session, name="session", pane="")
        self.level = self.plot("entry level")

    def on_bar(self, bar: Bar) -> None:
        average, reach = self.average.value, self.range.value
        level = average - self.entry_ranges * reach
        if level != level:  # nan: no volume yet, or too few bars
            return
        self.level.set(level)
        if self.held() > 0:
            if self.session.value != self.session[-2]:
                self.close_position(note=f"the session ended before the VWAP came, close {bar.close:.6g}")
        elif bar.close < level and not self.account.working():
            target, stop = round(average, self.digits), round(bar.close - self.stop_ranges * reach, self.digits)
            if 0 < stop < target:
                why = f"close {bar.close:.6g} is {(average - bar.close) / reach:.1f} ranges below the VWAP {average:.6g}"
                self.buy(equity_share(self.share), target=target, stop_loss=stop, time_in_force="gtc", note=why)
