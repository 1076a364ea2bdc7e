"""What was last entered in the new-run dialog, by strategy; kept while the program runs."""

from dataclasses import dataclass, field

import msgspec

from core.model.plugin import ParamValue


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a grid as text, and whether its boxes were checked."""

    texts: dict[str, str]
    checks: dict[str, bool]


class NewRunEntries(msgspec.Struct, frozen=True, kw_only=True):
    """The fields as they were when a run was created. Dates are ISO dates, empty for the edge of the stored bars."""

    symbols: tuple[str, ...]
    timeframe: str
    source: str
    start: str
    end: str
    costs: Entries
    account: Entries
    chance: Entries
    limits: Entries
    params: dict[str, ParamValue]


@dataclass(slots=True)
class NewRunMemory:
    """Entries by strategy id, and the strategy used last."""

    by_strategy: dict[str, NewRunEntries] = field(default_factory=dict)
    last_strategy: str | None = None

    def remember(self, strategy_id: str, entries: NewRunEntries) -> None:
        """Keep `entries` as the newest of that strategy."""
        self.by_strategy[strategy_id] = entries
        self.last_strategy = strategy_id
