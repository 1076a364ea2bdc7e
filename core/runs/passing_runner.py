"""Drives the strategy of a paper or live run that is replayed: nothing is decided where the run decided nothing."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from core.model.market import Bar
from core.runs.run_inputs import RunInputs
from core.strategy.actions import Action
from core.strategy.contract import Strategy
from core.strategy.runner import StrategyRunner

_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes, np.generic, np.ndarray, np.random.Generator)
_MADE_OF: Final = (list, tuple, dict, set, frozenset)
_RUNNERS: Final = frozenset({"actions", "_refs"})
"""What a strategy has of the runner: it goes on as it is."""


class PassingRunner(StrategyRunner):
    """See above. After an interruption the strategy has what it saved, and of what it did not save what it began with."""

    def __init__(self, strategy: Strategy, *arguments: Any, inputs: RunInputs) -> None:
        super().__init__(strategy, *arguments)
        self._inputs = inputs
        self._own_strategy = strategy
        self._restarts = [one for one in inputs.passed if one.is_restart]
        self._began_with: dict[str, Any] = {}

    def initialize(self) -> list[Action]:
        actions = super().initialize()
        self._began_with = copy.deepcopy(self._plain())
        return actions

    @property
    def on_bar(self) -> Callable[[Bar], None] | None:
        direct = super().on_bar
        if direct is None:
            return None

        def call(bar: Bar) -> None:
            if self._decides(bar.end_ns):
                direct(bar)

        return call

    def decide(self, now_ns: int, bars: Mapping[str, Bar], larger: Sequence[tuple[str, Bar]] = ()) -> list[Action]:
        return super().decide(now_ns, bars, larger) if self._decides(now_ns) else []

    def _decides(self, now_ns: int) -> bool:
        """Tell whether the run decided at a time; let the strategy begin anew where it did so before that."""
        inputs = self._inputs
        if now_ns not in inputs.decided and any(one.since_ns < now_ns <= one.until_ns for one in inputs.passed):
            return False
        while self._restarts and self._restarts[0].until_ns < now_ns:
            self._begin_anew(self._restarts.pop(0).state)
        return True

    def _begin_anew(self, state: dict[str, Any] | None) -> None:
        strategy = self._own_strategy
        for name in self._plain():
            delattr(strategy, name)
        for name, value in copy.deepcopy(self._began_with).items():
            setattr(strategy, name, value)
        if state is not None:
            self.load_state(state)

    def _plain(self) -> dict[str, Any]:
        """Return what the strategy keeps that is its own and not what it declared, which goes on with the bars."""
        return {name: value for name, value in vars(self._own_strategy).items() if name not in _RUNNERS and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, _MADE_OF):
        return all(_is_plain(item) for item in value)
    return isinstance(value, _PLAIN) or type(value).__module__ in {"decimal", "datetime", "collections"}
