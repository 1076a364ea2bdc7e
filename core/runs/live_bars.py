"""The bars of a run that goes on in real time: arrays that grow, and what is declared over them.

A window over them is the window that a backtest over the same bars gives: the same functions build the larger bars, and the
indicators are bit for bit those over all bars at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from core.clock import calendar
from core.clock.resample import resampled
from core.errors import NonsenseAction
from core.model.instants import MINUTE_NS
from core.model.market import AssetClass, Bar, BarSeries, Floats, Instants, Timeframe, asset_class_of
from core.strategy.actions import FetchWindow
from core.strategy.live_indicators import LiveIndicators
from core.strategy.runner import StrategyRunner
from core.strategy.windows import Cursor, Indicator, Window

MINUTE: Final = Timeframe(MINUTE_NS)
_FIRST_ROOM: Final = 1_024
_REMEMBERED: Final = 1_000
"""For so many minutes it is known whether one came: one that comes out of turn may be there already."""


class GrowingBars:
    """Bars of one symbol and timeframe, with when each is known."""

    def __init__(self, symbol: str, timeframe: Timeframe) -> None:
        self.symbol, self.timeframe = symbol, timeframe
        self.cursor: Final = Cursor()
        self._times = np.empty((2, _FIRST_ROOM), np.int64)
        self._columns = np.empty((5, _FIRST_ROOM), np.float64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, bars: BarSeries, ends: Instants) -> None:
        """Take the next bars."""
        first, last = self._count, self._count + len(bars)
        room = self._times.shape[1]
        if last > room:
            while room < last:
                room *= 2
            times, columns = np.empty((2, room), np.int64), np.empty((5, room), np.float64)
            times[:, :first], columns[:, :first] = self._times[:, :first], self._columns[:, :first]
            self._times, self._columns = times, columns
        self._times[0, first:last], self._times[1, first:last] = bars.start_ns, ends
        for own, column in zip(self._columns, bars.columns(), strict=True):
            own[first:last] = column
        self._count = self.cursor.bars = last
        self.cursor.block, self.cursor.in_block = (last - 1, 0) if last else (0, -1)

    @property
    def series(self) -> BarSeries:
        """All of them, as views that do not grow."""
        count = self._count
        return BarSeries.from_columns(self.symbol, self.timeframe, self._times[0, :count], *(column[:count] for column in self._columns))

    @property
    def ends(self) -> Instants:
        """When each is known."""
        return self._times[1, : self._count]

    def bar(self, at: int) -> Bar:
        """Return one bar; −1 is the newest."""
        at = at if at >= 0 else self._count + at
        return Bar(self.symbol, int(self._times[0, at]), int(self._times[1, at]), *(float(column[at]) for column in self._columns))


class Building:
    """Builds larger bars from smaller ones as they come; each is given when it is over, once."""

    def __init__(self, symbol: str, smaller: Timeframe, larger: Timeframe) -> None:
        self._larger = larger
        self._class: AssetClass = asset_class_of(symbol)
        self._open = BarSeries.empty(symbol, smaller)

    def take(self, bars: BarSeries, now_ns: int) -> tuple[BarSeries, Instants]:
        """Return the larger bars that are over at `now_ns` and were not before."""
        if self._open.timeframe == self._larger:
            return bars, calendar.bar_ends(bars.start_ns, self._larger.ns, self._class)
        self._open = joined(self._open, bars)
        larger, ends = resampled(self._open, self._larger, self._class, now_ns)
        if len(larger):
            done = int(np.searchsorted(self._open.start_ns, int(ends[-1]), side="left"))
            self._open = self._open.slice(done, len(self._open))
        return larger, ends


class LiveBars:
    """All bars of a run. `add` minutes as they come; `ended` moves what is over at an instant to where the strategy sees it.

    A bar that was seen is never made again: minutes that come too late for theirs are left out for good, so that what the strategy sees,
    what is recorded of it and what a replay of that makes are the same.
    """

    def __init__(self, symbols: Sequence[str], own: Timeframe) -> None:
        self.own_timeframe = own
        self.minutes = {symbol: BarSeries.empty(symbol, MINUTE) for symbol in symbols}
        """Those that came and are not moved yet."""
        self._told = {symbol: BarSeries.empty(symbol, MINUTE) for symbol in symbols}
        """All that came, the late ones too, and are not handed over by `told` yet; none where a minute is an own bar."""
        self._newest_ns = dict.fromkeys(symbols, -1)
        self._came: dict[str, set[int]] = {symbol: set() for symbol in symbols}
        """When minutes began that came lately."""
        self._ended_ns = -1
        self._made_ns = dict.fromkeys(symbols, -1)
        """When the newest bar that was made of several minutes is over."""
        self._brought: dict[str, list[int]] = {}
        """When the bars were over that `ended` brought last, larger ones too."""
        self.own = {symbol: GrowingBars(symbol, own) for symbol in symbols}
        self._building = {symbol: Building(symbol, MINUTE, own) for symbol in symbols}
        self._larger: dict[tuple[str, str], tuple[Building, GrowingBars]] = {}
        self._live = LiveIndicators(())
        self._values: dict[Indicator, _GrowingValues] = {}
        self._runner: StrategyRunner | None = None

    def prepare(self, runner: StrategyRunner) -> None:
        """Take what the strategy declared; before the first minute is moved."""
        for timeframe in runner.timeframes:
            for symbol in self.own:
                built = Timeframe.parse(timeframe)
                self._larger[symbol, timeframe] = (Building(symbol, self.own_timeframe, built), GrowingBars(symbol, built))
        self._runner = runner
        self._live = LiveIndicators(runner.indicators)
        self._values = {indicator: _GrowingValues() for indicator in runner.indicators}
        runner.attach_plots({symbol: bars.cursor for symbol, bars in self.own.items()})

    def restore(self, seen: Mapping[str, BarSeries]) -> None:
        """Take the run's own bars as it saw them before it was interrupted; after `prepare`, before any minute."""
        for symbol, bars in seen.items():
            if len(bars):
                ends = calendar.bar_ends(bars.start_ns, bars.timeframe.ns, asset_class_of(symbol))
                self._newest_ns[symbol] = self._made_ns[symbol] = int(ends[-1])
                self._show(symbol, bars, ends, int(ends[-1]))

    # --- minutes ---

    def newest_minute(self, symbol: str) -> int:
        """Return when the newest minute that came is over; −1 when none came."""
        return self._newest_ns[symbol]

    def add(self, minutes: BarSeries, *, is_live: bool = False) -> list[int]:
        """Take minutes of a symbol; return when those began that came too late. What came before is left out.

        So is what is older, but for a minute of the stream whose turn has not passed. Too late is a minute of a larger bar that was made
        without it; and, where it `is_live` and no history of a gap, one that was over when `ended` was asked last.
        """
        symbol = minutes.symbol
        fresh = minutes.between(self._newest_ns[symbol] if self._newest_ns[symbol] >= 0 else None, None)
        if not len(fresh):
            return self._out_of_turn(minutes) if is_live else []
        self._came[symbol].update(fresh.start_ns.tolist())
        self._newest_ns[symbol] = int(fresh.start_ns[-1]) + MINUTE_NS
        self._note_told(fresh)
        over_ns = max(self._made_ns[symbol], self._ended_ns if is_live else -1)
        late = fresh.between(None, over_ns - MINUTE_NS + 1)
        self.minutes[symbol] = joined(self.minutes[symbol], fresh.slice(len(late), len(fresh)))
        return [int(start_ns) for start_ns in late.start_ns]

    def _out_of_turn(self, minutes: BarSeries) -> list[int]:
        """Take a minute of the stream that came after the one that follows it; one that came twice says nothing new."""
        symbol, came = minutes.symbol, self._came[minutes.symbol]
        start_ns = int(minutes.start_ns[0]) if len(minutes) else 0
        if not len(minutes) or start_ns in came or start_ns < self._newest_ns[symbol] - _REMEMBERED * MINUTE_NS:
            return []
        came.add(start_ns)
        self._note_told(minutes)
        if start_ns + MINUTE_NS <= max(self._made_ns[symbol], self._ended_ns):
            return [start_ns]
        self.minutes[symbol] = _inserted(self.minutes[symbol], minutes)
        return []

    def _note_told(self, minutes: BarSeries) -> None:
        if self.own_timeframe != MINUTE:
            self._told[minutes.symbol] = _inserted(self._told[minutes.symbol], minutes)

    def told(self, first_ns: int, until_ns: int) -> dict[str, BarSeries]:
        """Hand over, once, the minutes that were over at `until_ns`, from `first_ns` on: what the market did, whatever was seen of it."""
        found = {}
        for symbol, told in self._told.items():
            over = told.between(None, until_ns - MINUTE_NS + 1)
            self._told[symbol] = told.slice(len(over), len(told))
            if len(wanted := over.between(first_ns, None)):
                found[symbol] = wanted
        return found

    def ended(
        self, now_ns: int, *, keep: int | None = None, gaps: Collection[str] = ()
    ) -> tuple[dict[str, BarSeries], list[tuple[str, Bar]]]:
        """Move all minutes that are over; return the run's new bars by symbol, and the larger ones that ended just now.

        `keep`: only so many of the run's own bars of each symbol, the newest. `gaps`: symbols of which minutes are missing that will be
        completed; no larger bar is made without them.
        """
        self._ended_ns = now_ns
        for symbol, came in self._came.items():
            if len(came) > 2 * _REMEMBERED:
                self._came[symbol] = {start_ns for start_ns in came if start_ns >= self._newest_ns[symbol] - _REMEMBERED * MINUTE_NS}
        new: dict[str, BarSeries] = {}
        larger: list[tuple[str, Bar]] = []
        self._brought = {}
        for symbol in self.own:
            waiting = self.minutes[symbol]
            over = waiting.between(None, now_ns - MINUTE_NS + 1)
            self.minutes[symbol] = waiting.slice(len(over), len(waiting))
            until_ns = min(now_ns, self._newest_ns[symbol]) if symbol in gaps else now_ns
            bars, ends = self._building[symbol].take(over, until_ns)
            if len(bars) and self.own_timeframe != MINUTE:
                self._made_ns[symbol] = int(ends[-1])
            if keep is not None:
                bars, ends = bars.slice(max(0, len(bars) - keep), len(bars)), ends[max(0, len(ends) - keep) :]
            if len(bars):
                new[symbol] = bars
            larger += [one for one in self._show(symbol, bars, ends, until_ns) if one[1].end_ns > now_ns - MINUTE_NS]
        return new, larger

    def _show(self, symbol: str, bars: BarSeries, ends: Instants, until_ns: int) -> list[tuple[str, Bar]]:
        """Let the strategy see bars of a symbol, and what they make of larger ones; return the newest of each larger timeframe."""
        own, brought, larger = self.own[symbol], ends.tolist(), []
        if len(bars):
            own.append(bars, ends)
            self._reveal(own, bars)
        for (of, timeframe), (building, built) in self._larger.items():
            if of == symbol:
                more, known = building.take(bars, until_ns)
                if len(more):
                    self._made_ns[symbol] = max(self._made_ns[symbol], int(known[-1]))
                    brought += known.tolist()
                    built.append(more, known)
                    self._reveal(built, more)
                    larger.append((timeframe, built.bar(-1)))
        self._brought[symbol] = brought
        return larger

    def fresh(self, new: Iterable[str], now_ns: int, origin_ns: int) -> dict[str, Bar]:
        """Return the bars of symbols with new ones that are news at `now_ns`.

        One that began before the run, at `origin_ns`, is history, and so is one that a gap has made old.
        """
        newest = {symbol: self.own[symbol].bar(-1) for symbol in new}
        return {symbol: bar for symbol, bar in newest.items() if bar.end_ns > now_ns - MINUTE_NS and bar.start_ns >= origin_ns}

    def warm(self, fresh: Mapping[str, Bar], larger: Sequence[tuple[str, Bar]]) -> tuple[dict[str, Bar], list[tuple[str, Bar]]]:
        """Return what the strategy is told of these: the bars of symbols that have as many as it wants to know first."""
        least = 0 if self._runner is None else self._runner.warmup
        known = {symbol for symbol, own in self.own.items() if len(own) >= least}
        told = {symbol: bar for symbol, bar in fresh.items() if symbol in known}
        return told, [(timeframe, bar) for timeframe, bar in larger if bar.symbol in known]

    def passed(self, old_ns: int) -> dict[tuple[int, int], tuple[str, ...]]:
        """Return of which symbols `ended` brought bars that were over at `old_ns` or before: too late to be decided on.

        By the instants after which and up to which they were over.
        """
        found: dict[tuple[int, int], tuple[str, ...]] = {}
        for symbol, brought in self._brought.items():
            if old := [end_ns for end_ns in brought if end_ns <= old_ns]:
                span = (min(old) - 1, max(old))
                found[span] = (*found.get(span, ()), symbol)
        return found

    def _reveal(self, grown: GrowingBars, bars: BarSeries) -> None:
        """Let the indicators over these bars, and the plots, go as far as the bars do."""
        for indicator, values in self._live.extend(bars).items():
            kept = self._values[indicator]
            kept.append(values)
            indicator.attach(kept.values, grown.cursor)
            indicator.load_block(len(grown) - 1, len(grown))
        if self._runner is not None:
            for plot in self._runner.plots:
                plot.grow()

    # --- what the strategy may ask ---

    def window(self, asked: FetchWindow) -> Window:
        """Return the last bars of a symbol. Raises NonsenseAction for a timeframe that was not declared."""
        timeframe = asked.timeframe
        if timeframe is None or timeframe == str(self.own_timeframe):
            bars = self.own[asked.symbol]
        elif (asked.symbol, timeframe) in self._larger:
            bars = self._larger[asked.symbol, timeframe][1]
        else:
            raise NonsenseAction(
                f"The strategy asked for {timeframe} bars of {asked.symbol}, which it did not declare.",
                f'Add timeframes = ("{timeframe}",) to its class.',
            )
        return Window(bars.series, bars.ends, max(0, len(bars) - asked.bars), len(bars), asked.bars)


