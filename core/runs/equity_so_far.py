"""The equity of a paper or live run that goes on, here or at another desk, drawn up from what is stored of it."""

import asyncio
from typing import Final

import numpy as np

from core.clock import calendar
from core.errors import NoBars
from core.model.market import BarSeries, Floats, Instants, Timeframe, asset_class_of
from core.model.run import Run
from core.ports import Store
from core.runs.equity_again import equity_until
from core.runs.net_fills import net_fills
from core.runs.recorded_bars import recorded
from core.trading.books import merged
from core.trading.history import read_changes

MOST: Final = 5_000
"""Points at most: a run of months has more bars than a chart has pixels."""
_EVER_NS: Final = int(np.iinfo(np.int64).max)


async def equity_so_far(run: Run, store: Store) -> tuple[Instants, Floats]:
    """Return decision times, UTC ns, and the equity at them, oldest first, the last among them; empty before its first bar."""
    if run.first_bar_ns is None:
        return np.array([], np.int64), np.array([])
    first_ns = run.first_bar_ns
    bars: dict[str, BarSeries] = {}
    for symbol in run.config.symbols:
        await calendar.load(asset_class_of(symbol))
        try:
            bars[symbol] = await store.bars.read(recorded(run.id, symbol, run.config.timeframe))
        except NoBars:
            continue
    moves = list(merged(await net_fills(run.id, store), await read_changes(store.log, run.id)))
    step_ns = Timeframe.parse(run.config.timeframe).ns

    def drawn() -> tuple[Instants, Floats]:
        ends = {symbol: calendar.bar_ends(series.start_ns, step_ns, asset_class_of(symbol)) for symbol, series in bars.items()}
        if not ends:
            return np.array([], np.int64), np.array([])
        closes = {symbol: series.close.tolist() for symbol, series in bars.items()}
        points = equity_until(run.config.cash, moves, ends, closes, first_ns, _EVER_NS, MOST)
        return np.array([time_ns for time_ns, _, _ in points], np.int64), np.array([equity for _, equity, _ in points])

    return await asyncio.to_thread(drawn)
