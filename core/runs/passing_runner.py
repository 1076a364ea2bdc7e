"""Drives the strategy of a paper or live run that is replayed: nothing is decided where the run decided nothing."""

import copy
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from core.backtest.behind import Behind
from core.model.market import Bar
from core.runs.run_inputs import Passed, RunInputs
from core.strategy.actions import Action
from core.strategy.contract import Strategy
from core.strategy.runner import StrategyRunner

_RUNNERS: Final = frozenset({"account", "actions", "_refs"})
"""What a strategy has of the runner: it goes on as it is."""


class PassingRunner(StrategyRunner):
    """See above. After an interruption the strategy has what it saved, and of what it did not save what it began with."""

    def __init__(self, strategy: Strategy, *arguments: Any, inputs: RunInputs) -> None:
        super().__init__(strategy, *arguments)
        self._inputs = inputs
        self._own_strategy = strategy
        self._restarts = [one for one in inputs.passed if one.is_restart]
        self._of_all = [one for one in inputs.passed if not one.symbols]
        self._of_each: dict[str, list[Passed]] = {}
        for one in inputs.passed:
            for symbol in one.symbols:
                self._of_each.setdefault(symbol, []).append(one)
        self._behind: Behind | None = None
        self._began_with: dict[str, Any] = {}
        self._lasting: set[str] = set()
        """What of the strategy cannot be made anew."""

    def initialize(self) -> list[Action]:
        actions = super().initialize()
        self._began_with = self._copied(self._kept())
        return actions

    @property
    def on_bar(self) -> Callable[[Bar], None] | None:
        direct = super().on_bar
        if direct is None:
            return None

        def call(bar: Bar) -> None:
            if self._decides(bar.end_ns) and not self._hidden(bar.end_ns):
                direct(bar)

        return call

    def decide(self, now_ns: int, bars: Mapping[str, Bar], larger: Sequence[tuple[str, Bar]] = ()) -> list[Action]:
        if not self._decides(now_ns):
            return []
        hidden = self._hidden(now_ns)
        if not hidden or self._behind is None:
            return super().decide(now_ns, bars, larger)
        bars = {symbol: bar for symbol, bar in bars.items() if symbol not in hidden}
        larger = [(timeframe, bar) for timeframe, bar in larger if bar.symbol not in hidden]
        if not bars and not larger:
            return []
        with self._behind.seeing(hidden):
            return super().decide(now_ns, bars, larger)

    def routing(self, route: Callable[[Sequence[Action]], None], behind: Behind) -> Callable[[Sequence[Action]], None]:
        """Return what carries out a decision with what was known at it; from then on decisions are made so."""
        self._behind = behind

        def routed(actions: Sequence[Action]) -> None:
            with behind.seeing({} if self._now_ns is None else self._hidden(self._now_ns)):
                route(actions)

        return routed

    def _hidden(self, now_ns: int) -> dict[str, int]:
        """Return the symbols whose newest bars nobody knew of at a time, each with the end of the last that was known or later."""
        found = {}
        for symbol, passed in self._of_each.items():
            at = bisect_left(passed, now_ns, key=_since) - 1
            if at >= 0 and now_ns < passed[at].known_ns:
                found[symbol] = passed[at].since_ns
        return found

    def _decides(self, now_ns: int) -> bool:
        """Tell whether the run decided at a time; let the strategy begin anew where it did so before that."""
        inputs = self._inputs
        if now_ns not in inputs.decided and any(one.since_ns < now_ns <= one.until_ns for one in self._of_all):
            return False
        while self._restarts and self._restarts[0].until_ns < now_ns:
            self._begin_anew(self._restarts.pop(0).state)
        return True

    def _begin_anew(self, state: dict[str, Any] | None) -> None:
        strategy, began = self._own_strategy, self._copied(self._began_with)
        for name in self._kept():
            if name not in self._lasting:
                delattr(strategy, name)
        for name, value in began.items():
            setattr(strategy, name, value)
        if state is not None:
            self.load_state(state)

    def _kept(self) -> dict[str, Any]:
        """Return what the strategy keeps that is its own."""
        return {name: value for name, value in vars(self._own_strategy).items() if name not in _RUNNERS}

    def _copied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values as they are now, whatever becomes of them; what is declared among them goes on with the bars."""
        memo: dict[int, Any] = {id(one): one for one in (*self.indicators, *self.plots, getattr(self._own_strategy, "account", None))}
        found = {}
        for name, value in values.items():
            try:
                found[name] = copy.deepcopy(value, memo)
            except (TypeError, copy.Error):  # a file, a lock: nothing that is told from one beginning to the other
                self._lasting.add(name)
        return found


def _since(passed: Passed) -> int:
    return passed.since_ns
