"""Runs one strategy: calls its methods, takes what it returns, and says in plain words what went wrong in it.

The runner does not know the mode; it is told when a bar has ended and hands actions on.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.clock.resample import larger_timeframe
from core.errors import BugError, InvalidValue, NonsenseAction, StrategyError, StrategyFailed, UnknownName, WeaverError
from core.model.cost_models import FeeModel, SlippageModel
from core.model.instants import iso
from core.model.market import Bar, BarSeries, Floats, Timeframe
from core.strategy.actions import (
    Action,
    Actions,
    CancelOrder,
    FetchWindow,
    Note,
    PlaceOneCancelsOther,
    PlaceOrder,
    ReplaceOrder,
    StopRun,
)
from core.strategy.bar_strategy import BarStrategy
from core.strategy.contract import Strategy
from core.strategy.own_costs import own_fees, own_slippage
from core.strategy.plots import Plot
from core.strategy.state import plain_state
from core.strategy.windows import Column, Cursor, Indicator, StrategyConfig, Tick, Window

Fetch = Callable[[FetchWindow], Window]
Key = tuple[str, str]
"""Symbol and timeframe, as `str(Timeframe)` writes it: `("SPY", "1h")`."""

MOST_FETCHES: Final = 1_000
"""Windows a strategy may ask for at one decision time; more is a loop that never ends."""
MOST_WARMUP: Final = 1_000_000
"""Bars a strategy may ask to be warmed up with."""

_ACTIONS: Final = frozenset({FetchWindow, PlaceOrder, PlaceOneCancelsOther, ReplaceOrder, CancelOrder, StopRun, Note})
# Actions are told apart by their exact type: isinstance of a Struct takes longer than carrying the action out.


def make_strategy(strategy_class: type) -> Strategy:
    """Return a new strategy; give it its `account` before it is initialized. Raises StrategyFailed when its constructor does."""
    try:
        strategy: Strategy = strategy_class()
    except (Exception, SystemExit) as error:
        what = f"__init__ raised {type(error).__name__}: {str(error) or 'no message'}."
        raise StrategyFailed(what, "Mend the strategy and run it again.") from error
    return strategy


class StrategyRunner:
    """Drives a strategy and collects its actions in `actions` until they are taken."""

    def __init__(self, strategy: Strategy, config: StrategyConfig, fetch: Fetch) -> None:
        self._strategy = strategy
        self._config = config
        self._fetch = fetch
        self._known = frozenset(config.symbols)
        self._own = Timeframe.parse(config.timeframe)
        self._now_ns: int | None = None
        self._ended: dict[tuple[str, ...], tuple[Key, ...]] = {}
        if not hasattr(type(strategy), "random"):
            strategy.random = np.random.Generator(np.random.PCG64(config.seed))
        for name, value in config.params.items():
            setattr(strategy, name, value)
        self._larger = self._declared_timeframes()
        self.warmup = self._declared_warmup()
        """Bars of the run's own timeframe that must be known before the first decision."""
        self.fee_model: FeeModel | None = own_fees(getattr(strategy, "fee_model", None), self.failure)
        """The strategy's own, checked at each call; None when it has none."""
        self.slippage_model: SlippageModel | None = own_slippage(getattr(strategy, "slippage_model", None), self.failure)
        """The strategy's own, checked at each call; None when it has none."""
        # A BarStrategy that overrides the base contract's methods wants to be driven by them.
        methods = type(strategy)
        own = (getattr(methods, "on_tick", None), getattr(methods, "on_data", None))
        self._on_tick, self._on_data = strategy.on_tick, strategy.on_data
        self._bars: BarStrategy | None = None
        if isinstance(strategy, BarStrategy) and own == (BarStrategy.on_tick, BarStrategy.on_data):
            self._bars = strategy
            self._on_bars = strategy.on_bars

    def initialize(self) -> list[Action]:
        """Call `initialize` and return what it asks for; afterwards `timeframes`, `indicators` and `plots` are known."""
        actions = self._checked(self._call("initialize", self._strategy.initialize, self._config))
        if any(type(action) is FetchWindow for action in actions):
            raise NonsenseAction("The strategy asked for a window at the start, when no bar has ended.", "Ask for it in on_tick.")
        if isinstance(self._strategy, BarStrategy):
            self._larger |= self._strategy.larger_timeframes()
        return actions

    def go_on_after(self, refs: Iterable[str]) -> None:
        """Let the strategy name its next orders otherwise than those that it placed before the run was interrupted."""
        if isinstance(self._strategy, BarStrategy):
            self._strategy.count_refs(refs)

    def attach_plots(self, cursors: Mapping[str, Cursor]) -> None:
        """Connect the plots with the cursors of the run's own bars, by symbol."""
        for plot in self.plots:
            if plot.symbol not in cursors:
                raise NonsenseAction(f"Plot {plot.name} is over {plot.symbol!r}. {UnknownName('symbol', plot.symbol, cursors)}")
            plot.attach(cursors[plot.symbol])

    def decide(self, now_ns: int, bars: Mapping[str, Bar], larger: Sequence[tuple[str, Bar]] = ()) -> list[Action]:
        """Call the strategy at a decision time with the bars that ended then; return what it asks for, windows fetched.

        `bars`: of the run's own timeframe, by symbol; empty when only larger ones ended. `larger`: timeframe and bar.
        """
        self._now_ns = now_ns
        strategy = self._bars
        if strategy is not None:
            for timeframe, bar in larger:
                self._call("on_larger_bar", strategy.on_larger_bar, bar, timeframe)
            if bars:
                try:
                    self._on_bars(bars)
                except (Exception, SystemExit) as error:
                    raise self.failure("on_bar", error) from error
            return self._checked(strategy.take_actions()) if strategy.actions else []
        symbols = tuple(bars)
        try:
            asked = self._on_tick(Tick(now_ns, symbols, self._all_ended(symbols, larger)))
        except (Exception, SystemExit) as error:
            raise self.failure("on_tick", error) from error
        if asked is None:
            return []
        if type(asked) is FetchWindow:
            # By far the most frequent: one window a bar, and nothing to do about it.
            self._check(asked)
            answer = self._given(asked)
            return [] if answer is None else self._with_windows(self._checked(answer))
        return self._with_windows(self._checked(asked))

    def _given(self, asked: FetchWindow) -> Actions:
        """Hand the strategy the window it asked for; return its answer."""
        window = self._fetch(asked if asked.timeframe is None else self._settled(asked))
        try:
            return self._on_data(window)
        except (Exception, SystemExit) as error:
            raise self.failure("on_data", error) from error

    def _all_ended(self, symbols: tuple[str, ...], larger: Sequence[tuple[str, Bar]]) -> tuple[Key, ...]:
        ended = self._ended.get(symbols)
        if ended is None:
            own = str(self._own)
            ended = self._ended[symbols] = tuple((symbol, own) for symbol in symbols)
        return ended + tuple((bar.symbol, timeframe) for timeframe, bar in larger) if larger else ended

    def _with_windows(self, actions: list[Action]) -> list[Action]:
        """Carry out the fetches among `actions`, in order, with what `on_data` asks for in their place."""
        done: list[Action] = []
        waiting = actions[::-1]
        fetches = 0
        while waiting:
            action = waiting.pop()
            if type(action) is not FetchWindow:
                done.append(action)
                continue
            fetches += 1
            if fetches > MOST_FETCHES:
                raise NonsenseAction(
                    f"The strategy asked for more than {MOST_FETCHES} windows at {self._when()}.", "Ask for fewer at a time."
                )
            answer = self._given(action)
            if answer is not None:
                waiting.extend(reversed(self._checked(answer)))
        return done

    def _settled(self, asked: FetchWindow) -> FetchWindow:
        """Return the request with its timeframe as `str(Timeframe)` writes it, None for the run's own."""
        try:
            timeframe = Timeframe.parse(str(asked.timeframe))
        except InvalidValue as error:
            raise NonsenseAction(f"The strategy asked for a window at {self._when()}. {error}") from error
        if timeframe == self._own:
            return FetchWindow(asked.symbol, asked.bars)
        if timeframe not in self._larger:
            raise NonsenseAction(
                f"The strategy asked for a window of {timeframe} bars at {self._when()}, a timeframe that it does not declare.",
                f'Write timeframes = ("{timeframe}",) in its class.',
            )
        return FetchWindow(asked.symbol, asked.bars, str(timeframe))

    def _declared_timeframes(self) -> set[Timeframe]:
        declared: object = self._strategy.timeframes
        if isinstance(declared, str) or not isinstance(declared, Iterable):
            raise NonsenseAction(f"timeframes is {_shown(declared)}.", 'Write a tuple of texts: timeframes = ("1h", "1d").')
        try:
            return {larger_timeframe(str(text), self._own) for text in declared} - {self._own}
        except InvalidValue as error:
            raise NonsenseAction(f"The strategy's timeframes cannot be built. {error}") from error

    def _declared_warmup(self) -> int:
        bars: object = self._call("warmup_bars", self._strategy.warmup_bars)
        if not isinstance(bars, int) or isinstance(bars, bool) or not 0 <= bars <= MOST_WARMUP:
            raise NonsenseAction(f"The strategy's warm-up is {_shown(bars)}.", f"It must be a whole number from 0 to {MOST_WARMUP:,}.")
        return bars

    def saved_state(self) -> dict[str, Any] | None:
        """Return what the strategy wants to be kept, in the types of JSON; None when nothing. Raises StrategyError."""
        state = self._call("save_state", self._strategy.save_state)
        return None if state is None else plain_state(state)

    def load_state(self, state: dict[str, Any]) -> None:
        """Hand the strategy what `saved_state` returned; after `initialize`, before the first decision. Raises StrategyError."""
        self._call("load_state", self._strategy.load_state, state)

    def _call(self, method: str, function: Callable[..., Any], *arguments: object) -> Any:
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            raise self.failure(method, error) from error

    def failure(self, method: str, error: BaseException) -> StrategyError:
        """Return the error that says what went wrong inside `method` of the strategy, and where."""
        if isinstance(error, StrategyError):
            return error
        if isinstance(error, WeaverError):
            return NonsenseAction(f"{method} asked for something impossible {self._at(error)}: {error}")
        what = f"{method} raised {type(error).__name__} {self._at(error)}: {str(error) or 'no message'}."
        return StrategyFailed(what, "Mend the strategy and run it again.")

    def failed_at(self, now_ns: int, method: str, error: BaseException) -> StrategyError:
        """Return what went wrong inside a directly called method at `now_ns`."""
        self._now_ns = now_ns
        return self.failure(method, error)

    @property
    def is_driven_by_bars(self) -> bool:
        """Whether the strategy is handed its newest bars without asking for windows."""
        return self._bars is not None

    @property
    def timeframes(self) -> tuple[str, ...]:
        """The larger timeframes it needs, of every symbol, shortest first; known after `initialize`."""
        return tuple(str(timeframe) for timeframe in sorted(self._larger))

    @property
    def on_bar(self) -> Callable[[Bar], None] | None:
        """The strategy's own `on_bar`, to call directly with one symbol; None when it must be driven by `decide`."""
        strategy = self._bars
        if strategy is not None and type(strategy).on_bars is BarStrategy.on_bars and len(self._config.symbols) == 1:
            return strategy.on_bar
        return None

    @property
    def indicators(self) -> list[Indicator]:
        """The indicators the strategy declared."""
        return self._strategy.indicators if isinstance(self._strategy, BarStrategy) else []

    @property
    def plots(self) -> list[Plot]:
        """The plots the strategy declared."""
        return self._strategy.plots if isinstance(self._strategy, BarStrategy) else []

    def pending(self) -> list[Action]:
        """The list in which a `BarStrategy` gathers its actions; for others an empty one."""
        return [] if self._bars is None else self._bars.actions

    def take(self, now_ns: int) -> list[Action]:
        """Return, checked, what a directly called `on_bar` asked for at `now_ns`."""
        self._now_ns = now_ns
        if self._bars is None:
            return []
        actions = self._bars.take_actions()
        known = self._known
        for action in actions:
            if type(action) is not PlaceOrder or action.request.symbol not in known:
                self._check(action)
        return actions

    def _checked(self, answer: Actions) -> list[Action]:
        """Return the answer as a list of actions. Raises NonsenseAction for anything else."""
        if answer is None:
            return []
        actions: list[Action]
        if type(answer) is list:
            actions = answer.copy()
        elif type(answer) in _ACTIONS:
            actions = [answer]  # type: ignore[list-item]
        elif not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, Mapping)):
            raise NonsenseAction(
                f"The strategy returned {_shown(answer)} at {self._when()}.", "Return an action, a list of actions, or None."
            )
        else:
            try:
                actions = list(answer)
            except Exception as error:
                raise StrategyFailed(f"The strategy's answer raised {type(error).__name__} {self._at(error)}: {error}.") from error
        for action in actions:
            self._check(action)
        return actions

    def _check(self, action: Action) -> None:
        if type(action) is PlaceOrder and action.request.symbol in self._known:
            return  # by far the most frequent
        if type(action) not in _ACTIONS:
            raise NonsenseAction(f"The strategy returned {_shown(action)} at {self._when()}.", "Return actions of the strategy API.")
        if type(action) is FetchWindow and not _is_count(action.bars):
            raise NonsenseAction(f"The strategy asked for a window of {action.bars!r} bars at {self._when()}.", "Ask for at least 1.")
        symbol = _symbol_of(action)
        if symbol is not None and symbol not in self._known:
            unknown = UnknownName("symbol of this run", str(symbol), self._known)
            raise NonsenseAction(f"The strategy asked for {symbol!r} at {self._when()}. {unknown}")

    def _when(self) -> str:
        return "the start" if self._now_ns is None else iso(self._now_ns)

    def _at(self, error: BaseException) -> str:
        """Return where in the plug-in's file an error arose, and at which decision."""
        frames = traceback.extract_tb(error.__traceback__)
        module = getattr(self._strategy, "__module__", "")
        file = getattr(sys.modules.get(module), "__file__", None)
        line = next((frame.lineno for frame in reversed(frames) if file and frame.filename == file), None)
        place = f"(line {line} of {Path(file).name}) " if file and line else ""
        return f"{place}at {self._when()}"


def compute_indicators(indicators: Iterable[Indicator], series: Mapping[Key, BarSeries], cursors: Mapping[Key, Cursor]) -> None:
    """Compute declared indicators over all bars and attach them to their cursors, in the order declared.

    Raises StrategyFailed when a function raises or does not return one float per bar.
    """
    computed: dict[int, Floats] = {}
    for indicator in indicators:
        if indicator.timeframe is None:
            raise BugError(f"Indicator {indicator.name} has no timeframe.")
        key = (indicator.symbol, indicator.timeframe)
        if key not in series:
            unknown = UnknownName("symbol", indicator.symbol, {symbol for symbol, _ in series})
            raise NonsenseAction(f"Indicator {indicator.name} is over {indicator.symbol!r}. {unknown}")
        bars = series[key]
        inputs = [item.read(bars) if isinstance(item, Column) else computed[id(item)] for item in indicator.inputs]
        values = indicator.compute(*inputs)
        computed[id(indicator)] = values
        indicator.attach(values, cursors[key])


def _symbol_of(action: Action) -> str | None:
    if type(action) is FetchWindow:
        return action.symbol
    if type(action) is PlaceOrder:
        return action.request.symbol
    return action.first.symbol if type(action) is PlaceOneCancelsOther else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"
