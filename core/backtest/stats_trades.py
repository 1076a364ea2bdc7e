"""Figures of round trips and fills."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from math import isfinite, sqrt
from typing import Final

import msgspec
import numpy as np

from core.backtest.adjusted import NO_ACTIONS, Actions, in_first_units, split_factors
from core.backtest.stats_returns import Figures
from core.model.instants import SECOND_NS
from core.model.market import BarSeries, Floats, Instants
from core.model.money import MONEY_CONTEXT, to_float
from core.model.order import Fill
from core.model.position import PositionSide, Trade

_BLOCK: Final = 1_024


def trade_figures(trades: Sequence[Trade]) -> Figures:
    """Return the figures of round trips; profit is net of fees, money as float."""
    keys = "win_rate profit_factor expectancy avg_win avg_loss best_trade worst_trade avg_trade_duration_s sqn kelly max_consecutive_losses"
    count = len(trades)
    longs = sum(trade.side is PositionSide.LONG for trade in trades)
    figures: Figures = {"trades": float(count), "long_trades": float(longs), "short_trades": float(count - longs)}
    figures |= dict.fromkeys(keys.split(), None)
    if not count:
        return figures
    profit = np.fromiter((to_float(trade.pnl) for trade in trades), np.float64, count)
    wins, losses = profit[profit > 0], profit[profit < 0]
    win_rate = len(wins) / count
    mean = float(profit.mean())
    figures["win_rate"] = win_rate
    figures["expectancy"] = mean
    figures["best_trade"], figures["worst_trade"] = float(profit.max()), float(profit.min())
    figures["avg_trade_duration_s"] = sum(trade.exit_ns - trade.entry_ns for trade in trades) / count / SECOND_NS
    figures["max_consecutive_losses"] = float(longest_streak(profit < 0))
    if len(wins):
        figures["avg_win"] = float(wins.mean())
    if len(losses):
        figures["avg_loss"] = float(losses.mean())
        figures["profit_factor"] = float(wins.sum()) / -float(losses.sum())
    if len(wins) and len(losses):
        figures["kelly"] = win_rate - (1.0 - win_rate) / (float(wins.mean()) / -float(losses.mean()))
    if count > 1:
        spread = float(profit.std(ddof=1))
        if spread > 1e-12 * float(np.abs(profit).max()):
            figures["sqn"] = sqrt(count) * mean / spread
    return figures


def longest_streak(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Return the length of the longest unbroken row of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def fill_figures(fills: Sequence[Fill], mean_equity: float | None) -> Figures:
    """Return what trading cost and how much was traded; sums are exact before they become floats."""
    with localcontext(MONEY_CONTEXT):
        fees = sum((fill.fee for fill in fills), Decimal(0))
        slippage = sum((fill.slippage for fill in fills), Decimal(0))
        traded = sum((fill.qty * fill.price for fill in fills), Decimal(0))
    turnover = to_float(traded) / mean_equity if mean_equity is not None and mean_equity > 0 else None
    return {"fees": to_float(fees), "slippage": to_float(slippage), "turnover": turnover}


def excursions(trades: Sequence[Trade], bars: Mapping[str, BarSeries], actions: Actions = NO_ACTIONS) -> tuple[Floats, Floats]:
    """Return, per trade, the worst and the best price while it was open as a fraction of the entry price, signed.

    float64, shape (trades,): adverse ≤ 0 ≤ favourable; nan without bars of its symbol. Bars count from the entry's to
    the one before the exit's, whole, and the exit price counts too: what the exit's bar did around it is not known.
    `actions`: a trade's prices are per unit of its exit's time, so bars from before a split are brought to those.
    """
    adverse, favourable = np.full(len(trades), np.nan), np.full(len(trades), np.nan)
    by_symbol: dict[str, list[int]] = {}
    for at, trade in enumerate(trades):
        by_symbol.setdefault(trade.symbol, []).append(at)
    for symbol, places in by_symbol.items():
        series = bars.get(symbol)
        if series is None:
            continue
        count = len(places)
        of_symbol = [trades[at] for at in places]
        entry = np.fromiter((to_float(trade.entry_price) for trade in of_symbol), np.float64, count)
        leave = np.fromiter((to_float(trade.exit_price) for trade in of_symbol), np.float64, count)
        sign = np.fromiter((1.0 if trade.side is PositionSide.LONG else -1.0 for trade in of_symbol), np.float64, count)
        first = np.searchsorted(series.start_ns, np.fromiter((trade.entry_ns for trade in of_symbol), np.int64, count))
        last = np.searchsorted(series.start_ns, np.fromiter((trade.exit_ns for trade in of_symbol), np.int64, count))
        factors = split_factors(series, actions.get(symbol, ()))
        if factors is not None:
            series = in_first_units(series, actions.get(symbol, ()))
            at_exit = factors[np.clip(last, 0, len(series) - 1)]
            entry, leave = entry * at_exit, leave * at_exit
        low = np.minimum(np.minimum(lowest_between(series.low, first, last), leave), entry)
        high = np.maximum(np.maximum(-lowest_between(-series.high, first, last), leave), entry)
        down, up = low / entry - 1.0, high / entry - 1.0
        adverse[places] = np.where(sign > 0, down, -up)
        favourable[places] = np.where(sign > 0, up, -down)
    return adverse, favourable


def with_excursions(trades: Sequence[Trade], bars: Mapping[str, BarSeries], actions: Actions = NO_ACTIONS) -> list[Trade]:
    """Return the trades with their own `mae` and `mfe`; see `excursions`."""
    found = zip(*(_or_none(figures) for figures in excursions(trades, bars, actions)), strict=True)
    return [msgspec.structs.replace(trade, mae=worst, mfe=best) for trade, (worst, best) in zip(trades, found, strict=True)]


def _or_none(figures: Floats) -> list[float | None]:
    return [figure if isfinite(figure) else None for figure in figures.tolist()]


def lowest_between(values: Floats, first: Instants, last: Instants) -> Floats:
    """Return min(values[first:last]) for each pair, +inf where it is empty; long stretches are read by blocks."""
    inner_first, inner_last = -(-first // _BLOCK), last // _BLOCK
    whole = inner_first < inner_last
    blocks = np.minimum.reduceat(values, np.arange(0, len(values), _BLOCK)) if len(values) else values
    head = _reduce(values, first, np.where(whole, inner_first * _BLOCK, last))
    body = _reduce(blocks, inner_first, np.where(whole, inner_last, inner_first))
    tail = _reduce(values, np.where(whole, inner_last * _BLOCK, last), last)
    return np.minimum(np.minimum(head, body), tail)


def _reduce(values: Floats, first: Instants, last: Instants) -> Floats:
    lowest = np.full(len(first), np.inf)
    some = first < last
    if some.any():
        # Pairs of start and end; the stretches between one pair's end and the next pair's start are left out.
        pairs = np.column_stack((first[some], last[some])).ravel()
        lowest[some] = np.minimum.reduceat(np.append(values, np.inf), pairs)[::2]
    return lowest
