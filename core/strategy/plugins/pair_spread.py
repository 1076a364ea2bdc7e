"""Trading the ratio of two symbols."""

from collections.abc import Mapping
from math import log

import numpy as np

from core.strategy.api import Bar, BarStrategy, Decimal, param


class PairSpread(BarStrategy):
    """Pair spread, long only.

    Takes the logarithm of first close ÷ second close at each time both symbols have a bar, and its z-score among the
    last `lookback` of them, this one included. Above `entry` the second symbol is cheap, below `−entry` the first one:
    it holds the cheap one for `share` of its equity, and goes to cash when the z-score is within `exit` of zero. It
    sells first and buys once it is flat and no order is working, so that a cash account can always pay.
    """

    id = "pair-spread"
    version = "1"
    symbols = 2

    lookback: int = param(60, minimum=3, maximum=10_000, help="Bars by which the ratio is judged.")
    entry: float = param(2.0, minimum=0.0, maximum=20.0, help="Hold the cheap symbol beyond this many standard deviations.")
    exit: float = param(0.5, minimum=0.0, maximum=20.0, help="Go to cash within this many standard deviations of the mean.")
    share: float = param(0.5, minimum=0.01, maximum=1.0, help="Share of equity to hold; 0.5 is half of it.")
    lot: float = param(0.0001, minimum=0.00000001, help="Quantities are rounded down to a multiple of this.")

    def setup(self) -> None:
        self.ratios = np.empty(self.lookback)
        self.seen = 0
        self.target: str | None = None
        self.step = Decimal(repr(self.lot))

    def on_bars(self, bars: Mapping[str, Bar]) -> None:
        first, second = self.config.symbols
        if len(bars) < 2:
            return
        ratio = log(bars[first].close / bars[second].close)
        self.ratios[self.seen % self.lookback] = ratio
        self.seen += 1
        if self.seen < self.lookback:
            return
        deviation = float(self.ratios.std())
        if deviation < 1e-12:  # the ratio does not move: there is nothing to judge by
            return
        score = (ratio - float(self.ratios.mean())) / deviation
        if score > self.entry:
            self.target = second
        elif score < -self.entry:
            self.target = first
        elif abs(score) <= self.exit:
            self.target = None
        self.move_to_target(bars, score)

    def move_to_target(self, bars: Mapping[str, Bar], score: float) -> None:
        """Sell what is not the target; buy the target once nothing is held."""
        if self.account.working():
            return
        held = {symbol: self.held(symbol) for symbol in self.config.symbols}
        for symbol, qty in held.items():
            if qty > 0 and symbol != self.target:
                self.sell(qty, symbol=symbol, note=f"z-score {score:.2f}")
        if self.target is not None and not any(held.values()):
            money = self.account.equity * Decimal(repr(self.share))
            qty = money / Decimal(repr(bars[self.target].close)) // self.step * self.step
            if qty > 0:
                self.buy(qty, symbol=self.target, note=f"z-score {score:.2f}")
