"""What a finished run left: statistics, equity, trades and the lines a strategy drew."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.model.market import Floats, Instants
from core.model.order import Rejection
from core.model.position import Position, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotLine:
    """A line a strategy declared: one value per bar of `symbol`, nan where there is none yet.

    `values`: float64, shape (bars,), in price units when `pane` is `price`. `start_ns`: that bar's start.
    """

    name: str
    symbol: str
    pane: str
    start_ns: Instants
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of one run. `equity_ns`: int64, UTC; `equity`: float64, account currency; both shape (n,), oldest first.

    `stats`: the keys of docs/statistics.md; None where a figure is undefined.
    """

    run_id: str
    stats: dict[str, float | None]
    equity_ns: Instants
    equity: Floats
    trades: tuple[Trade, ...] = ()
    open_positions: tuple[Position, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    plots: tuple[PlotLine, ...] = field(default=())
    state: dict[str, Any] | None = None
    """What the strategy wanted to be kept at the end, in the types of JSON."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a long job is: `done` of `total` units, and what it is doing, in a few words."""

    done: int
    total: int
    what: str
