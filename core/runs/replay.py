"""A run's beginning once more, by a second instance of the strategy, over bars that are cut: what is cut off does not exist.

Nothing of it is kept but the decisions. The simulator, the venue, the router and the order manager are those of the run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from core.backtest.assembly import Rules, larger_market, simulation
from core.backtest.feeds import Market
from core.backtest.reports import TradingDays
from core.clock.simulated import SimulatedClock
from core.errors import StrategyError
from core.events.envelope import Cause, Payload
from core.model.corporate_action import CorporateAction
from core.model.market import Bar, BarSeries, Floats, Instants, Timeframe
from core.model.order import Fill
from core.runs.account_journal import AccountJournal
from core.runs.journal import RunJournal
from core.runs.router import DomainRouter
from core.strategy import indicators as library
from core.strategy.actions import Action, FetchWindow
from core.strategy.runner import StrategyRunner, make_strategy
from core.strategy.windows import Column, Indicator, StrategyConfig, Window
from core.trading.orders import OrderManager

LIBRARY: Final = frozenset(getattr(library, name) for name in library.__all__)
"""The indicators that the program brings."""
_END: Final = 2**63 - 1


class Decision(NamedTuple):
    """What a strategy asked for at a decision time, UTC ns; `error` when it raised instead."""

    time_ns: int
    actions: tuple[Action, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The run that is replayed. `start_ns`: the instant at which its strategy was initialized.

    `indicators`: the run's own, with all that they know by now.
    """

    run_id: str
    config: StrategyConfig
    markets: tuple[Market, ...]
    rules: Callable[[StrategyRunner], Rules]
    actions: Mapping[str, Sequence[CorporateAction]]
    days: TradingDays
    start_ns: int
    indicators: Callable[[], Sequence[Indicator]]
    monotonic_ns: Callable[[], int]


class _Forgetful(RunJournal):
    """A journal that keeps nothing."""

    def record(self, payload: Payload, *arguments: Any, **named: Any) -> Cause:
        return None

    def record_late(self, *arguments: Any) -> int:
        return 0

    def add_fill(self, fill: Fill) -> None:
        pass


class _Over(BaseException):
    """The replay went as far as it was to go. No `except Exception` of a plug-in holds it up."""


class _Runner(StrategyRunner):
    """Drives a strategy, and says so before each decision."""

    def __init__(self, *arguments: Any, before: Callable[[int], None], known: Sequence[Indicator] | None) -> None:
        super().__init__(*arguments)
        self._before = before
        self._known_indicators = known

    def initialize(self) -> list[Action]:
        actions = super().initialize()
        for own, known in zip(self.indicators, self._known_indicators or (), strict=False):
            if own.function not in LIBRARY:
                own.function = _lenient(own.function, known.values)
        return actions

    @property
    def on_bar(self) -> Callable[[Bar], None] | None:
        direct, before = super().on_bar, self._before
        if direct is None:
            return None

        def call(bar: Bar) -> None:
            before(bar.end_ns)
            direct(bar)

        return call

    def decide(self, now_ns: int, bars: Mapping[str, Bar], larger: Sequence[tuple[str, Bar]] = ()) -> list[Action]:
        self._before(now_ns)
        return super().decide(now_ns, bars, larger)


