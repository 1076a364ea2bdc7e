"""Breaking out of the range in which a session began."""

from core.strategy.api import Bar, BarStrategy, equity_share, param


class OpeningRange(BarStrategy):
    """Opening range.

    Takes the high and the low of a session's first `opening_bars` bars, and then keeps a stop order to buy at that high
    for the rest of the session, with a stop at that low. At most one entry a session. It goes flat after `flat_after`
    bars of the session, or at the beginning of the next one when the session was shorter. Where there are no sessions,
    days in UTC are. Long only; made for bars of minutes.
    """

    id = "opening-range"
    version = "1"

    opening_bars: int = param(30, minimum=1, maximum=1_000, help="Bars in the opening range.")
    flat_after: int = param(375, minimum=2, maximum=10_000, help="Bars of the session after which it goes flat.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")

    def setup(self) -> None:
        self.session = self.indicator(lambda column: column, self.column("session"), name="session", pane="")
        self.top, self.bottom = self.plot("range high"), self.plot("range low")
        self.today = float("nan")
        self.seen = 0
        self.high = self.low = 0.0
        self.entry = ""

    def on_bar(self, bar: Bar) -> None:
        if self.session.value != self.today:
            self.today, self.seen, self.high, self.low = self.session.value, 0, bar.high, bar.low
            self.leave(f"a new session began at {bar.open:.6g}")
        self.seen += 1
        if self.seen <= self.opening_bars:
            self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        self.top.set(self.high)
        self.bottom.set(self.low)
        if self.seen == self.opening_bars and self.high > self.low and self.held() == 0:
            why = f"range of {self.opening_bars} bars: {self.low:.6g} to {self.high:.6g}"
            self.entry = self.buy(equity_share(self.share), stop=self.high, stop_loss=self.low, time_in_force="day", note=why)
        elif self.seen == self.flat_after:
            self.leave(f"{self.flat_after} bars of the session are over")

    def leave(self, why: str) -> None:
        """Take the entry back if it still works, and close what is held."""
        if self.entry in self.account.working():
            self.cancel(self.entry, note=why)
        self.close_position(note=why)
