"""Greta: drives a run over stored bars and fills its orders by the rules of docs/simulation.md.

The loop is a generator that hands back control when its slice is over. Nothing is computed per bar that nobody needs:
arrays are read block by block, matching is entered only where a bar reaches an order, equity is drawn up at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.backtest.feeds import Feed, Market, bars_of
from core.backtest.rows import LARGER, LAST, LATE, UNSEEN, Rows, are_together, rows_of, rows_together
from core.backtest.timeline import distinct, merge
from core.backtest.upkeep import Upkeep
from core.backtest.venue import SimulatedVenue
from core.clock.simulated import SimulatedClock
from core.model.market import Bar, Instants
from core.strategy.actions import Action
from core.strategy.runner import StrategyRunner, compute_indicators

BLOCK: Final = 1_024
"""Bars turned into Python numbers at a time: so few that the numbers stay in the processor's own cache."""
MIXED_BLOCK: Final = 2_048
BARS_OF_EACH: Final = 128
"""Bars of several symbols or timeframes at a time: at least so many in all, and so many of each, since each costs something anew."""

Route = Callable[[Sequence[Action]], None]
"""Carries a strategy's actions to where they are done; called at the decision time."""

Trace = Callable[[int, tuple[str, ...]], None]
"""Told of each decision time, when somebody wants to know."""

Larger = Callable[[Market, str], Market]
"""Builds a symbol's bars of a larger timeframe from the run's own."""


