"""Bars from a broker: what is asked for, and what came of it."""

from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.instants import MINUTE_NS
from core.model.market import Adjustment, BarSetKey, Gap, MergeReport

SIP_DELAY_NS: Final = 16 * MINUTE_NS
"""Accounts without a data plan see the consolidated feed 15 minutes late."""


def usual_end(now_ns: int, feed: str | None) -> int:
    """Return where a download ends when nobody says it: now, or as late as every account may see of the feed."""
    return now_ns - (SIP_DELAY_NS if feed == "sip" else 0)


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
    readjusted: bool = False
    """Whether a split or a dividend had changed the adjusted prices since: then all that had been fetched was fetched anew."""
