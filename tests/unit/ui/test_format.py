import sys
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from core.views.columns import Kind
from ui.format import (
    MINUS,
    MISSING,
    THIN,
    UTC_ZONE,
    Zone,
    cell,
    desktop_zone_name,
    duration,
    file_size,
    number,
    percent,
    short,
    status_word,
)

NOON_NS = 1_404_216_000_123_000_000


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234567.891, 2, f"1{THIN}234{THIN}567.89"),
        (Decimal("-1234.5"), 2, f"{MINUS}1{THIN}234.50"),
        (Decimal("12345.60"), None, f"12{THIN}345.6"),
        (Decimal("-0.5"), None, f"{MINUS}0.5"),
        (Decimal("1E+3"), None, f"1{THIN}000"),
        (-0.001, 2, "0.00"),
        (0, 0, "0"),
        (None, 2, MISSING),
        (float("nan"), 2, MISSING),
        (float("inf"), 2, MISSING),
    ],
)
def test_numbers(value: float | Decimal | None, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text


def test_a_sign_only_where_it_is_asked_for_and_there_is_one() -> None:
    assert [number(value, 1, signed=True) for value in (2.0, -2.0, 0.0, 0.04)] == ["+2.0", f"{MINUS}2.0", "0.0", "0.0"]
    assert percent(0.0123, signed=True) == f"+1.23{THIN}%"
    assert percent(None) == MISSING


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "12 ms"),
        (3.25, "3.2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (312, "5 min 12 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
        (-60, f"{MINUS}1 min"),
        (None, MISSING),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_written_in_the_readers_zone_which_has_a_name() -> None:
    new_york = Zone(ZoneInfo("America/New_York"))
    assert UTC_ZONE.time(NOON_NS) == "2014-07-01 12:00:00.123"
    assert new_york.time(NOON_NS) == "2014-07-01 08:00:00.123"
    assert (UTC_ZONE.name(NOON_NS), new_york.name(NOON_NS)) == ("UTC", "EDT")
    assert UTC_ZONE.time(None) == MISSING
    assert new_york.clock(NOON_NS) == "08:00:00"


def test_ids_sizes_and_words() -> None:
    assert short("0123456789abcdef") == "01234…abcdef"
    assert short("short") == "short"
    assert short(None) == MISSING
    assert [file_size(size) for size in (812, 3_100_000, 2_500_000_000)] == ["812 B", "3.1 MB", "2.5 GB"]
    assert status_word("partially_filled") == "Part filled"


def test_missing_and_zero_differ_in_a_cell() -> None:
    assert cell(Kind.MONEY, Decimal(0), 2, UTC_ZONE) == "0.00"
    assert cell(Kind.MONEY, None, 2, UTC_ZONE) == MISSING
    assert cell(Kind.TEXT, "", None, UTC_ZONE) == MISSING
    assert cell(Kind.PROGRESS, None, None, UTC_ZONE) == ""
    assert cell(Kind.SIDE, "buy", None, UTC_ZONE) == "Buy"
    assert cell(Kind.PROGRESS, 0.5, None, UTC_ZONE) == f"50{THIN}%"


@pytest.mark.skipif(sys.platform == "win32", reason="there the zone is not that of a variable")
@pytest.mark.parametrize(("zone", "name"), [("Europe/Berlin", "Europe/Berlin"), ("Nowhere/Land", None), ("../Berlin", None)])
def test_the_desktops_zone_is_named_where_it_is_known(monkeypatch: pytest.MonkeyPatch, zone: str, name: str | None) -> None:
    monkeypatch.setenv("TZ", zone)
    assert desktop_zone_name() == name
