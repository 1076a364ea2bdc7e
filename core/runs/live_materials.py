"""What a paper or live run is made with."""

from collections.abc import Callable
from dataclasses import dataclass

from core.model.desk import Lease
from core.ports import LiveClock, Rows, Store, StrategySource
from core.runs.desks import Desks


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMaterials:
    """Where a paper or live run takes its things from."""

    store: Store
    rows: Rows
    strategies: StrategySource
    desks: Desks
    clock: LiveClock
    callback_limit_s: float
    lease: Lease
    """That of the run."""
    is_ours: Callable[[], bool]
    """Whether this desk has the run still, as far as it knows."""