class Simulator:
    """The loop of one run. `feeds` are the run's own bars, symbol by symbol, then finer ones that its orders meet in their place.

    Larger ones are added when the strategy asks.
    """

    def __init__(
        self,
        *,
        feeds: list[Feed],
        venue: SimulatedVenue,
        clock: SimulatedClock,
        monotonic_ns: Callable[[], int],
        upkeep: Upkeep | None = None,
        closes_at_end: bool = False,
    ) -> None:
        self._feeds = feeds
        self._venue = venue
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._upkeep = upkeep
        self._closes_at_end = closes_at_end
        self._deadline_ns = 0
        self.start_ns = clock.instant_ns
        self.bars_done = 0

    def prepare(self, runner: StrategyRunner, route: Route, larger: Larger) -> None:
        """Let the strategy initialize, decided at the run's start; build the larger bars it wants and its indicators."""
        route(runner.initialize())
        own = tuple(feed for feed in self._feeds if feed.is_own)
        for timeframe in runner.timeframes:
            for feed in own:
                self._feeds.append(Feed(len(self._feeds), larger(feed.market, timeframe), is_own=False))
        # One symbol's bars go one after the other: those that orders meet, then the run's own timeframe, then the larger ones.
        self._feeds.sort(key=lambda feed: (own.index(next(one for one in own if one.symbol == feed.symbol)), not feed.meets, feed.at))
        for at, feed in enumerate(self._feeds):
            feed.at = at
        keyed = {(feed.symbol, feed.timeframe): feed for feed in self._feeds if feed.is_own or not feed.meets}
        cursors = {key: feed.cursor for key, feed in keyed.items()}
        compute_indicators(runner.indicators, {key: feed.market.bars for key, feed in keyed.items()}, cursors)
        runner.attach_plots({feed.symbol: feed.cursor for feed in own})

    def steps(self, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """Go through all bars; yields when the slice given by `extend` is over. After the last step the run is over."""
        feed = self._feeds[0]
        if len(self._feeds) == 1 and self._upkeep is None and bool((np.diff(feed.market.end_ns) > 0).all()):
            yield from self._one_symbol(feed, runner, route, trace)
            # Only bars that orders meet move it; what is closed at the end belongs to the last point.
            self._venue.point = max(0, self.bars_done - 1)
        else:
            yield from self._many_feeds(runner, route, trace)
        self._venue.cancel_all("The run ended.")
        if self._closes_at_end:
            self._venue.close_at_end("end_of_run")

    @property
    def feeds(self) -> Sequence[Feed]:
        """The run's bars, symbol by symbol; with the larger ones once it is prepared."""
        return self._feeds

    def extend(self, deadline_ns: int) -> None:
        """Let the loop go on until the monotonic clock passes `deadline_ns`."""
        self._deadline_ns = deadline_ns

    def _one_symbol(self, feed: Feed, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """The loop for one symbol: each bar is a decision time of its own."""
        clock, cursor, book, on_bar, pending = self._clock, feed.cursor, feed.book, runner.on_bar, runner.pending()
        symbol, symbols, monotonic_ns, venue = feed.symbol, (feed.symbol,), self._monotonic_ns, self._venue
        indicators, market, working = runner.indicators, feed.market, book.working
        begin = market.first
        stride, checked_ns = 16, monotonic_ns()
        actions: Sequence[Action] | None
        for first, last in _blocks(begin, market.ready, len(market.bars)):
            for indicator in indicators:
                indicator.load_block(first, last)
            cursor.block = first
            within, is_warm = -1, first >= market.ready
            direct = on_bar if is_warm and trace is None else None
            regular = None if market.regular is None else market.regular[first:last].tolist()
            starts, ends = market.bars.start_ns[first:last].tolist(), market.end_ns[first:last].tolist()
            bars = bars_of(symbol, starts, ends, [column[first:last] for column in market.bars.columns()])
            while first + within + 1 < last:
                for bar in islice(bars, stride):
                    within += 1
                    cursor.in_block = within
                    if working:
                        if bar.low <= book.acts_below or bar.high >= book.acts_above:
                            venue.point = first + within - begin
                            feed.newest = bar
                            venue.meet(feed, bar, is_regular=regular is None or regular[within])
                        if bar.end_ns >= venue.next_expiry_ns:
                            venue.expire(bar.end_ns)
                    if direct is not None:
                        try:
                            direct(bar)
                        except (Exception, SystemExit) as error:
                            raise runner.failed_at(bar.end_ns, "on_bar", error) from error
                        if not pending:
                            continue
                        actions = runner.take(bar.end_ns)
                    elif is_warm:
                        if trace is not None:
                            clock.instant_ns = bar.end_ns
                            trace(bar.end_ns, symbols)
                        actions = runner.decide(bar.end_ns, {symbol: bar})
                    else:
                        continue
                    if actions:
                        clock.instant_ns = bar.end_ns
                        feed.newest = bar
                        route(actions)
                        if venue.stopped is not None:
                            self.bars_done = first + within + 1 - begin
                            return
                feed.newest = bar
                turn_ns = monotonic_ns()
                stride = _stride(stride, turn_ns - checked_ns)
                checked_ns = turn_ns
                if turn_ns >= self._deadline_ns:
                    self.bars_done = first + within + 1 - begin
                    clock.instant_ns = bar.end_ns
                    yield
                    checked_ns = monotonic_ns()
            self.bars_done = last - begin
            clock.instant_ns = bar.end_ns

    def _many_feeds(self, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """The loop for several symbols or timeframes: all bars that ended at the same time are one decision."""
        feeds, venue = self._feeds, self._venue
        timeline = merge([feed.market.end_ns[feed.market.first :] for feed in feeds])
        indicators = [[item for item in runner.indicators if feed.carries(item)] for feed in feeds]
        venue.point = 0
        for block in timeline.blocks(max(MIXED_BLOCK, BARS_OF_EACH * len(feeds))):
            if self._upkeep is None and are_together(feeds, timeline, block):
                rows = rows_together(feeds, timeline, block, indicators)
                yield from self._together(rows, len(block) // len(feeds), runner, route, trace)
            else:
                yield from self._one_by_one(rows_of(feeds, timeline, block, indicators), runner, route, trace)
            if venue.stopped is not None:
                return
        self._count_bars()
        venue.point = max(0, venue.point - 1)

    def _together(
        self, rows: Iterator[tuple[Bar, ...]], left: int, runner: StrategyRunner, route: Route, trace: Trace | None
    ) -> Iterator[None]:
        """A block in which a bar of every symbol ends at each decision time."""
        clock, monotonic_ns, feeds, venue = self._clock, self._monotonic_ns, self._feeds, self._venue
        cursors, orders, decide = [feed.cursor for feed in feeds], venue.orders, runner.decide
        symbols = tuple(feed.symbol for feed in feeds)
        stride, checked_ns, within = 4, monotonic_ns(), cursors[0].in_block
        while left > 0:
            for row in islice(rows, min(stride, left)):
                now_ns = row[0].end_ns
                within += 1
                if orders:
                    for feed, bar in zip(feeds, row, strict=True):
                        feed.cursor.in_block = within
                        feed.newest = bar
                        book = feed.book
                        if book.working and (bar.low <= book.acts_below or bar.high >= book.acts_above):
                            venue.meet(feed, bar, is_regular=feed.is_regular)
                    clock.instant_ns = now_ns
                    if now_ns >= venue.next_expiry_ns:
                        venue.expire(now_ns)
                else:
                    for cursor in cursors:
                        cursor.in_block = within
                    clock.instant_ns = now_ns
                if trace is not None:
                    trace(now_ns, symbols)
                actions = decide(now_ns, dict(zip(symbols, row, strict=True)))
                if actions:
                    for feed, bar in zip(feeds, row, strict=True):
                        feed.newest = bar
                    route(actions)
                    if venue.stopped is not None:
                        self._count_bars()
                        return
                venue.point += 1
            left -= stride
            for feed, bar in zip(feeds, row, strict=True):
                feed.newest = bar
            turn_ns = monotonic_ns()
            stride = _stride(stride, turn_ns - checked_ns)
            checked_ns = turn_ns
            if turn_ns >= self._deadline_ns:
                self._count_bars()
                yield
                checked_ns = monotonic_ns()

    def _one_by_one(self, rows: Rows, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """A block of any bars."""
        clock, monotonic_ns, venue, upkeep = self._clock, self._monotonic_ns, self._venue, self._upkeep
        bars: dict[str, Bar] = {}
        larger: list[tuple[str, Bar]] = []
        since_check, stride, checked_ns = 0, 16, monotonic_ns()
        for bar, feed, cursor, kind in rows:
            cursor.in_block += 1
            feed.newest = bar
            if upkeep is not None and feed.meets:
                clock.instant_ns = bar.end_ns
                upkeep.before(feed, cursor.now, bar)
            book = feed.book
            if book.working and (bar.low <= book.acts_below or bar.high >= book.acts_above):
                venue.meet(feed, bar, is_regular=not kind & LATE)
            if not kind & UNSEEN:
                bars[bar.symbol] = bar
            elif kind & LARGER:
                larger.append((feed.timeframe, bar))
            if not kind & LAST:
                continue
            clock.instant_ns = now_ns = bar.end_ns
            if now_ns >= venue.next_expiry_ns:
                venue.expire(now_ns)
            if upkeep is not None:
                upkeep.after(now_ns)
            since_check += 1
            if bars or larger:
                if trace is not None:
                    trace(now_ns, tuple(bars))
                actions = runner.decide(now_ns, bars, larger)
                since_check += len(bars)
                bars = {}
                if larger:
                    larger = []
                if actions:
                    route(actions)
                    if venue.stopped is not None:
                        self._count_bars()
                        return
            venue.point += 1
            if since_check >= stride:
                turn_ns = monotonic_ns()
                stride = _stride(stride, turn_ns - checked_ns)
                since_check, checked_ns = 0, turn_ns
                if turn_ns >= self._deadline_ns:
                    self._count_bars()
                    yield
                    checked_ns = monotonic_ns()

    def _count_bars(self) -> None:
        self.bars_done = sum(feed.cursor.now + 1 - feed.market.first for feed in self._feeds if feed.is_own)

    def starts_of(self, symbol: str, timeframe: str | None) -> Instants:
        """Return the starts of a symbol's bars of a timeframe (None: the run's own) that are known now, UTC ns."""
        found = next(
            feed for feed in self._feeds if feed.symbol == symbol and (feed.is_own if timeframe is None else feed.timeframe == timeframe)
        )
        return found.market.bars.start_ns[: found.cursor.now + 1]

    def equity_curve(self) -> tuple[Instants, NDArray[np.float64], NDArray[np.bool_]]:
        """Return times, equity and whether anything was held, at the start and at each decision time so far."""
        ends = [feed.market.end_ns[feed.market.first : feed.cursor.now + 1] for feed in self._feeds]
        times_ns = distinct(np.sort(np.concatenate(ends), kind="stable"))
        series = [feed.market.bars.slice(feed.market.first, len(feed.market.bars)) for feed in self._feeds]
        start_cash = float(self._venue.start_cash)
        equity, held = self._venue.steps.curve(start_cash, times_ns, series, ends)
        return (
            np.concatenate(([self.start_ns], times_ns)),
            np.concatenate(([start_cash], equity)),
            np.concatenate(([False], held)),
        )


def _blocks(first: int, ready: int, total: int) -> Iterator[tuple[int, int]]:
    """Return the spans to go through, with a border at `ready`, before which the strategy is not called."""
    while first < total:
        last = min(first + BLOCK, total)
        if first < ready < last:
            last = ready
        yield first, last
        first = last


def _stride(stride: int, took_ns: int) -> int:
    """Return after how many bars to look at the clock again: often for slow strategies, seldom for fast ones."""
    if took_ns > 1_000_000:
        return max(1, stride // 2)
    return min(1_024, stride * 2) if took_ns < 250_000 else stride
