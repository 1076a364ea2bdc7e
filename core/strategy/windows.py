"""What a strategy is shown: ticks, windows, its account and its declared indicators. Never anything later than now."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from core.clock.calendar import session_numbers
from core.errors import BugError, InvalidValue, NonsenseAction, StrategyFailed
from core.model.market import Bar, BarSeries, Floats, Instants, asset_class_of
from core.model.position import Position
from core.model.run import ParamValue


class StrategyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy learns of its run. It is not told the mode: it must not matter."""

    symbols: tuple[str, ...]
    timeframe: str
    params: dict[str, ParamValue]
    cash: Decimal
    seed: int = 0
    """What the strategy's `random` starts from."""


class Tick(msgspec.Struct, frozen=True, gc=False):
    """A decision time, UTC ns, with the symbols whose bars of the run's own timeframe ended then.

    `ended`: symbol and timeframe of every bar that ended then, the run's own first.
    """

    time_ns: int
    symbols: tuple[str, ...]
    ended: tuple[tuple[str, str], ...] = ()


class Window:
    """The last bars of a symbol that ended at or before the tick, oldest first; fewer than asked at the start.

    The columns are read-only float64 views of shape (n,); `start_ns` is int64, UTC.
    """

    __slots__ = ("_end_ns", "_series", "asked", "first", "last")

    def __init__(self, series: BarSeries, end_ns: Instants, first: int, last: int, asked: int) -> None:
        self._series = series
        self._end_ns = end_ns
        self.first = first
        self.last = last
        self.asked = asked

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def is_full(self) -> bool:
        """Whether it has as many bars as were asked for."""
        return self.last - self.first == self.asked

    def newest(self) -> Bar:
        """Return the last bar. Raises IndexError when the window is empty."""
        if self.last == self.first:
            raise IndexError("the window is empty")
        at, series = self.last - 1, self._series
        return Bar(series.symbol, int(series.start_ns[at]), int(self._end_ns[at]), *(float(column[at]) for column in series.columns()))

    @property
    def symbol(self) -> str:
        return self._series.symbol

    @property
    def timeframe(self) -> str:
        return str(self._series.timeframe)

    @property
    def start_ns(self) -> Instants:
        return self._series.start_ns[self.first : self.last]

    @property
    def open(self) -> Floats:
        return self._series.open[self.first : self.last]

    @property
    def high(self) -> Floats:
        return self._series.high[self.first : self.last]

    @property
    def low(self) -> Floats:
        return self._series.low[self.first : self.last]

    @property
    def close(self) -> Floats:
        return self._series.close[self.first : self.last]

    @property
    def volume(self) -> Floats:
        return self._series.volume[self.first : self.last]


class AccountView(Protocol):
    """What a strategy may know of its account, as of now."""

    @property
    def cash(self) -> Decimal:
        """Cash, account currency."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes."""
        ...

    def position(self, symbol: str) -> Position:
        """Return the holding of `symbol`; flat when there is none."""
        ...

    def held(self, symbol: str) -> Decimal:
        """Return the units held, signed."""
        ...

    def working(self) -> tuple[str, ...]:
        """Return the refs of orders that are still working."""
        ...


COLUMNS: Final = ("open", "high", "low", "close", "volume", "session")
"""What an indicator may be made from. `session` numbers the sessions: it changes at the first bar of each."""


class Column(msgspec.Struct, frozen=True):
    """A column of a symbol's bars, named and not yet read: the input of an indicator. `timeframe` None: the run's own."""

    symbol: str
    name: str
    timeframe: str | None = None

    def read(self, bars: BarSeries) -> Floats:
        """Return this column of `bars`, read-only."""
        if self.name == "session":
            column = session_numbers(bars.start_ns, bars.timeframe.ns, asset_class_of(bars.symbol)).astype(np.float64)
        else:
            column = getattr(bars, self.name).view()
        column.flags.writeable = False
        return column


