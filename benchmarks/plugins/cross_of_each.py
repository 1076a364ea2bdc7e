"""The crossing of two averages, on each of any number of symbols."""

from core.strategy.api import Bar, BarStrategy, sma


class CrossOfEach(BarStrategy):
    """Holds one unit of each symbol whose fast average lies above its slow one."""

    id = "cross-of-each"
    symbols = 0

    def setup(self) -> None:
        self.averages = {
            symbol: (self.indicator(sma, self.column("close", symbol), 10), self.indicator(sma, self.column("close", symbol), 30))
            for symbol in self.config.symbols
        }
        self.above: dict[str, bool] = {}

    def on_bar(self, bar: Bar) -> None:
        symbol = bar.symbol
        fast, slow = self.averages[symbol]
        level = slow.value
        gap = fast.value - level
        above = gap > 1e-9 * level
        was = self.above.get(symbol)
        if above is was or gap != gap:
            return
        self.above[symbol] = above
        if was is None:
            return
        if above:
            self.buy(1, symbol=symbol)
        elif held := self.held(symbol):
            self.sell(held, symbol=symbol)
