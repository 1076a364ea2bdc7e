"""How values are written for a person: numbers, money, times in the reader's zone, ids. The only place of local time."""

from datetime import tzinfo
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PySide6.QtCore import QTimeZone

from core.model.instants import from_ns
from core.model.money import plain
from core.views.columns import Kind

MISSING: Final = "–"
MINUS: Final = "−"
THIN: Final = "\u2009"
"""Between thousands, and between a number and its percent sign."""

NEW_YORK: Final = ZoneInfo("America/New_York")


def number(value: float | Decimal | None, decimals: int | None = None, *, signed: bool = False) -> str:
    """Return `12 345.60` with a real minus; without `decimals` a Decimal is written as it is and a float by six digits."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return MISSING
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif isinstance(value, Decimal):
        whole, dot, rest = plain(value).partition(".")
        text = f"{int(whole):,}{dot}{rest}" if whole not in {"-0", ""} else f"{whole}{dot}{rest}"
    else:
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    if text.startswith("-"):
        digits = text[1:]
        text = digits if not digits.strip("0.,") else MINUS + digits
    elif signed and text.strip("0.,"):
        text = f"+{text}"
    return text.replace(",", THIN)


def percent(fraction: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """Return 0.0123 as `1.23 %`."""
    text = number(None if fraction is None else float(fraction) * 100, decimals, signed=signed)
    return text if text == MISSING else f"{text}{THIN}%"


_LONG_D: Final = 100
"""Days beside which nobody counts hours."""


def duration(seconds: float | None) -> str:
    """Return `12 ms`, `3.2 s`, `5 min 12 s`, `2 h 5 min`, `3 d 4 h`, `4530 d`."""
    if seconds is None or not isfinite(seconds):
        return MISSING
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for unit_s, name, below_s, below in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit_s:
            whole, rest = divmod(int(seconds), unit_s)
            part = 0 if whole >= _LONG_D and name == "d" else rest // below_s
            return f"{whole} {name} {part} {below}" if part else f"{whole} {name}"
    return f"{seconds:.0f} s"


def short(id: str | None) -> str:
    """Return an id shortened in the middle: `bt-20…a81f3c`."""
    if not id:
        return MISSING
    return id if len(id) <= 12 else f"{id[:5]}…{id[-6:]}"


def file_size(size_bytes: int) -> str:
    """Return `812 B`, `3.1 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@lru_cache(maxsize=4_096)  # a table that is painted asks for the same times again and again
def _time(zone: tzinfo | None, instant_ns: int, to_the_second: bool) -> str:
    moment = from_ns(instant_ns).astimezone(zone)
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{moment.microsecond // 1000:03d}" if moment.microsecond >= 1000 and not to_the_second else text


class Zone:
    """The zone times are written in. `None` is the desktop's own."""

    def __init__(self, zone: tzinfo | None, name: str | None = None) -> None:
        self._zone = zone
        self._name = name

    def name(self, at_ns: int) -> str:
        """Return the zone's short name at an instant: `UTC`, `CET`."""
        return self._name or from_ns(at_ns).astimezone(self._zone).tzname() or "local"

    def time(self, instant_ns: int | None, *, to_the_second: bool = False) -> str:
        """Return `2014-01-01 01:23:00`, with milliseconds only where there are any and they are wanted."""
        if instant_ns is None:
            return MISSING
        return _time(self._zone, instant_ns, to_the_second)

    def clock(self, instant_ns: int) -> str:
        """Return `14:03:22`."""
        return from_ns(instant_ns).astimezone(self._zone).strftime("%H:%M:%S")


UTC_ZONE: Final = Zone(ZoneInfo("UTC"), "UTC")


def desktop_zone_name() -> str | None:
    """Return the name of the desktop's zone (`Europe/Berlin`), or None where it has none that is known."""
    name = bytes(QTimeZone.systemTimeZoneId().data()).decode()
    try:  # to list all that are known reads hundreds of files
        return ZoneInfo(name).key if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def zone_of(*, local: bool) -> Zone:
    """Return the desktop's zone, or UTC."""
    return Zone(None) if local else UTC_ZONE


_STATUS_WORDS: Final = {"partially_filled": "Part filled"}


def status_word(status: str) -> str:
    """Return a status as it stands on the screen: `Running`, `Part filled`."""
    return _STATUS_WORDS.get(status, status.replace("_", " ").capitalize())


def cell(kind: Kind, value: Any, decimals: int | None, zone: Zone, *, signed: bool = False) -> str:
    """Return a table cell's text. Missing and zero differ: `–` and `0`. What is drawn has a text too, for who cannot see it."""
    if value is None or value == "":
        return "" if kind is Kind.PROGRESS else MISSING
    if kind in {Kind.NUMBER, Kind.PRICE, Kind.MONEY}:
        return number(value, decimals, signed=signed)
    if kind is Kind.PERCENT:
        return percent(value, 2 if decimals is None else decimals, signed=signed)
    if kind is Kind.TIME:
        return zone.time(value, to_the_second=True)
    if kind is Kind.DURATION:
        return duration(value)
    if kind is Kind.STATUS:
        return status_word(value)
    if kind in {Kind.SIDE, Kind.MODE}:
        return str(value).capitalize()
    if kind is Kind.ID:
        return short(value)
    if kind is Kind.PROGRESS:
        return percent(value, 0)
    return "" if kind is Kind.SPARK else str(value)
