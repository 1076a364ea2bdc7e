"""A made-up market that goes on for ever: the same seed and beginning give the same prices, at any speed.

A price every five seconds; the minutes are made of them, exactly, and take the way inside that a backtest takes for their bars.
The prices are no market's.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final
from zlib import crc32

import numpy as np
from numpy.random import PCG64, Generator

from core.brokers.inside import OnTick
from core.errors import UnknownName
from core.model.broker import BarKind, LiveBar, Print, Quote, Watch
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import Bar, BarSeries, Floats, Timeframe, asset_class_of
from core.model.money import exact

SYMBOLS: Final = ("DEMO", "DEMO-B", "DEMO/USD")
STEP_NS: Final = 5 * SECOND_NS
STEPS: Final = MINUTE_NS // STEP_NS
"""Prices in a minute."""
HISTORY_NS: Final = 3 * DAY_NS
"""How much there was before the market is first looked at."""
SIZE: Final = Decimal(100)
"""What is bid and offered at each price, which is both the bid and the offer."""
_CHUNK: Final = 1_440 * STEPS


class SimMarket:
    """Prices of `SYMBOLS` from `begins_ns` − `HISTORY_NS` on; see `core.brokers.inside.Feed`. Whoever drives it calls `step`."""

    source: Final = "sim"

    def __init__(self, seed: int, begins_ns: int) -> None:
        self._origin_ns = (begins_ns - HISTORY_NS) // DAY_NS * DAY_NS
        self._seed = seed
        self._paths: dict[str, Floats] = {symbol: np.empty(0) for symbol in SYMBOLS}
        self._chances = {symbol: Generator(PCG64([seed, crc32(symbol.encode())])) for symbol in SYMBOLS}
        self._at = (begins_ns - self._origin_ns) // STEP_NS
        self._listeners: list[tuple[Watch, OnTick]] = []
        self.opened: Callable[[str, Decimal], None] | None = None
        """Told of the first price of each minute, before the bar that it ends."""
        self.moved: Callable[[str, Decimal, Decimal], None] | None = None
        """Told of each other price, and of the one that it came from, the first of its minute among them."""

    @property
    def now_ns(self) -> int:
        """When the newest price was made."""
        return self._origin_ns + self._at * STEP_NS

    def symbols(self) -> tuple[str, ...]:
        """See `core.brokers.inside.Feed`."""
        return SYMBOLS

    def last(self, symbol: str) -> tuple[int, Decimal] | None:
        """See `core.brokers.inside.Feed`."""
        return (self.now_ns, exact(self._path(symbol, self._at + 1)[self._at])) if symbol in self._paths else None

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> BarSeries:
        """See `core.brokers.inside.Feed`. Raises UnknownName."""
        if symbol not in self._paths:
            raise UnknownName("symbol of the simulated market", symbol, SYMBOLS)
        over = self._at // STEPS
        first = min(max(0, -((self._origin_ns - start_ns) // MINUTE_NS)), over)
        last = max(first, min(over, -((self._origin_ns - end_ns) // MINUTE_NS)))
        prices = self._path(symbol, last * STEPS)[first * STEPS : last * STEPS].reshape(-1, STEPS)
        starts = self._origin_ns + np.arange(first, last, dtype=np.int64) * MINUTE_NS
        if not len(prices):
            return BarSeries.empty(symbol, Timeframe(MINUTE_NS))
        volume = 100.0 + np.rint((prices.max(axis=1) - prices.min(axis=1)) / prices[:, 0] * 1e6)
        columns = (prices[:, 0].copy(), prices.max(axis=1), prices.min(axis=1), prices[:, -1].copy(), volume)
        return BarSeries.from_columns(symbol, Timeframe(MINUTE_NS), starts, *columns)

    def listen(self, watch: Watch, on_tick: OnTick) -> Callable[[], None]:
        """See `core.brokers.inside.Feed`."""
        entry = (watch, on_tick)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def step(self) -> None:
        """Make the next price of every symbol; when it is the first of a minute, the minute before is over."""
        self._at += 1
        for symbol in SYMBOLS:
            path = self._path(symbol, self._at + 1)
            price = exact(path[self._at])
            if self._at % STEPS == 0:
                if self.opened is not None:
                    self.opened(symbol, price)
            elif self.moved is not None:
                self.moved(symbol, price, exact(path[self._at - 1]))
            self._tell_price(symbol, price)
        if self._at % STEPS:
            return
        wanted = {symbol for watch, _ in self._listeners for symbol in watch.bars} & set(SYMBOLS)
        for symbol in sorted(wanted):
            series = self.bars(symbol, self.now_ns - MINUTE_NS, self.now_ns)
            columns = [float(column[-1]) for column in series.columns()]
            bar = LiveBar(bar=Bar(symbol, self.now_ns - MINUTE_NS, self.now_ns, *columns), kind=BarKind.FINAL)
            for watch, on_tick in tuple(self._listeners):
                if symbol in watch.bars:
                    on_tick(bar)

    def _tell_price(self, symbol: str, price: Decimal) -> None:
        for watch, on_tick in tuple(self._listeners):
            if symbol in watch.quotes:
                on_tick(Quote(symbol=symbol, time_ns=self.now_ns, bid=price, bid_size=SIZE, ask=price, ask_size=SIZE))
            if symbol in watch.trades:
                on_tick(Print(symbol=symbol, time_ns=self.now_ns, price=price, size=Decimal(1)))

    def _path(self, symbol: str, count: int) -> Floats:
        """Return at least the first `count` prices, on the cent."""
        path = self._paths[symbol]
        while len(path) < count:
            chance = self._chances[symbol]
            start = path[-1] if len(path) else 52_000.0 if asset_class_of(symbol).days_per_year == 365 else 180.0
            uniform = chance.random((_CHUNK, 3))
            quiet = 0.5 + chance.random(_CHUNK // 120).repeat(120)  # spells of ten minutes
            moves = ((uniform[:, 0] + uniform[:, 1] + uniform[:, 2]) - 1.5) * 0.0006 * quiet
            log_path = np.log(start) + np.add.accumulate(moves)
            prices = np.maximum(np.rint(np.exp(log_path) * 100.0) / 100.0, 0.01)
            path = self._paths[symbol] = np.concatenate((path, _as_in_a_backtest(prices)))
        return path


def _as_in_a_backtest(prices: Floats) -> Floats:
    """Return the prices of whole minutes, each on the way of its bar: to the nearer of high and low, then the other.

    Open, high, low and close stay. So what fills here, and in which order, is what fills in a replay, whatever hangs on the path.

    Source: docs/simulation.md, "The path inside a bar"; `core.matching.path`.
    """
    minutes = prices.reshape(-1, STEPS)
    cents = np.rint(minutes * 100.0)
    high, low = cents.max(axis=1), cents.min(axis=1)
    between = np.sort(minutes[:, 1:-1], axis=1)
    between[:, 0], between[:, -1] = minutes.min(axis=1), minutes.max(axis=1)
    is_high_first = high - cents[:, 0] < cents[:, 0] - low
    between[is_high_first] = between[is_high_first, ::-1]
    return np.hstack((minutes[:, :1], between, minutes[:, -1:])).ravel()
