"""Bars from a broker: what is asked for, and what came of it."""

import msgspec

from core.errors import InvalidValue
from core.model.market import Adjustment, BarSetKey, Gap, MergeReport


class DownloadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Bars that start in `[start_ns, end_ns)`, of some symbols. `feed` is of equities; None takes the adapter's default.

    `again`: fetch what was fetched before too, to see what the broker has corrected since.
    """

    symbols: tuple[str, ...]
    timeframe: str
    start_ns: int
    end_ns: int
    adjustment: Adjustment = Adjustment.RAW
    feed: str | None = None
    again: bool = False

    def __post_init__(self) -> None:
        if not self.symbols:
            raise InvalidValue("symbol", "empty", "name at least one.")
        if self.end_ns <= self.start_ns:
            raise InvalidValue("end", "at or before the start", "it must be later.")


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one symbol. `fetched`: bars that came over the line; `refused`: those of them that contradict themselves.

    `start_ns`, `end_ns`: the period as it was asked of the broker, cut where bars are not over yet. `gaps`: the holes of
    what is stored in that period against the calendar.
    """

    key: BarSetKey
    start_ns: int
    end_ns: int
    fetched: int
    refused: int
    merge: MergeReport
    stored: int
    gaps: tuple[Gap, ...] = ()
