"""Momentum that turns: the MACD and its signal."""

from core.strategy.api import Bar, BarStrategy, equity_share, macd, macd_histogram, macd_signal, param

TIE = 1e-9
"""Share of the price within which the MACD is neither above nor below its signal, whatever the rounding."""


class MacdCross(BarStrategy):
    """MACD cross.

    The MACD is the fast exponential average of the closes less the slow one, the signal its own exponential average.
    Buys at the next open when the MACD rises above its signal, and sells all when it falls below. With `short` it also
    sells short then, and buys back when it rises above; that takes a margin account.
    """

    id = "macd-cross"
    version = "1"

    fast: int = param(12, minimum=2, maximum=5_000, help="Bars in the fast average.")
    slow: int = param(26, minimum=2, maximum=5_000, help="Bars in the slow average.")
    signal: int = param(9, minimum=2, maximum=5_000, help="Bars in the average of the MACD.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity in a position.")
    short: bool = param(False, help="Sell short too; takes a margin account.")

    def warmup_bars(self) -> int:
        return max(self.fast, self.slow) + self.signal

    def setup(self) -> None:
        periods = (self.fast, self.slow)
        self.line = self.indicator(macd, self.close, *periods, name="MACD", pane="macd")
        self.average = self.indicator(macd_signal, self.close, *periods, self.signal, name="signal", pane="macd")
        self.gap = self.indicator(macd_histogram, self.close, *periods, self.signal, name="histogram", pane="macd")

    def on_bar(self, bar: Bar) -> None:
        before, now, tie = self.gap[-2], self.gap.value, TIE * bar.close
        if before <= tie < now:
            self.turn(1, f"MACD {self.line.value:.4g} above its signal {self.average.value:.4g}")
        elif before >= -tie > now:
            self.turn(-1, f"MACD {self.line.value:.4g} below its signal {self.average.value:.4g}")

    def turn(self, way: int, why: str) -> None:
        """Close what is held the other way; open a position this way."""
        held = self.held()
        if held * way < 0:
            self.close_position(note=why)
        if held * way <= 0 and not self.account.working():
            if way > 0:
                self.buy(equity_share(self.share), note=why)
            elif self.short:
                self.sell(equity_share(self.share), note=why)
