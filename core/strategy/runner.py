"""Runs one strategy: calls its methods, takes what it returns, and says in plain words what went wrong in it.

The runner does not know the mode; it is told when a bar has ended and hands actions on.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from core.errors import NonsenseAction, StrategyError, StrategyFailed, UnknownName, WeaverError
from core.model.instants import iso
from core.model.market import Bar, BarSeries, Floats
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
from core.strategy.api import BarStrategy, Strategy
from core.strategy.windows import AccountView, Column, Cursor, Indicator, StrategyConfig, Tick, Window

Fetch = Callable[[FetchWindow], Window]
Decide = Callable[[Mapping[str, Bar]], None]

MOST_FETCHES = 1_000
"""Windows a strategy may ask for at one decision time; more is a loop that never ends."""

_ACTIONS = (FetchWindow, PlaceOrder, PlaceOneCancelsOther, ReplaceOrder, CancelOrder, StopRun, Note)


def make_strategy(strategy_class: type, account: AccountView) -> Strategy:
    """Return a new strategy that sees `account`. Raises StrategyFailed when its constructor does."""
    try:
        strategy: Strategy = strategy_class()
    except (Exception, SystemExit) as error:
        what = f"__init__ raised {type(error).__name__}: {str(error) or 'no message'}."
        raise StrategyFailed(what, "Mend the strategy and run it again.") from error
    strategy.account = account
    return strategy


class StrategyRunner:
    """Drives a strategy and collects its actions in `actions` until they are taken."""

    def __init__(self, strategy: Strategy, config: StrategyConfig, fetch: Fetch) -> None:
        self._strategy = strategy
        self._config = config
        self._fetch = fetch
        self._known = frozenset(config.symbols)
        self._now_ns: int | None = None
        for name, value in config.params.items():
            setattr(strategy, name, value)
        # A BarStrategy that overrides the base contract's methods wants to be driven by them.
        methods = type(strategy)
        own = (getattr(methods, "on_tick", None), getattr(methods, "on_data", None))
        self._bars: BarStrategy | None = None
        if isinstance(strategy, BarStrategy) and own == (BarStrategy.on_tick, BarStrategy.on_data):
            self._bars = strategy

    def initialize(self) -> list[Action]:
        """Call `initialize` and return what it asks for."""
        return self._checked(self._call("initialize", self._strategy.initialize, self._config))

    def decide(self, now_ns: int, bars: Mapping[str, Bar]) -> list[Action]:
        """Call the strategy at a decision time with the bars that ended then; return what it asks for, windows fetched."""
        self._now_ns = now_ns
        strategy = self._bars
        if strategy is not None:
            self._call("on_bar", strategy.on_bars, bars)
            return self._checked(strategy.take_actions()) if strategy.actions else []
        asked = self._call("on_tick", self._strategy.on_tick, Tick(now_ns, tuple(bars)))
        if asked is None:
            return []
        return self._with_windows(self._checked(asked))

    def _with_windows(self, actions: list[Action]) -> list[Action]:
        """Carry out the fetches among `actions`, in order, with what `on_data` asks for in their place."""
        if not any(isinstance(action, FetchWindow) for action in actions):
            return actions
        done: list[Action] = []
        waiting = list(reversed(actions))
        fetches = 0
        while waiting:
            action = waiting.pop()
            if not isinstance(action, FetchWindow):
                done.append(action)
                continue
            fetches += 1
            if fetches > MOST_FETCHES:
                raise NonsenseAction(
                    f"The strategy asked for more than {MOST_FETCHES} windows at {self._when()}.", "Ask for fewer at a time."
                )
            answer = self._call("on_data", self._strategy.on_data, self._fetch(action))
            if answer is not None:
                waiting.extend(reversed(self._checked(answer)))
        return done

    def _call(self, method: str, function: Callable[..., Actions], *arguments: object) -> Actions:
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

    def pending(self) -> list[Action]:
        """The list in which a `BarStrategy` gathers its actions; for others an empty one."""
        return [] if self._bars is None else self._bars.actions

    def take(self, now_ns: int) -> list[Action]:
        """Return, checked, what a directly called `on_bar` asked for at `now_ns`."""
        self._now_ns = now_ns
        if self._bars is None:
            return []
        actions = self._bars.take_actions()
        for action in actions:
            self._check(action)
        return actions

    def _checked(self, answer: Actions) -> list[Action]:
        """Return the answer as a list of actions. Raises NonsenseAction for anything else."""
        if answer is None:
            return []
        if isinstance(answer, _ACTIONS):
            answer = [answer]
        if not _is_list(answer):
            raise NonsenseAction(
                f"The strategy returned {_shown(answer)} at {self._when()}.", "Return an action, a list of actions, or None."
            )
        try:
            actions = list(answer)
        except Exception as error:
            raise StrategyFailed(f"The strategy's answer raised {type(error).__name__} {self._at(error)}: {error}.") from error
        for action in actions:
            self._check(action)
        return actions

    def _check(self, action: object) -> None:
        if type(action) is PlaceOrder and action.request.symbol in self._known:
            return  # by far the most frequent
        if not isinstance(action, _ACTIONS):
            raise NonsenseAction(f"The strategy returned {_shown(action)} at {self._when()}.", "Return actions of the strategy API.")
        symbol = action.symbol if isinstance(action, FetchWindow) else action.request.symbol if isinstance(action, PlaceOrder) else None
        if symbol is not None and symbol not in self._known:
            unknown = UnknownName("symbol of this run", str(symbol), self._known)
            raise NonsenseAction(f"The strategy asked for {symbol!r} at {self._when()}. {unknown}")
        if isinstance(action, FetchWindow) and not _is_count(action.bars):
            raise NonsenseAction(f"The strategy asked for a window of {action.bars!r} bars at {self._when()}.", "Ask for at least 1.")

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


def compute_indicators(indicators: Iterable[Indicator], series: Mapping[str, BarSeries], cursors: Mapping[str, Cursor]) -> None:
    """Compute declared indicators over all bars and attach them to their symbols' cursors, in the order declared.

    Raises StrategyFailed when a function raises or does not return one float per bar.
    """
    computed: dict[int, Floats] = {}
    for indicator in indicators:
        if indicator.symbol not in series:
            raise NonsenseAction(
                f"Indicator {indicator.name} is over {indicator.symbol!r}. {UnknownName('symbol', indicator.symbol, series)}"
            )
        bars = series[indicator.symbol]
        inputs = [item.read(bars) if isinstance(item, Column) else computed[id(item)] for item in indicator.inputs]
        values = indicator.compute(*inputs)
        computed[id(indicator)] = values
        indicator.attach(values, cursors[indicator.symbol])


def _is_list(answer: object) -> bool:
    return isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, Mapping))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"