class Replay:
    """The run from its start to `until_ns`, seen through `cuts`: at each, ascending, all later bars are gone.

    Between two cuts the strategy sees the data as cut at the later one; the last cut is `until_ns`. Without cuts it sees
    all there is, as the run did. `advance` slice by slice until `is_over`; then `decisions` are those up to `until_ns`.
    """

    def __init__(self, strategy_class: type, original: Original, until_ns: int, cuts: Sequence[int] | None) -> None:
        self._class = strategy_class
        self._original = original
        self._until_ns = until_ns
        self._cuts = None if cuts is None else [*(cut for cut in cuts if cut < until_ns), until_ns]
        self._markets = {market.bars.symbol: market if cuts is None else _cut_market(market, until_ns) for market in original.markets}
        self._own = str(Timeframe.parse(original.config.timeframe))
        self._sees_ns = -1
        self._seen: dict[tuple[str, str], tuple[BarSeries, Instants]] = {}
        self._now_ns = original.start_ns
        self._steps: Iterator[None] | None = None
        self.decisions: list[Decision] = []
        self.is_over = False

    def advance(self, deadline_ns: int) -> None:
        """Go on until the monotonic clock passes `deadline_ns`; in the run's thread."""
        try:
            if self._steps is None:
                self._steps = self._start()
            self._simulator.extend(deadline_ns)
            next(self._steps)
        except (StopIteration, _Over):
            self.is_over = True
        except StrategyError as error:
            self.decisions.append(Decision(self._now_ns, (), str(error)))
            self.is_over = True

    def _start(self) -> Iterator[None]:
        original, run_id = self._original, self._original.run_id
        clock, journal = SimulatedClock(original.start_ns), _Forgetful(run_id, "replay")
        orders = OrderManager(run_id, journal)
        self._router = DomainRouter(run_id, journal=journal, orders=orders, now_ns=clock.now_ns)
        self._clock = clock
        strategy = make_strategy(self._class)
        is_cut = self._cuts is not None
        fetch = self._fetch if is_cut else self._router.fetch
        known = original.indicators() if is_cut else None
        self._runner = _Runner(strategy, original.config, fetch, before=self._before, known=known)
        made = simulation(
            list(self._markets.values()),
            original.rules(self._runner),
            clock=clock,
            monotonic_ns=original.monotonic_ns,
            days=original.days,
            orders=orders,
            account=AccountJournal(journal),
            actions=original.actions,
        )
        self._simulator, self._venue = made.simulator, made.venue
        self._router.connect(made.venue)
        strategy.account = made.venue
        self._simulator.prepare(self._runner, self._route, self._larger_market)
        return self._simulator.steps(self._runner, self._route, None)

    def _route(self, actions: Sequence[Action]) -> None:
        if actions:
            self.decisions.append(Decision(self._clock.instant_ns, tuple(actions)))
        self._router.route(actions)

    # --- what is cut off ---

    def _before(self, now_ns: int) -> None:
        """Look before each decision whether the next cut is in force from now on."""
        self._now_ns = now_ns
        if now_ns > self._until_ns:
            raise _Over
        if self._cuts is None or now_ns <= self._sees_ns:
            return
        while self._cuts[0] < now_ns:
            del self._cuts[0]
        self._sees_ns = self._cuts[0]
        self._seen = {}
        computed: dict[int, Floats] = {}
        for indicator in self._runner.indicators:
            if not self._is_proven(indicator):
                indicator.renew(self._computed(indicator, computed))

    def _is_proven(self, indicator: Indicator) -> bool:
        """Whether an indicator is of the library, over the run's own bars: tests prove that shorter arrays give it the same values."""
        if indicator.function not in LIBRARY or indicator.timeframe not in {None, self._own}:
            return False
        return all(isinstance(item, Column) or self._is_proven(item) for item in indicator.inputs)

    def _computed(self, indicator: Indicator, computed: dict[int, Floats]) -> Floats:
        """Return an indicator's values over the bars up to the cut in force."""
        if id(indicator) not in computed:
            bars, _ = self._series(indicator.symbol, indicator.timeframe or self._own)
            inputs = [item.read(bars) if isinstance(item, Column) else self._computed(item, computed) for item in indicator.inputs]
            computed[id(indicator)] = indicator.compute(*inputs)
        return computed[id(indicator)]

    def _fetch(self, asked: FetchWindow) -> Window:
        series, end_ns = self._series(asked.symbol, asked.timeframe or self._own)
        if not len(series):
            return Window(series, end_ns, 0, 0, asked.bars)
        last = self._venue.window(FetchWindow(asked.symbol, 1, asked.timeframe)).last
        return Window(series, end_ns, max(0, last - asked.bars), last, asked.bars)

    def _series(self, symbol: str, timeframe: str) -> tuple[BarSeries, Instants]:
        """Return a symbol's bars up to the cut in force, and their ends: arrays behind which there is nothing else."""
        key = (symbol, timeframe)
        if key not in self._seen:
            market = _cut_market(self._markets[symbol], self._sees_ns)
            if timeframe != self._own:
                market = self._larger_market(market, timeframe)
            self._seen[key] = (market.bars, market.end_ns)
        return self._seen[key]

    def _larger_market(self, own: Market, timeframe: str) -> Market:
        if own.whole is None:
            return larger_market(own, timeframe)
        if not len(own.bars):
            return Market(instrument=own.instrument, bars=BarSeries.empty(own.bars.symbol, Timeframe.parse(timeframe)), end_ns=own.end_ns)
        # An interval without bars at its end is over when its time is, not when the next bar comes.
        until_ns = min(self._sees_ns if self._sees_ns >= 0 else self._until_ns, int(own.whole.end_ns[-1]))
        return larger_market(own, timeframe, until_ns)


def _cut_market(market: Market, until_ns: int) -> Market:
    """Return copies of the bars that ended at `until_ns` or before."""
    count = int(np.searchsorted(market.end_ns, until_ns, side="right"))
    bars = market.bars
    copied = BarSeries.from_columns(
        bars.symbol, bars.timeframe, bars.start_ns[:count].copy(), *(column[:count].copy() for column in bars.columns())
    )
    return replace(
        market,
        bars=copied,
        end_ns=market.end_ns[:count].copy(),
        regular=None if market.regular is None else market.regular[:count].copy(),
        whole=market.whole or market,
        finer=None if market.finer is None else _cut_market(market.finer, until_ns),
    )


def _lenient(function: Callable[..., Floats], known: Floats) -> Callable[..., Floats]:
    """Return `function` for bars that are fewer than it can do with: then it gives what the run knew, and is not judged."""

    def compute(*arguments: Any) -> Floats:
        count = next(len(item) for item in arguments if isinstance(item, np.ndarray))
        try:
            values = np.asarray(function(*arguments), dtype=np.float64)
        except Exception:
            return known[:count]
        return values if values.shape == (count,) else known[:count]

    return compute


def first_difference(one: Sequence[Decision], other: Sequence[Decision], until_ns: int = _END) -> tuple[Decision, Decision] | None:
    """Return the first decisions up to `until_ns` in which two runs differ; one that decided nothing then is empty."""
    ours = [item for item in one if item.time_ns <= until_ns]
    theirs = [item for item in other if item.time_ns <= until_ns]
    for mine, yours in zip(ours, theirs, strict=False):
        if mine != yours:
            time_ns = min(mine.time_ns, yours.time_ns)
            nothing = Decision(time_ns, ())
            return (mine if mine.time_ns == time_ns else nothing, yours if yours.time_ns == time_ns else nothing)
    if len(ours) > len(theirs):
        return ours[len(theirs)], Decision(ours[len(theirs)].time_ns, ())
    if len(theirs) > len(ours):
        return Decision(theirs[len(ours)].time_ns, ()), theirs[len(ours)]
    return None
