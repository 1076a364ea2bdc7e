"""What a chart is given: bars with their pyramid, lines, trades and fills. Plain data; may be built in a worker thread."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import BugError
from core.model.market import BarSeries, Instants
from ui.charts.pyramid import Columns, Envelope, Floats, Grid, Ints
from ui.charts.timeline import Timeline


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Bars as drawn: merged to `columns.group` slots each. All float64, one entry a column."""

    columns: Columns
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @property
    def slot(self) -> Ints:
        """The first slot of each column."""
        return self.columns.slot

    @property
    def group(self) -> int:
        """How many slots a column covers."""
        return self.columns.group

    def __len__(self) -> int:
        return len(self.open)


class ChartData:
    """Bars ready to be drawn at any zoom. Never changed after it is built."""

    def __init__(self, series: BarSeries, timeline: Timeline) -> None:
        self.series = series
        self.timeline = timeline
        self.grid = Grid(timeline.slots)
        self._open = self.grid.firsts(series.open)
        self._high = self.grid.maxima(series.high)
        self._low = self.grid.minima(series.low)
        self._close = self.grid.lasts(series.close)
        self._volume = self.grid.sums(series.volume)

    @classmethod
    def build(cls, series: BarSeries, *, compress_gaps: bool) -> "ChartData":
        """Return the data for `series`. Pure; a million bars take some tens of milliseconds, in any thread."""
        return cls(series, Timeline(series.start_ns, series.timeframe.ns, compress_gaps=compress_gaps))

    def __len__(self) -> int:
        return len(self.series)

    @property
    def highest(self) -> float:
        """The highest price of all bars; nan without any."""
        return float(np.fmax.reduce(self._high[-1])) if len(self) else float("nan")

    def columns(self, left: float, right: float, group: int) -> BarColumns:
        """Return the bars that touch the slots `[left, right)`, at least `group` slots to a column; no high or low is lost."""
        cut = self.grid.columns(left, right, group)
        return BarColumns(
            columns=cut,
            open=cut.opening(self._open),
            high=cut.highest(self._high),
            low=cut.lowest(self._low),
            close=cut.closing(self._close),
            volume=cut.total(self._volume),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named line over the bars. `values`: float64, shape (bars,), nan where there is none. `pane`: `price`, or a name of its own."""

    name: str
    values: Floats
    pane: str = "price"


class DrawnLine:
    """A line with its pyramid, on the grid of its bars."""

    def __init__(self, line: Line, grid: Grid) -> None:
        if len(line.values) != len(grid.keys[0]):
            raise BugError(f"Line {line.name} has {len(line.values)} values for {len(grid.keys[0])} bars.")
        self.name = line.name
        self.pane = line.pane
        self.values = np.asarray(line.values, dtype=np.float64)
        self.envelope = Envelope(grid, self.values)

    @property
    def reach(self) -> float:
        """The largest distance of any value from zero; 0 where there is none."""
        extremes = (np.fmin.reduce(self.envelope.low[-1], initial=np.nan), np.fmax.reduce(self.envelope.high[-1], initial=np.nan))
        return max((abs(float(value)) for value in extremes if np.isfinite(value)), default=0.0)


def _empty() -> Floats:
    return np.empty(0)


def _no_instants() -> Instants:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeMarks:
    """Round trips as columns, in the order of their table. All of shape (n,).

    `entry_ns`, `exit_ns`: int64 UTC, starts of the bars they happened in. `direction`: +1 long, −1 short.
    `pnl`: account currency, net; decides on the colour.
    """

    entry_ns: Instants = field(default_factory=_no_instants)
    exit_ns: Instants = field(default_factory=_no_instants)
    entry_price: Floats = field(default_factory=_empty)
    exit_price: Floats = field(default_factory=_empty)
    direction: Ints = field(default_factory=_no_instants)
    qty: Floats = field(default_factory=_empty)
    pnl: Floats = field(default_factory=_empty)

    def __len__(self) -> int:
        return len(self.entry_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """An order that waits for a price, or with `is_held` a position at what it cost. `text` says what, without the price.

    `side`: +1 buy or long, −1 sell or short. With an `order_id` a hand can take it to another price.
    """

    price: float
    text: str
    side: int
    is_held: bool = False
    order_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMarks:
    """Single fills: those that belong to no finished round trip, or a person's own.

    `time_ns`: int64 UTC, start of the bar; `side`: +1 buy, −1 sell.
    """

    time_ns: Instants = field(default_factory=_no_instants)
    price: Floats = field(default_factory=_empty)
    side: Ints = field(default_factory=_no_instants)
    qty: Floats = field(default_factory=_empty)

    def __len__(self) -> int:
        return len(self.time_ns)


def panes_of(lines: Sequence[DrawnLine]) -> list[str]:
    """Return the names of the panes that lines ask for beside `price`, in the order they were first asked for."""
    return list(dict.fromkeys(line.pane for line in lines if line.pane != "price"))
