"""Holding the strongest of many."""

from collections.abc import Mapping

from core.strategy.api import Bar, BarStrategy, cash, param, roc


class MomentumRotation(BarStrategy):
    """Momentum rotation.

    Ranks its symbols every `every` bars by how much they gained over the last `lookback` bars, and holds the first
    `places` of them that gained anything, with an equal share each, as far as its cash goes. It sells what fell out, and
    buys once that is sold. Trades any number of symbols, the more the better. Long only.
    """

    id = "momentum-rotation"
    version = "1"
    symbols = 0

    lookback: int = param(120, minimum=2, maximum=10_000, help="Bars over which the gain is taken.")
    every: int = param(20, minimum=1, maximum=10_000, help="Bars between two rankings.")
    places: int = param(2, minimum=1, maximum=100, help="How many symbols to hold.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest, all symbols together.")

    def warmup_bars(self) -> int:
        return self.lookback + 1

    def setup(self) -> None:
        self.gains = {
            symbol: self.indicator(roc, self.column("close", symbol), self.lookback, name=f"gain of {symbol}", pane="gain")
            for symbol in self.config.symbols
        }
        self.wanted: dict[str, str] = {}
        self.times = 0

    def on_bars(self, bars: Mapping[str, Bar]) -> None:
        if self.times % self.every == 0:
            self.rank(bars)
        self.times += 1
        self.move(bars)

    def rank(self, bars: Mapping[str, Bar]) -> None:
        """Choose what to hold, and why; a symbol without a bar now is out."""
        rising = {symbol: gain.value for symbol, gain in self.gains.items() if symbol in bars and gain.value > 0}
        ranked = sorted(rising, key=lambda symbol: (-rising[symbol], symbol))[: self.places]
        self.wanted = {symbol: f"rank {rank} with {rising[symbol]:+.1f} %" for rank, symbol in enumerate(ranked, 1)}

    def move(self, bars: Mapping[str, Bar]) -> None:
        """Sell what is not wanted; buy what is, once that is done."""
        if self.account.working():
            return
        out = [symbol for symbol in bars if self.held(symbol) > 0 and symbol not in self.wanted]
        for symbol in out:
            self.close_position(symbol, note=f"fell out of the first {self.places}: {self.gains[symbol].value:+.1f} %")
        missing = [symbol for symbol in self.wanted if symbol in bars and self.held(symbol) == 0]
        if out or not missing:
            return
        money = min(float(self.account.equity) / self.places, float(self.account.cash) / len(missing)) * self.share
        if money >= 1:
            for symbol in missing:
                self.buy(cash(round(money, 2)), symbol=symbol, note=self.wanted[symbol])
