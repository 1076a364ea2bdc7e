"""When an order's time is over, and at which bars the auctions are."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from tests.oracle.market import Bar, Instrument, Session

DAY_NS = 86_400_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
EXTENDED_CLOSE = time(20)


def day_end(instrument: Instrument, time_ns: int, extended_hours: bool) -> int | None:
    """The instant at which a day order that begins at `time_ns` is dead; None when the calendar knows no session any more."""
    if instrument.crypto:
        return (time_ns // DAY_NS + 1) * DAY_NS
    for session in instrument.sessions:
        close_ns = extended_close(session) if extended_hours else session.close_ns
        if close_ns > time_ns:
            return close_ns
    return None


def extended_close(session: Session) -> int:
    """20:00 New York of the session's day."""
    if session.extended_close_ns is not None:
        return session.extended_close_ns
    opened = datetime.fromtimestamp(session.open_ns // 1_000_000_000, UTC).astimezone(NEW_YORK)
    return int(datetime.combine(opened.date(), EXTENDED_CLOSE, NEW_YORK).timestamp()) * 1_000_000_000


def bars_of(session: Session, bars: list[Bar]) -> list[Bar]:
    """The regular bars of one symbol that lie in a session; a day's bar may be stamped before its open."""
    return [bar for bar in bars if bar.regular and bar.start_ns < session.close_ns and bar.end_ns > session.open_ns]


def opening_auction(instrument: Instrument, bars: list[Bar], time_ns: int) -> tuple[Bar | None, int | None]:
    """The bar at whose open an opg order acts, and the session's close, with which it is gone.

    The session is the first that opens at `time_ns` or later.
    """
    for session in instrument.sessions:
        if session.open_ns >= time_ns:
            inside = bars_of(session, bars)
            return (inside[0] if inside else None), session.close_ns
    return None, None


def closing_auction(instrument: Instrument, bars: list[Bar], time_ns: int) -> tuple[Bar | None, int | None]:
    """The bar at whose close a cls order acts, and the session's close, with which it is gone."""
    for session in instrument.sessions:
        if session.close_ns <= time_ns:
            continue
        inside = bars_of(session, bars)
        if not inside or inside[-1].start_ns < time_ns:
            return None, session.close_ns
        last = inside[-1]
        data_goes_on = any(bar.start_ns > last.start_ns for bar in bars)
        return (last if data_goes_on or last.end_ns >= session.close_ns else None), session.close_ns
    return None, None
