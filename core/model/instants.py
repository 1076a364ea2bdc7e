"""Instants: UTC, `int64` nanoseconds since 1970 inside, aware datetimes at the edge."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from core.errors import InvalidValue

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(moment: datetime) -> int:
    """Return nanoseconds since 1970 UTC. Raises InvalidValue for a datetime without a zone."""
    if moment.tzinfo is None:
        raise InvalidValue("time", moment.isoformat(), "it has no time zone.")
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * SECOND_NS + elapsed.microseconds * 1_000


def from_ns(instant_ns: int) -> datetime:
    """Return the aware UTC datetime, to the microsecond below."""
    return _EPOCH + timedelta(microseconds=instant_ns // 1_000)


def iso(instant_ns: int) -> str:
    """Return ISO-8601 in UTC with a `Z`; fractions of a second only when there are any."""
    text = from_ns(instant_ns).isoformat()
    return text.replace("+00:00", "Z")


def parse_instant(text: str, *, field: str = "time") -> int:
    """Return nanoseconds for an ISO date or datetime; without a zone it is UTC. Raises InvalidValue."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidValue(field, repr(text), "write it as 2024-01-31 or 2024-01-31T14:30:00Z.") from error
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def day_of(instant_ns: int) -> date:
    """Return the UTC date of an instant."""
    return from_ns(instant_ns).date()
