"""The base contract of a strategy."""

from typing import Any, ClassVar

import numpy as np

from core.model.cost_models import FeeModel, SlippageModel
from core.strategy.actions import Actions
from core.strategy.windows import AccountView, StrategyConfig, Tick, Window


class Strategy:
    """The base contract. Each method returns an action, several, or None.

    `account` is there from `initialize` on. A parameter declared with `param` is an attribute of the instance.
    """

    id: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    symbols: ClassVar[int] = 1
    """How many symbols it trades; 0 means any number."""
    timeframes: ClassVar[tuple[str, ...]] = ()
    """Larger timeframes that it wants to see, built from the run's own bars: `("1h", "1d")`."""
    warmup: ClassVar[int] = 0
    """Bars of the run's own timeframe that must be known before it is called for the first time."""
    fee_model: ClassVar[FeeModel | None] = None
    """Its own model of fees, where the run names none (`none` or `plugin`)."""
    slippage_model: ClassVar[SlippageModel | None] = None
    """Its own model of slippage, where the run names none (`none` or `plugin`)."""

    account: AccountView
    random: np.random.Generator
    """Where chance comes from: it starts from the run's seed, so that the run can be repeated."""

    def warmup_bars(self) -> int:
        """Return the warm-up where it depends on parameters, which are set; called once, before `initialize`."""
        return self.warmup

    def initialize(self, config: StrategyConfig) -> Actions:
        """Called once, before the first tick. Orders placed here are decided at the run's start."""
        return None

    def on_tick(self, tick: Tick) -> Actions:
        """Called once for each time at which at least one bar ended."""
        return None

    def on_data(self, window: Window) -> Actions:
        """Called with each window that was asked for, at the same decision time."""
        return None

    def save_state(self) -> dict[str, Any] | None:
        """Return what it must know to go on after a restart, in the types of JSON; None when there is nothing."""
        return None

    def load_state(self, state: dict[str, Any]) -> None:
        """Take what `save_state` returned; called after `initialize`, before the first tick."""