class _GrowingValues:
    """An indicator's values."""

    def __init__(self) -> None:
        self._room: Floats = np.empty(_FIRST_ROOM)
        self._count = 0

    def append(self, values: Floats) -> None:
        last = self._count + len(values)
        if last > len(self._room):
            room = np.empty(max(last, 2 * len(self._room)))
            room[: self._count] = self._room[: self._count]
            self._room = room
        self._room[self._count : last] = values
        self._count = last

    @property
    def values(self) -> Floats:
        return self._room[: self._count]


def joined(one: BarSeries, other: BarSeries) -> BarSeries:
    """Return bars and those that follow them."""
    if not len(one) or not len(other):
        return other if len(other) else one
    columns = (np.concatenate(pair) for pair in zip(one.columns(), other.columns(), strict=True))
    return BarSeries.from_columns(one.symbol, one.timeframe, np.concatenate((one.start_ns, other.start_ns)), *columns)


def _inserted(bars: BarSeries, more: BarSeries) -> BarSeries:
    """Return bars with others that begin after the one and before the next of them."""
    after = int(bars.start_ns.searchsorted(more.start_ns[0]))
    return joined(joined(bars.slice(0, after), more), bars.slice(after, len(bars)))


def series_of(bars: Mapping[str, GrowingBars]) -> dict[str, BarSeries]:
    """Return the bars by symbol."""
    return {symbol: growing.series for symbol, growing in bars.items()}


def one_bar(bar: Bar) -> BarSeries:
    """Return a minute as a series."""
    columns = (np.array([value]) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
    return BarSeries.from_columns(bar.symbol, MINUTE, np.array([bar.start_ns], np.int64), *columns)
