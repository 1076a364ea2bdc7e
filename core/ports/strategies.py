"""The port by which strategies are found and loaded."""

from collections.abc import Mapping
from typing import Protocol

from core.model.plugin import StrategyInfo


class StrategySource(Protocol):
    """Finds plug-ins without importing them, and loads one for a run."""

    def find_all(self) -> Mapping[str, StrategyInfo]:
        """Return every plug-in on disk by id, broken ones too."""
        ...

    def load(self, info: StrategyInfo) -> type:
        """Import the plug-in's file and return its class. Raises StrategyBroken."""
        ...

    def loaded_sha256(self, strategy_class: type) -> str:
        """Return the hash of the source that a class returned by `load` was made from."""
        ...
