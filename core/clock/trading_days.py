"""When the sessions of an instrument are, for orders that live a day or wait for an auction."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from core.clock import calendar
from core.model.instants import DAY_NS, SECOND_NS
from core.model.market import Instrument

_EXTENDED_END_HOUR: Final = 20
"""Trading after the session ends at 20:00 New York."""


class CalendarDays:
    """The exchange's calendar for equities, UTC days for what has no sessions. All instants UTC ns."""

    def day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order decided now dies: the end of the session, or of the next one when it is closed."""
        return calendar.session_end(now_ns, instrument.asset_class)

    def extended_day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order dies that may trade outside the session: 20:00 New York."""
        if not instrument.asset_class.has_sessions:
            return calendar.session_end(now_ns, instrument.asset_class)
        # The session may be over while its evening goes on: begin at the one that ended up to a day ago.
        close_ns = calendar.session_end(now_ns - DAY_NS, instrument.asset_class)
        while (end_ns := _evening(close_ns)) <= now_ns:
            close_ns = calendar.session_end(close_ns, instrument.asset_class)
        return end_ns

    def next_open(self, now_ns: int, instrument: Instrument) -> tuple[int, int]:
        """Return the close before and the close of the first session that opens now or later."""
        table = calendar.sessions()
        at = int(np.searchsorted(table.opens, now_ns, side="left"))
        if not 0 < at < len(table.opens):
            return now_ns, calendar.session_end(now_ns, instrument.asset_class)
        return int(table.closes[at - 1]), int(table.closes[at])


class EndlessDays:
    """The days of a market that never closes: they end at 00:00 UTC, and there are no auctions."""

    def day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order decided now dies."""
        return (now_ns // DAY_NS + 1) * DAY_NS

    def extended_day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order dies that may trade outside sessions, which there are none of."""
        return self.day_end(now_ns, instrument)

    def next_open(self, now_ns: int, instrument: Instrument) -> tuple[int, int]:
        """Return the present day: nothing opens in it, so that no auction order ever fills."""
        return now_ns, now_ns


@lru_cache(maxsize=512)
def _evening(close_ns: int) -> int:
    """Return 20:00 New York of the day of a close."""
    local = datetime.fromtimestamp(close_ns // SECOND_NS, UTC).astimezone(ZoneInfo(calendar.EXCHANGE_ZONE))
    evening = local.replace(hour=_EXTENDED_END_HOUR, minute=0, second=0, microsecond=0, fold=0)
    since = evening.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(seconds=1) * SECOND_NS
