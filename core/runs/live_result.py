"""What a paper or live run leaves: statistics, trades and lines over what happened so far."""

from collections.abc import Sequence
from decimal import localcontext

import numpy as np

from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import with_excursions
from core.events.payloads import SplitApplied
from core.model.corporate_action import PositionChange
from core.model.market import BarSeries, asset_class_of
from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, Order, Rejection
from core.model.result import PlotLine, RunResult
from core.model.round_trips import round_trips
from core.model.run import Run
from core.ports import EventLog
from core.strategy.runner import StrategyRunner
from core.trading.books import RunBook
from core.trading.history import read_changes
from core.views.desk import change_of

EquityPoint = tuple[int, float, bool]
"""A decision time, UTC ns, the equity at it, and whether anything was held."""


def live_result(
    run: Run,
    *,
    fills: Sequence[Fill],
    splits: Sequence[PositionChange],
    orders: Sequence[Order],
    bars: dict[str, BarSeries],
    points: Sequence[EquityPoint],
    book: RunBook,
    runner: StrategyRunner,
) -> RunResult:
    """Return it. Takes a moment: call it off the loop.

    `fills` are net of fees in coin, `splits` what those did to positions, `bars` the run's own by symbol.
    """
    times_ns = np.array([point[0] for point in points], np.int64)
    equity = np.array([point[1] for point in points])
    with localcontext(MONEY_CONTEXT):
        trades = with_excursions(round_trips(fills, splits), bars)
        stats = compute_statistics(
            equity_ns=times_ns,
            equity=equity,
            trades=trades,
            fills=fills,
            asset_class=asset_class_of(run.config.symbols[0]),
            exposure=np.array([point[2] for point in points], np.bool_),
            bars=bars,
        )
    return RunResult(
        run_id=run.id,
        stats=stats,
        equity_ns=times_ns,
        equity=equity,
        trades=tuple(trades),
        open_positions=tuple(book.position(symbol) for symbol in sorted(book.positions())),
        rejections=tuple(
            Rejection(time_ns=order.updated_ns, order_id=order.id, code=order.reject_code, reason=order.reason or "")
            for order in orders
            if order.reject_code is not None
        ),
        plots=tuple(_lines(runner, bars)),
        state=None,
    )


async def splits_of(log: EventLog, run_id: str) -> list[PositionChange]:
    """Return what splits did to a run's positions, oldest first."""
    changes = await read_changes(log, run_id)
    return [change_of(change, time_ns) for time_ns, change in changes if isinstance(change, SplitApplied)]


def _lines(runner: StrategyRunner, bars: dict[str, BarSeries]) -> list[PlotLine]:
    lines = [
        PlotLine(name=one.name, symbol=one.symbol, pane=one.pane, start_ns=bars[one.symbol].start_ns, values=one.values)
        for one in runner.indicators
        if one.pane and len(one.values) == len(bars[one.symbol])
    ]
    return lines + [
        PlotLine(name=one.name, symbol=one.symbol, pane=one.pane, start_ns=bars[one.symbol].start_ns, values=one.values.copy())
        for one in runner.plots
    ]
