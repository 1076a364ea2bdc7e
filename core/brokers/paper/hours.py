"""When the paper account's orders may meet the market: the exchange's sessions, or always."""

from datetime import UTC, date, datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from core.clock import calendar
from core.clock.trading_days import CalendarDays
from core.model.instants import DAY_NS, HOUR_NS, SECOND_NS
from core.model.market import Instrument, asset_class_of

_ZONE: Final = ZoneInfo(calendar.EXCHANGE_ZONE)
_EARLY_HOUR, _LATE_HOUR = 4, 20
"""Trading outside the session begins and ends then, New York."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class Hours(Protocol):
    """What of a day counts for a symbol. All instants UTC ns."""

    def opened_ns(self, symbol: str, now_ns: int, *, extended: bool) -> int | None:
        """Return when the hours that go on now began: regular ones, with `extended` those around them too; None: closed."""
        ...

    def day_end(self, symbol: str, now_ns: int, *, extended: bool) -> int:
        """Return when a `day` order decided now dies."""
        ...

    def next_session(self, symbol: str, now_ns: int) -> tuple[int, int] | None:
        """Return the open and the close of the first session that opens now or later; None: there are no auctions."""
        ...


class RoundTheClock:
    """A market that never closes; its days end at 00:00 UTC."""

    def opened_ns(self, symbol: str, now_ns: int, *, extended: bool) -> int | None:
        """See `Hours`."""
        return 0

    def day_end(self, symbol: str, now_ns: int, *, extended: bool) -> int:
        """See `Hours`."""
        return (now_ns // DAY_NS + 1) * DAY_NS

    def next_session(self, symbol: str, now_ns: int) -> tuple[int, int] | None:
        """See `Hours`."""
        return None


class ExchangeHours:
    """New York's sessions for equities, no end for the rest. `core.clock.calendar.load` comes first."""

    def __init__(self) -> None:
        self._days = CalendarDays()
        self._always = RoundTheClock()
        self._session = (0, 0)
        """The session that was met last: most quotes fall into it."""

    def opened_ns(self, symbol: str, now_ns: int, *, extended: bool) -> int | None:
        """See `Hours`."""
        if not asset_class_of(symbol).has_sessions:
            return self._always.opened_ns(symbol, now_ns, extended=extended)
        opens, closes = self._session
        if opens <= now_ns < closes:
            return opens
        table = calendar.sessions()
        at = int(np.searchsorted(table.opens, now_ns, side="right")) - 1
        if at >= 0 and now_ns < int(table.closes[at]):
            self._session = int(table.opens[at]), int(table.closes[at])
            return self._session[0]
        return self._extended_since(now_ns) if extended else None

    def day_end(self, symbol: str, now_ns: int, *, extended: bool) -> int:
        """See `Hours`."""
        instrument = Instrument.of(symbol)
        return self._days.extended_day_end(now_ns, instrument) if extended else self._days.day_end(now_ns, instrument)

    def next_session(self, symbol: str, now_ns: int) -> tuple[int, int] | None:
        """See `Hours`."""
        table = calendar.sessions()
        at = int(np.searchsorted(table.opens, now_ns, side="left"))
        if not asset_class_of(symbol).has_sessions or at >= len(table.opens):
            return None
        return int(table.opens[at]), int(table.closes[at])

    def _extended_since(self, now_ns: int) -> int | None:
        local = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).astimezone(_ZONE)
        day = local.date().toordinal() - _EPOCH_ORDINAL
        days = calendar.sessions().days
        at = int(np.searchsorted(days, day))
        if at >= len(days) or int(days[at]) != day or not _EARLY_HOUR <= local.hour < _LATE_HOUR:
            return None
        since_ns = ((local.hour - _EARLY_HOUR) * 60 + local.minute) * 60 * SECOND_NS + now_ns % HOUR_NS % (60 * SECOND_NS)
        return now_ns - since_ns
