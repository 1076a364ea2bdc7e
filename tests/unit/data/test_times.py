"""Times as files write them."""

import numpy as np
import polars as pl
import pytest

from core.data import times
from core.errors import InvalidValue, UnknownName
from core.model.instants import iso, parse_instant


@pytest.mark.parametrize(
    ("cell", "pattern", "instant"),
    [
        ("2019-11-05", "%Y-%m-%d", "2019-11-05"),
        ("2019/11/05 09:30", "%Y/%m/%d %H:%M", "2019-11-05T09:30"),
        ("2019.11.05 09:30:01", "%Y.%m.%d %H:%M:%S", "2019-11-05T09:30:01"),
        ("2019-11-05T09:30:00Z", "%Y-%m-%dT%H:%M:%S%z", "2019-11-05T09:30Z"),
        ("2019-11-05 09:30:00+01:00", "%Y-%m-%d %H:%M:%S%z", "2019-11-05T08:30Z"),
        ("2019-11-05 09:30:00 -0500", "%Y-%m-%d %H:%M:%S %z", "2019-11-05T14:30Z"),
        ("2019-11-05 09:30:00.250", "%Y-%m-%d %H:%M:%S.%f", "2019-11-05T09:30:00.250"),
        ("2019-11-05 09:30:00 UTC", "%Y-%m-%d %H:%M:%S UTC", "2019-11-05T09:30Z"),
        ("05.11.2019 09:30:00.000 GMT+0100", "%m.%d.%Y %H:%M:%S.%f GMT%z", "2019-05-11T08:30Z"),
        ("11/5/2019 9:30", "%m/%d/%Y %H:%M", "2019-11-05T09:30"),
        ("11/05/19 09:30 PM", "%m/%d/%y %I:%M %p", "2019-11-05T21:30"),
        ("5-Nov-2019", "%d-%b-%Y", "2019-11-05"),
        ("05 Nov 2019 09:30", "%d %b %Y %H:%M", "2019-11-05T09:30"),
        ("Nov 05, 2019", "%b %d, %Y", "2019-11-05"),
        ("20191105", "%Y%m%d", "2019-11-05"),
        ("20191105 093000", "%Y%m%d %H%M%S", "2019-11-05T09:30"),
        ("20191105093000", "%Y%m%d%H%M%S", "2019-11-05T09:30"),
    ],
)
def test_a_time_is_recognised_and_read(cell: str, pattern: str, instant: str) -> None:
    assert times.pattern_of(cell) == pattern
    found, absolute = times.read_times(pl.Series([cell]), pattern, None)
    assert iso(int(found[0])) == iso(parse_instant(instant))
    assert absolute is pattern.endswith(("%z", "UTC"))


@pytest.mark.parametrize("cell", ["", "100.5", "Open", "SPY", "2019-13", "12:30", "99999999", "2019-11-05 nine"])
def test_what_is_no_time_has_no_pattern(cell: str) -> None:
    assert times.pattern_of(cell) is None


@pytest.mark.parametrize(
    ("cell", "unit"),
    [("1388534520", "s"), ("1388534520000", "ms"), ("1388534520000000", "us"), ("1388534520000000000", "ns"), ("1388534520.0", "s")],
)
def test_the_unit_of_a_number_is_told_by_its_size(cell: str, unit: str) -> None:
    found = times.guess_time([cell] * 3)
    assert found is not None
    assert (found.pattern, found.unit) == (None, unit)
    read, absolute = times.read_times(pl.Series([cell]), None, unit)
    assert iso(int(read[0])) == "2014-01-01T00:02:00Z"
    assert absolute


def test_cells_that_are_no_times_are_marked() -> None:
    found, _ = times.read_times(pl.Series(["2019-11-05", "x", None, "2019-02-30", "0001-01-01"]), "%Y-%m-%d", None)
    assert (found == times.NO_TIME).tolist() == [False, True, True, True, True]
    numbers, _ = times.read_times(pl.Series(["1388534520000", "x", "", "99999999999999999999", "nan", "inf"]), None, "ms")
    assert (numbers == times.NO_TIME).tolist() == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("cells", "pattern", "doubted"),
    [
        (["01/15/2019", "01/16/2019"], "%m/%d/%Y", False),
        (["15/01/2019", "16/01/2019"], "%d/%m/%Y", False),
        # Days that follow one another are the better reading of dates that could be both.
        (["03/04/2019", "03/05/2019", "03/06/2019"], "%m/%d/%Y", True),
        (["04/03/2019", "05/03/2019", "06/03/2019"], "%d/%m/%Y", True),
        (["05/06/2019"], "%m/%d/%Y", True),
        (["05.06.2019"], "%d.%m.%Y", True),
    ],
)
def test_month_first_or_day_first(cells: list[str], pattern: str, doubted: bool) -> None:
    found = times.guess_time(cells)
    assert found is not None
    assert found.pattern == pattern
    assert bool(found.doubt) is doubted


def test_fractions_in_some_rows_are_read_in_all() -> None:
    found = times.guess_time(["2019-11-05 09:30:00"] * 5 + ["2019-11-05 09:30:00.5"])
    assert found is not None
    assert found.fit == 1.0


def local(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([parse_instant(text) for text in texts], np.int64)


def test_local_times_become_utc_in_summer_and_winter() -> None:
    utc, missing, repeated = times.to_utc(local("2019-11-01T09:30", "2019-11-04T09:30"), "America/New_York")
    assert [iso(int(each)) for each in utc] == ["2019-11-01T13:30:00Z", "2019-11-04T14:30:00Z"]
    assert not missing.any()
    assert not repeated.any()


def test_a_repeated_hour_is_read_in_file_order() -> None:
    # 3 November 2019: 01:00 to 02:00 happens twice in New York.
    rows = local("2019-11-03T00:30", "2019-11-03T01:00", "2019-11-03T01:30", "2019-11-03T01:00", "2019-11-03T01:30", "2019-11-03T02:00")
    utc, _, repeated = times.to_utc(rows, "America/New_York")
    assert [iso(int(each))[11:16] for each in utc] == ["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"]
    assert repeated.tolist() == [False, True, True, True, True, False]


def test_each_autumn_begins_with_its_first_pass() -> None:
    rows = local("2018-11-04T01:00", "2018-11-04T01:00", "2019-11-03T01:00", "2019-11-03T01:00")
    utc, _, _ = times.to_utc(rows, "America/New_York")
    assert [iso(int(each))[11:16] for each in utc] == ["05:00", "06:00", "05:00", "06:00"]


def test_a_time_that_the_clocks_jump_over_does_not_exist() -> None:
    _, missing, _ = times.to_utc(local("2019-03-10T01:59", "2019-03-10T02:30", "2019-03-10T03:00"), "America/New_York")
    assert missing.tolist() == [False, True, False]


def test_zones_are_known_by_name() -> None:
    assert times.check_zone("america/new_york") == "America/New_York"
    with pytest.raises(UnknownName, match="America/New_York"):
        times.check_zone("America/NewYork")
    with pytest.raises(UnknownName, match="America/New_York"):
        times.check_zone("New York")


@pytest.mark.parametrize(("pattern", "unit"), [("yyyy-mm-dd", None), ("%Q-%m-%d", None), ("%H:%M", None), (None, "m")])
def test_a_pattern_nobody_can_read_with_is_refused(pattern: str | None, unit: str | None) -> None:
    with pytest.raises(InvalidValue, match=r"time (format|unit)"):
        times.check_pattern(pattern, unit)
