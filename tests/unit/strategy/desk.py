"""A venue as small as can be: market orders fill at the open of their symbol's next bar; cash is not counted."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from core.model.instants import MINUTE_NS
from core.model.market import Bar, BarSeries, Floats, Timeframe
from core.model.order import OrderRequest, OrderSide
from core.model.plugin import ParamValue
from core.model.position import Position
from core.strategy.actions import PlaceOrder
from core.strategy.api import Strategy
from core.strategy.runner import StrategyRunner, compute_indicators
from core.strategy.windows import Cursor, StrategyConfig

Traded = tuple[int, str, str, str]
"""Minute of the bar that filled, symbol, side, quantity."""


def minutes(symbol: str, closes: Sequence[float] | Floats, *, at: Sequence[int] | None = None) -> BarSeries:
    """Return one-minute bars; each opens at the close before it. `at`: the minutes that have a bar, all by default."""
    close = np.asarray(closes, np.float64)
    start = np.asarray(range(len(close)) if at is None else at, np.int64) * MINUTE_NS
    opening = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    return BarSeries.from_columns(symbol, Timeframe(MINUTE_NS), start, opening, high, low, close, np.ones(len(close)))


class Desk:
    """Runs one strategy and is its account. `matches` tells in which minutes orders can fill; `refuses` which orders cannot."""

    def __init__(
        self,
        strategy: Strategy,
        series: Sequence[BarSeries],
        params: Mapping[str, ParamValue],
        *,
        matches: Callable[[int], bool] = lambda minute: True,
        refuses: Callable[[OrderRequest], bool] = lambda request: False,
    ) -> None:
        self.cash = Decimal(10_000)
        self.equity = Decimal(10_000)
        self.traded: list[Traded] = []
        self.notes: list[str | None] = []
        self._held: dict[str, Decimal] = {}
        self._working: list[PlaceOrder] = []
        self._matches, self._refuses = matches, refuses
        strategy.account = self
        symbols = tuple(bars.symbol for bars in series)
        config = StrategyConfig(symbols=symbols, timeframe="1m", params=dict(params), cash=self.cash)
        self._runner = StrategyRunner(strategy, config, lambda asked: (_ for _ in ()).throw(AssertionError(asked)))
        self._series = {bars.symbol: bars for bars in series}
        self._cursors = {bars.symbol: Cursor(len(bars)) for bars in series}

    def position(self, symbol: str) -> Position:
        return Position(symbol=symbol, qty=self.held(symbol))

    def held(self, symbol: str) -> Decimal:
        return self._held.get(symbol, Decimal(0))

    def working(self) -> tuple[str, ...]:
        return tuple(str(order.ref) for order in self._working)

    def run(self) -> list[Traded]:
        """Go through all bars and return what was traded."""
        assert self._runner.initialize() == []
        keyed = {(symbol, str(bars.timeframe)): symbol for symbol, bars in self._series.items()}
        series = {key: self._series[symbol] for key, symbol in keyed.items()}
        compute_indicators(self._runner.indicators, series, {key: self._cursors[symbol] for key, symbol in keyed.items()})
        self._runner.attach_plots(self._cursors)
        for indicator in self._runner.indicators:
            indicator.load_block(0, len(self._series[indicator.symbol]))
        for start_ns in sorted({int(start) for bars in self._series.values() for start in bars.start_ns}):
            bars = {symbol: bar for symbol in self._series if (bar := self._next_bar(symbol, start_ns)) is not None}
            for bar in bars.values():
                self._fill(bar)
            for action in self._runner.decide(start_ns + MINUTE_NS, bars):
                assert isinstance(action, PlaceOrder)
                self.notes.append(action.request.note)
                self._working.append(action)
        return self.traded

    def _next_bar(self, symbol: str, start_ns: int) -> Bar | None:
        bars, cursor = self._series[symbol], self._cursors[symbol]
        at = cursor.now + 1
        if at >= len(bars) or bars.start_ns[at] != start_ns:
            return None
        cursor.in_block = at
        return Bar(symbol, start_ns, start_ns + MINUTE_NS, *(float(column[at]) for column in bars.columns()))

    def _fill(self, bar: Bar) -> None:
        minute = bar.start_ns // MINUTE_NS
        if not self._matches(minute):
            return
        for order in [order for order in self._working if order.request.symbol == bar.symbol]:
            self._working.remove(order)
            request = order.request
            if self._refuses(request):
                continue
            signed = request.qty if request.side is OrderSide.BUY else -request.qty
            self._held[bar.symbol] = self.held(bar.symbol) + signed
            assert self._held[bar.symbol] >= 0
            self.traded.append((minute, bar.symbol, request.side.value, str(request.qty)))
