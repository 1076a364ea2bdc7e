"""Small runs written by hand: bars as text, what is asked after which bar, and in one line each what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np

from core.clock import calendar
from core.model.instants import MINUTE_NS, to_ns
from core.model.market import BarSeries, Instrument, Timeframe, asset_class_of
from core.model.money import plain
from core.strategy.actions import Action, Actions, PlaceOneCancelsOther, PlaceOrder
from core.strategy.api import Strategy, StrategyConfig, Tick
from tests.backtests import Backtest, backtest

COIN: Final = "X/Y"
STOCK: Final = "SPY"
OPEN_NS: Final = to_ns(datetime(2026, 1, 7, 14, 30, tzinfo=UTC))
"""A Wednesday's open in New York; the session ends at 21:00 UTC."""
_ENDS: Final = {
    "orders.Cancelled": "cancelled",
    "orders.Expired": "expired",
    "orders.Rejected": "rejected",
    "orders.ReplaceRefused": "refused",
}

Script = Mapping[int, Action | Sequence[Action]]
"""What is asked at the end of the n-th bar of the first symbol; 0 is the start."""


@dataclass(frozen=True)
class Told:
    """`lines`: fills as `REF QTY @ PRICE`, ends as `REF cancelled`, in the order in which they were told."""

    lines: list[str]
    run: Backtest

    @property
    def fills(self) -> list[str]:
        """The fills only."""
        return [line for line in self.lines if " @ " in line]

    @property
    def flagged(self) -> list[str]:
        """Refs of fills that hang on the path, and of orders that only the path left unfilled, the latter with a question mark."""
        refs = _refs(self.run)
        fills = [refs[fill.order_id] for fill in self.run.fills if fill.path_dependent]
        return fills + [f"{refs[name]}?" for name, order in self.run.orders.items() if order.path_dependent]


def bars(*rows: str, symbol: str = COIN, start_ns: int | None = None, timeframe: str = "1m", at: Sequence[int] | None = None) -> BarSeries:
    """Bars of `open high low close [volume]`, one after the other, or at the given places."""
    step_ns = Timeframe.parse(timeframe).ns
    begin_ns = start_ns if start_ns is not None else OPEN_NS if symbol == STOCK else 0
    table = np.asarray([[float(figure) for figure in f"{row} 1000".split()[:5]] for row in rows])
    starts = begin_ns + np.asarray(range(len(rows)) if at is None else at, np.int64) * step_ns
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), starts, *(table[:, column].copy() for column in range(5)))


class _Scripted(Strategy):
    id = "scripted"
    symbols = 0

    def __init__(self, script: Script, ends: Sequence[int]) -> None:
        self.script = script
        self.numbers = {end_ns: number for number, end_ns in enumerate(ends, 1)}

    def initialize(self, config: StrategyConfig) -> Actions:
        return self.asked(0)

    def on_tick(self, tick: Tick) -> Actions:
        return self.asked(self.numbers.get(tick.time_ns, -1))

    def asked(self, number: int) -> Actions:
        asked = self.script.get(number, ())
        return [_noted(action) for action in (asked if isinstance(asked, Sequence) else (asked,))]


def _noted(action: Action) -> Action:
    """Keep the ref with the order, where the run's rows can tell it."""
    if isinstance(action, PlaceOrder):
        return msgspec.structs.replace(action, request=msgspec.structs.replace(action.request, note=action.ref))
    if isinstance(action, PlaceOneCancelsOther):
        first = msgspec.structs.replace(action.first, note=action.first_ref)
        return msgspec.structs.replace(action, first=first, second=msgspec.structs.replace(action.second, note=action.second_ref))
    return action


def told(series: BarSeries | Sequence[BarSeries], script: Any, *, grid: bool = False, **options: Any) -> Told:
    """Run a Script, or what is asked at the start. `grid`: prices on the cent, whole units; `options` as of `tests.backtests.backtest`."""
    all_series = [series] if isinstance(series, BarSeries) else list(series)
    if grid:
        cent, one = Decimal("0.01"), Decimal(1)
        options["instruments"] = {
            one_series.symbol: Instrument(symbol=one_series.symbol, asset_class=asset_class_of(one_series.symbol), tick=cent, lot=one)
            for one_series in all_series
        }
    first = all_series[0]
    ends = calendar.bar_ends(first.start_ns, first.timeframe.ns, asset_class_of(first.symbol)).tolist()
    written = script if isinstance(script, Mapping) else {0: script}
    run = backtest(_Scripted(written, ends), all_series, **options)
    return Told(_lines(run), run)


def _refs(run: Backtest) -> dict[str, str]:
    refs = {}
    for name, order in run.orders.items():
        if order.parent_id is not None:
            role = "target" if order.request.type.value == "limit" else "stop"
            refs[name] = f"{run.orders[order.parent_id].request.note}.{role}"
        else:
            refs[name] = order.request.note or f"broker:{order.request.symbol}"
    return refs


def _lines(run: Backtest) -> list[str]:
    refs = _refs(run)
    lines = []
    for event in run.events:
        payload: Any = event.payload
        if event.type in ("orders.Filled", "orders.PartiallyFilled"):
            lines.append(f"{refs[payload.order_id]} {plain(payload.qty)} @ {plain(payload.price)}")
        elif event.type in _ENDS:
            what = f"{refs[payload.order_id]} {_ENDS[event.type]}"
            lines.append(what if event.type in ("orders.Cancelled", "orders.Expired") else f"{what} {payload.code}")
        elif event.type == "account.MarginCall":
            lines.append(f"margin call {plain(payload.equity)} < {plain(payload.required)}")
    return lines


def minute(number: int) -> int:
    """UTC nanoseconds of a minute since 1970, where the bars of a coin begin."""
    return number * MINUTE_NS