class Indicator:
    """A declared indicator: computed once over arrays, revealed bar by bar of its timeframe (None: the run's own).

    `value` is the one at the newest bar, nan while there is none; `[-1]` is the same, `[-2]` the bar before.
    """

    __slots__ = ("_at", "_block", "_values", "arguments", "function", "name", "pane", "symbol", "timeframe")

    def __init__(
        self,
        function: Callable[..., Floats],
        arguments: tuple[Any, ...],
        symbol: str,
        name: str,
        pane: str,
        timeframe: str | None = None,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.symbol = symbol
        self.timeframe = timeframe
        self.name = name
        self.pane = pane
        self._values: Floats = np.empty(0)
        self._block: list[float] = [float("nan")]
        self._at: Cursor = Cursor()

    @property
    def inputs(self) -> "tuple[Column | Indicator, ...]":
        """The columns and indicators among its arguments."""
        return tuple(item for item in self.arguments if isinstance(item, (Column, Indicator)))

    def compute(self, *inputs: Floats) -> Floats:
        """Return the function's values, one per bar, given those of its inputs in their order.

        Raises StrategyFailed when the function raises or does not return one float per bar, NonsenseAction when it
        refuses its settings.
        """
        left = iter(inputs)
        arguments = [next(left) if isinstance(item, (Column, Indicator)) else item for item in self.arguments]
        try:
            values = np.asarray(self.function(*arguments), dtype=np.float64)
        except InvalidValue as error:
            raise NonsenseAction(f"Indicator {self.name}: {error}") from error
        except Exception as error:
            raise StrategyFailed(f"Indicator {self.name} raised {type(error).__name__}: {error}.") from error
        if values.shape != inputs[0].shape:
            raise StrategyFailed(
                f"Indicator {self.name} returned shape {values.shape} for {len(inputs[0])} bars.", "Return one value per bar."
            )
        # Others are made from it: nobody may write to it.
        values = values.view()
        values.flags.writeable = False
        return values

    @property
    def value(self) -> float:
        return self._block[self._at.in_block]

    def __getitem__(self, back: int) -> float:
        """Return an earlier value: −1 is now. Before the first bar it is nan; a bar to come raises IndexError."""
        if back >= 0:
            raise IndexError("an indicator is read backwards from now: [-1] is the newest value, [-2] the one before")
        at = self._at.now + back + 1
        return float(self._values[at]) if at >= 0 else float("nan")

    def attach(self, values: Floats, cursor: "Cursor") -> None:
        """Give it its values, one per bar of its symbol, and the cursor that says how many are known."""
        if len(values) != cursor.bars:
            raise BugError(f"Indicator {self.name} has {len(values)} values for {cursor.bars} bars.")
        self._values = values
        self._at = cursor

    def renew(self, values: Floats) -> None:
        """Take other values of the first bars; those after them are nan. The loaded block stays where it is."""
        self._values = np.full(self._at.bars, np.nan)
        self._values[: len(values)] = values
        self.load_block(*self.loaded)

    @property
    def loaded(self) -> tuple[int, int]:
        """The bars that `value` reads from: the first, and the one after the last."""
        return self._at.block, self._at.block + len(self._block) - 1

    def load_block(self, first: int, last: int) -> None:
        """Make bars `first` to `last` (exclusive) the ones `value` reads from."""
        self._block = self._values[first:last].tolist()
        self._block.append(float("nan"))  # read at index −1, while the symbol has no bar yet: never the last of the block

    @property
    def values(self) -> Floats:
        """All values known now, as a view."""
        return self._values[: self._at.now + 1]


class Cursor:
    """Where a symbol's bars are: `in_block` is the newest bar known within the loaded block, −1 before the first.

    `now` is the same within all bars. A run moves `in_block` at each bar and `block` at each block.
    """

    __slots__ = ("bars", "block", "in_block")

    def __init__(self, bars: int = 0) -> None:
        self.bars = bars
        self.block = 0
        self.in_block = -1

    @property
    def now(self) -> int:
        """The newest bar known; −1 when there is none."""
        return self.block + self.in_block
