"""Brings bars, lines, trades and equity to the chart; what takes long is done in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.model.market import AssetClass, BarSeries, BarSet, BarSetKey, asset_class_of
from core.model.order import Fill, Order
from core.model.position import PositionSide, Trade
from core.model.run import RunMode
from core.views.decimals import price_decimals
from core.views.runs import RunRow, params_words
from ui.account_marks import AccountMarks, fill_marks, order_lines, own_fills, position_lines
from ui.charts.curve import EquityCurve
from ui.charts.data import ChartData, DrawnLine, FillMarks, Line, TradeMarks
from ui.slices import in_slices, letting_go

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.result import PlotLine
    from core.views.desk import DeskViews
    from ui.panels.chart_panel import ChartPanel
    from ui.run_loader import LoadedRun


_BESIDE: Final = 0.025
"""The share of the width that stays free beside the newest bar of a run that goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is drawn upon the bars of one symbol; `places` are the trades' numbers in the whole run."""

    trades: TradeMarks
    fills: FillMarks
    places: tuple[int, ...]


class ChartFeed(QObject):
    """Decides which bars the chart shows. Each `load…` is a coroutine for the window's scope, and the newest one counts."""

    trade_clicked = Signal(object)
    """The Trade that was clicked on the chart."""

    def __init__(
        self, engine: Engine, views: DeskViews, panel: ChartPanel, *, show_gaps_crypto: bool, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._views = views
        self._panel = panel
        self._chart = panel.chart
        self._run: LoadedRun | None = None
        self._keys: tuple[BarSetKey, ...] = ()
        self._sets: list[BarSet] = []
        self._key: BarSetKey | None = None
        self._series: BarSeries | None = None
        self._trades: tuple[Trade, ...] = ()
        self._places: tuple[int, ...] = ()
        self._equity_points = 0
        self._equity_from_ns = 0
        self._account = AccountMarks()
        self._turn = 0
        self.show_gaps_crypto = show_gaps_crypto
        self._chart.trade_clicked.connect(self._on_trade_clicked)

    @property
    def key(self) -> BarSetKey | None:
        """The set that is on the chart."""
        return self._key

    @property
    def shows_run(self) -> bool:
        """Whether the bars of a run are on the chart, not stored bars as they are."""
        return self._run is not None

    def last_close(self) -> dict[str, float]:
        """Return the close of the newest bar on the chart, by symbol; nothing without bars."""
        series = self._series
        return {} if series is None or not len(series) else {series.symbol: float(series.close[-1])}

    async def load_newest(self) -> None:
        """Show the set that changed last, when no run is looked at; without any, the card that says how to begin."""
        self._sets = await self._engine.bar_sets()
        if self._run is not None:
            return
        if not self._sets:
            self._key = self._series = None
            self._panel.show_empty()
            return
        keys = tuple(bar_set.key for bar_set in self._sets)
        newest = max(self._sets, key=lambda bar_set: (bar_set.updated_ns, bar_set.bars)).key
        await self._load(self._key if self._key in keys and self._series is not None else newest, keys)

    async def load_run(self, loaded: LoadedRun) -> None:
        """Show the bars of a run, with what it drew and did."""
        same = self._run is not None and self._run.run.id == loaded.run.id
        if not loaded.bar_sets:
            self.forget_run()
            await self.load_newest()
            return
        self._run = loaded
        key = self._key if same and self._key in loaded.bar_sets else loaded.bar_sets[0]
        assert key is not None
        is_trading = loaded.run.config.mode is not RunMode.BACKTEST
        if same and key == self._key and self._series is not None and not is_trading:
            self._turn += 1
            await self._load_marks(key, self._turn)
            return
        await self._load(key, loaded.bar_sets, keep_view=same and is_trading)

    async def load_alone(self, key: BarSetKey) -> None:
        """Show a stored set as it is, without any run."""
        self.forget_run()
        self._sets = await self._engine.bar_sets()
        keys = tuple(bar_set.key for bar_set in self._sets)
        if key in keys:
            await self._load(key, keys)

    def forget_run(self) -> None:
        """Look at no run any more."""
        self._run = None
        self._trades = ()

    async def load_set(self, key: BarSetKey) -> None:
        """Show another of the sets that the chart offers."""
        await self._load(key, self._keys)

    async def _load(self, key: BarSetKey, keys: tuple[BarSetKey, ...], *, keep_view: bool = False) -> None:
        self._turn += 1
        turn, run = self._turn, self._run.run if self._run is not None else None
        start_ns, end_ns = (run.config.start_ns, run.config.end_ns) if run is not None else (None, None)
        series = await self._engine.bars(key, start_ns, end_ns)
        data = await asyncio.to_thread(ChartData.build, series, compress_gaps=self._compresses(key.symbol))
        if turn != self._turn:
            return  # something else was asked for meanwhile
        self._key, self._keys, self._series = key, keys, series
        self._panel.show_choices(keys, key)
        self._panel.set_about(self._about())
        decimals = price_decimals(key.symbol, float(series.close[-1])) if len(series) else 2
        title = f"{key.symbol} · {key.timeframe}"
        view, total = self._chart.scene.view, 0 if self._chart.scene.data is None else len(self._chart.scene.data)
        self._chart.set_data(data, title=title, price_decimals=decimals, keep_view=keep_view)
        if keep_view and total and view.right >= total:  # the newest bars were in view: they stay so, once the room beside them is filled
            lacking = len(data) + _BESIDE * view.span - view.right
            self._chart.set_view(replace(view, left=view.left + min(max(lacking, 0.0), float(len(data) - total))))
        self._draw_account()
        await self._load_marks(key, turn)

    async def grow(self) -> None:
        """Show what a paper or live run has seen and done since; the part that is looked at stays, or follows the newest bar."""
        loaded, key = self._run, self._key
        if loaded is None or key is None or loaded.run.config.mode is RunMode.BACKTEST or key not in loaded.bar_sets:
            return
        await self._load(key, self._keys, keep_view=True)

    async def _load_marks(self, key: BarSetKey, turn: int) -> None:
        loaded, series = self._run, self._series
        if loaded is None or series is None:
            return
        result = loaded.result
        if result is None:
            self._equity_points = 0
            self.add_equity()
            if loaded.run.config.mode is not RunMode.BACKTEST and loaded.run.id == self._views.selected:
                trades, fills_so_far = tuple(self._views.trades.rows), tuple(self._views.fills.rows)
                marks = await asyncio.to_thread(_marks, key.symbol, trades, fills_so_far)
                if turn != self._turn:
                    return
                self._trades, self._places = trades, marks.places
                self._chart.set_trades(marks.trades)
                self._chart.set_fills(marks.fills)
            return
        data = self._chart.scene.data
        fills = await self._engine.fills(loaded.run.id)
        if data is None or turn != self._turn:
            return
        # Of a million bars each of these takes tens of milliseconds, so a thread makes them.
        marks = await asyncio.to_thread(_marks, key.symbol, result.trades, fills)
        plots = [plot for plot in result.plots if plot.symbol == key.symbol]
        lines = [await asyncio.to_thread(_drawn, plot, series, data) for plot in plots]
        start = float(loaded.run.config.cash)
        curve = await asyncio.to_thread(EquityCurve, data.timeline, result.equity_ns, result.equity, start)
        if turn != self._turn:
            return
        self._trades, self._places = result.trades, marks.places
        self._chart.set_drawn_lines(lines)
        self._chart.set_trades(marks.trades)
        self._chart.set_fills(marks.fills)
        self._chart.set_curve(curve)
        await in_slices(letting_go(fills))

    # --- the account ---

    def show_account(self, marks: AccountMarks) -> None:
        """Draw what a person did at the connected account, and what works there, upon the bars of its symbols."""
        if marks != self._account:
            self._account = marks
            self._draw_account()

    def _draw_account(self) -> None:
        series = self._series
        if series is not None:
            self._chart.set_by_hand(own_fills(self._account, series))
            working = self._account.working
            orders = order_lines([*working, *self._orders_of_run()], series, {order.id for order in working})
            self._chart.set_order_lines([*orders, *position_lines(self._account, series)])

    def _orders_of_run(self) -> Sequence[Order]:
        """The orders of the run on the chart, where it trades: it may do so at an account that nobody has connected."""
        run = None if self._run is None else self._run.run
        trades = run is not None and run.config.mode is not RunMode.BACKTEST and run.id == self._views.selected
        return self._views.orders.rows if trades else ()

    # --- while a run goes on ---

    def add_equity(self) -> None:
        """Draw the equity points that came since."""
        loaded = self._run
        if loaded is None or loaded.result is not None or loaded.run.id != self._views.selected or self._series is None:
            return
        time_ns, equity = self._views.equity.points()
        if not len(time_ns):
            return
        if not self._equity_points or len(time_ns) < self._equity_points or int(time_ns[0]) != self._equity_from_ns:
            self._chart.set_equity(time_ns, equity, float(loaded.run.config.cash))
            if loaded.run.config.mode is RunMode.BACKTEST:
                self._chart.fit()  # a run goes from the oldest bars to the newest: all of them show how far it is
        elif len(time_ns) > self._equity_points:
            self._chart.update_equity(time_ns[self._equity_points :], equity[self._equity_points :])
        self._equity_points, self._equity_from_ns = len(time_ns), int(time_ns[0])

    # --- going places ---

    def key_for(self, symbol: str) -> BarSetKey | None:
        """Return the set of a symbol that must be loaded before the chart can go there; None when it is shown already."""
        if self._key is not None and self._key.symbol == symbol:
            return None
        return next((key for key in self._keys if key.symbol == symbol), None)

    def go_to(self, time_ns: int) -> None:
        """Put an instant into the middle."""
        self._chart.go_to(time_ns)

    def show_trade(self, trade: Trade) -> None:
        """Put a round trip into the middle."""
        self._chart.show_trade(trade.entry_ns, trade.exit_ns)

    def _on_trade_clicked(self, number: int) -> None:
        place = self._places[number] if number < len(self._places) else -1
        if 0 <= place < len(self._trades):
            self.trade_clicked.emit(self._trades[place])

    # --- words and rules ---

    def _compresses(self, symbol: str) -> bool:
        return asset_class_of(symbol) is not AssetClass.CRYPTO or not self.show_gaps_crypto

    def _about(self) -> str:
        if self._run is None:
            bar_set = next((each for each in self._sets if each.key == self._key), None)
            if bar_set is None:
                return ""
            return f"{bar_set.bars:,} bars, {'simulated market' if bar_set.simulated else bar_set.key.source}".replace(",", "\u2009")
        run = self._run.run
        return f"{run.config.strategy_id}  {params_words(RunRow(run=run))}" + ("  ·  simulated market" if run.demo else "")


def _drawn(plot: PlotLine, series: BarSeries, data: ChartData) -> DrawnLine:
    return DrawnLine(aligned(plot, series), data.grid)


def aligned(plot: PlotLine, series: BarSeries) -> Line:
    """Return a plot with one value per bar on the chart, nan where it has none."""
    values = np.full(len(series), np.nan)
    if len(plot.start_ns) == len(series) and np.array_equal(plot.start_ns, series.start_ns):
        values = np.asarray(plot.values, np.float64)
    elif len(series) and len(plot.start_ns):
        is_larger = bool(len(plot.start_ns) > 1 and np.diff(plot.start_ns).min() > series.timeframe.ns)
        # A larger bar's value is known once that bar is over, and holds until the next one is: a step, never seen early.
        known_ns = plot.start_ns + (np.diff(plot.start_ns).min() if is_larger else 0)
        newest = np.searchsorted(known_ns, series.start_ns, side="right") - 1
        shown = newest >= 0
        if not is_larger:
            shown &= known_ns[np.maximum(newest, 0)] == series.start_ns
        values[shown] = plot.values[newest[shown]]
    return Line(name=plot.name, values=values, pane=plot.pane)


def _marks(symbol: str, trades: Sequence[Trade], fills: Sequence[Fill]) -> Marks:
    places = tuple(place for place, trade in enumerate(trades) if trade.symbol == symbol)
    shown = [trades[place] for place in places]
    closed = {order_id for trade in shown for order_id in (trade.entry_order_id, trade.exit_order_id)}
    single = [fill for fill in fills if fill.symbol == symbol and fill.order_id not in closed]
    return Marks(
        trades=TradeMarks(
            entry_ns=np.array([trade.entry_ns for trade in shown], np.int64),
            exit_ns=np.array([trade.exit_ns for trade in shown], np.int64),
            entry_price=np.array([float(trade.entry_price) for trade in shown]),
            exit_price=np.array([float(trade.exit_price) for trade in shown]),
            direction=np.array([1 if trade.side is PositionSide.LONG else -1 for trade in shown], np.int64),
            qty=np.array([float(trade.qty) for trade in shown]),
            pnl=np.array([float(trade.pnl) for trade in shown]),
        ),
        fills=fill_marks(single),
        places=places,
    )
