"""Files that are not what they should be: each ends in a clear sentence, and nothing of it is used."""

import gzip
import io
import os
import sys
import zipfile
from pathlib import Path

import msgspec
import polars as pl
import pytest
import zstandard

from core.data.guess import inspect
from core.data.importer import read_bars
from core.errors import BadRows, Cancelled, InvalidValue, KnownError, UnknownName, UnreadableFile
from core.model.price_file import OnBad
from tests.unit.data.jobs import PlainJob, plan_for, read, written

HEADER = "time,open,high,low,close,volume"
DAYS = [f"2019-11-{day:02},{day}.0,{day}.9,{day}.0,{day}.5,100" for day in (4, 5, 6, 7, 8, 11, 12)]
GOOD = "\n".join([HEADER, *DAYS]) + "\n"


def with_line(line: int, text: str) -> str:
    """Return the good file with its 1-based line replaced."""
    lines = GOOD.splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


def refuse(path: Path, *words: str, error: type[KnownError] = UnreadableFile) -> KnownError:
    """Inspect the file, expect the error, and expect `words` in what a person reads."""
    with pytest.raises(error) as caught:
        inspect(path)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.todo
    return caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n\n", "does not look like prices"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
        (bytes(range(1, 256)) * 20, "not UTF-8"),
        (b"Dear reader,\nthis is a letter\nand no price at all.\n", "does not look like prices"),
        (HEADER.encode() + b"\n", "does not look like prices"),
        (b"name,street,town,country,age\nA,B,C,D,4\n" * 20, "no column for"),
        (b"time,price,size,flag\n" + b"2019-11-04 10:00:00,5,1,2\n" * 20, "no column for"),
        (b"PAR1 and then nothing that fits", "damaged"),
        (b"\x1f\x8b\x08\x00 not really gzip", "damaged"),
        (b"PK\x03\x04 not really zip", "damaged"),
        (b"\x28\xb5\x2f\xfd not really zstd", "damaged"),
    ],
)
def test_a_file_without_prices_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    refuse(path, "prices.csv", words)


def test_a_missing_file_suggests_the_near_name(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "spy-daily.csv")
    refuse(tmp_path / "spy-dayly.csv", "There is no file", "Did you mean spy-daily.csv?")
    refuse(tmp_path / "eurusd.csv", "There is no file", "Check the name")
    refuse(tmp_path / "no" / "such" / "folder.csv", "There is no file", "Check the name")


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path, "is a folder")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refuse(tmp_path / "pipe", "not a file")


@pytest.mark.parametrize("packing", ["gz", "zst", "zip", "plain", "parquet"])
def test_every_packing_comes_in_and_a_cut_off_one_is_refused(packing: str, tmp_path: Path) -> None:
    # Long enough that half of the packed bytes are whole blocks of it.
    rows = [
        f"{1_500_000_000 + 60 * row},{row % 97 + 1}.5,{row % 97 + 9},{row % 89 / 100 + 0.1:.2f},{row % 97 + 2},{row}"
        for row in range(20_000)
    ]
    text = "\n".join([HEADER, *rows]) + "\n"
    path = tmp_path / "prices.any"
    if packing == "gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif packing == "zst":
        path.write_bytes(zstandard.compress(text[:1000].encode()) + zstandard.compress(text[1000:].encode()))
    elif packing == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/prices.csv", text)
            archive.writestr("__MACOSX/._prices.csv", b"\0")
    elif packing == "parquet":
        pl.read_csv(io.StringIO(text)).write_parquet(path)
    else:
        path.write_text(text)
    assert len(read(path, "BTC/USD").bars) == 20_000
    if packing != "plain":
        whole = path.read_bytes()
        plan = plan_for(path, "BTC/USD")
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UnreadableFile, match="damaged"):
            read_bars(plan, PlainJob())


def test_an_archive_of_several_files_names_them(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    refuse(path, "2 files", "a.csv, b.csv")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<a/>")
    refuse(path, "Excel")
    with zipfile.ZipFile(path, "w") as archive:
        pass
    refuse(path, "no file in it")


def test_thousands_separators_are_refused_where_they_would_be_misread(tmp_path: Path) -> None:
    refuse(written(tmp_path, with_line(4, '2019-11-06,"1,234.5","1,234.5","1,234.5","1,234.5",100')), "thousands", "1,234.5")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2019-11-06,6.0,6.9,6.0,x,100", "not_a_number"),
        ("2019-11-06,6.0,6.9,6.0,,100", "not_a_number"),
        ("2019-11-06,6.0,6.9,6.0,nan,100", "not_a_number"),
        ("2019-11-06,6.0,inf,6.0,6.5,100", "not_finite"),
        ("2019-11-06,6.0,6.9,-6.0,6.5,100", "negative_price"),
        ("2019-11-06,6.0,6.9,0,6.5,100", "negative_price"),
        ("2019-11-06,6.0,6.4,6.0,6.5,100", "high_below"),
        ("2019-11-06,6.0,6.9,6.1,6.5,100", "low_above"),
        ("2019-11-06,6.0,5.0,5.5,4.0,100", "high_below"),
        ("2019-11-06,6.0,6.9,6.0,6.5,-1", "negative_volume"),
        ("2019-11-31,6.0,6.9,6.0,6.5,100", "bad_time"),
        (",6.0,6.9,6.0,6.5,100", "bad_time"),
        ("2019-11-06,6.0,6.9,6.0", "missing_column"),
        ("2019-11-06,6.0,6.9,6.0,6.5,100,7", "extra_column"),
        ("2019-11-04,6.0,6.9,6.0,6.5,100", "out_of_order"),
        ("2019-11-05,6.0,6.9,6.0,6.5,100", "duplicate_time"),
    ],
)
def test_a_row_that_cannot_be_right_is_named_by_line_and_reason(text: str, reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, with_line(4, text))
    with pytest.raises(BadRows) as caught:
        read(path)
    assert caught.value.refused_by_reason == {reason: 1}
    assert reason in str(caught.value)
    assert "Line 4" in str(caught.value)
    assert "nothing was imported" in str(caught.value)
    reading = read(path, on_bad=OnBad.SKIP)
    assert [(row.line, row.reason) for row in reading.bad_rows] == [(4, reason)]
    assert reading.bars.open.tolist() == [4.0, 5.0, 7.0, 8.0, 11.0, 12.0]
    assert (reading.rows, reading.refused_by_reason) == (7, {reason: 1})


def test_lines_are_counted_as_an_editor_shows_them(tmp_path: Path) -> None:
    lines = ["", "# made by hand", HEADER, "", *DAYS[:3], "# a remark", "2019-11-07,bad,1,1,1,1", ",,,,,", *DAYS[4:]]
    for ending in ("\n", "\r\n", "\r"):
        reading = read(written(tmp_path, ending.join(lines)), on_bad=OnBad.SKIP)
        assert [(row.line, row.reason) for row in reading.bad_rows] == [(9, "not_a_number")]
        assert len(reading.bars) == 6


def test_text_in_other_encodings_comes_in(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / "prices.csv"
        path.write_bytes(GOOD.encode(encoding))
        assert len(read(path).bars) == 7, encoding


def test_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    reading = read(written(tmp_path, "https://example.test/data\nSPY daily\n" + GOOD))
    assert len(reading.bars) == 7


def test_a_header_in_a_comment_names_the_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "# time,open,close,high,low,volume\n" + "\n".join(DAYS))
    assert inspect(path).format.columns == ("time", "open", "close", "high", "low", "volume")


def test_a_delimiter_after_the_last_cell_does_no_harm(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, GOOD.replace(",100\n", ",100,\n"))).bars) == 7
    assert len(read(written(tmp_path, GOOD.replace("\n", ",\n"))).bars) == 7


def test_many_bad_rows_are_all_counted_and_the_first_listed(tmp_path: Path) -> None:
    rows = [f"{1_500_000_000 + 60 * row},1,1,1,{'x' if row % 2 else 1},1" for row in range(6_000)]
    path = written(tmp_path, "\n".join([HEADER, *rows]))
    reading = read(path, "BTC/USD", on_bad=OnBad.SKIP)
    assert reading.refused_by_reason == {"not_a_number": 3_000}
    assert len(reading.bad_rows) == 1_000
    assert [row.line for row in reading.bad_rows[:2]] == [3, 5]
    with pytest.raises(BadRows, match="and 2,995 more"):
        read(path, "BTC/USD")


def test_one_wrong_year_does_not_take_all_that_follows_with_it(tmp_path: Path) -> None:
    reading = read(written(tmp_path, with_line(4, "2091-11-06,6.0,6.9,6.0,6.5,100")), on_bad=OnBad.SKIP)
    assert [(row.line, row.reason) for row in reading.bad_rows] == [(4, "out_of_order")]
    assert "later than those of the rows after it" in reading.bad_rows[0].detail


def test_a_file_that_goes_back_in_time_is_read_from_its_end(tmp_path: Path) -> None:
    lines = GOOD.splitlines()
    reading = read(written(tmp_path, "\n".join([lines[0], *reversed(lines[1:])])))
    assert (reading.bars.start_ns == read(written(tmp_path, GOOD)).bars.start_ns).all()
    assert any("back in time" in sentence for sentence in reading.said)
    doubled = written(tmp_path, "\n".join([lines[0], *reversed(lines[1:]), lines[1]]))
    assert [row.line for row in read(doubled, on_bad=OnBad.SKIP).bad_rows] == [8]


def test_no_rows_left_is_an_error(tmp_path: Path) -> None:
    plan = plan_for(written(tmp_path, GOOD), on_bad=OnBad.SKIP)
    written(tmp_path, HEADER + "\n" + "2019-11-06,x,x,x,x,1\n" * 3)
    with pytest.raises(UnreadableFile, match="None of the 3 rows"):
        read_bars(plan, PlainJob())
    written(tmp_path, HEADER + "\n")
    with pytest.raises(UnreadableFile, match="no rows"):
        read_bars(plan, PlainJob())


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"columns": ("time", "open", "hihg", "low", "close", "volume")}, UnknownName, "Did you mean high?"),
        ({"columns": ("time", "open", "high", "low", "close")}, InvalidValue, "6 columns"),
        ({"columns": ("time", "open", "high", "low", "close", "close")}, InvalidValue, "close is named twice"),
        ({"columns": ("time", "open", "high", "low", "-", "volume")}, InvalidValue, "a column for close"),
        ({"columns": ("-", "open", "high", "low", "close", "volume")}, InvalidValue, "a column for time"),
        ({"tz": "America/NewYork"}, UnknownName, "Did you mean America/New_York?"),
        ({"time_format": "yyyy"}, InvalidValue, "time format"),
        ({"time_format": None, "time_unit": "hours"}, InvalidValue, "time unit"),
        ({"kind": "parquet"}, InvalidValue, "kind of file"),
    ],
)
def test_a_wrong_format_is_refused_with_the_near_word(
    changes: dict[str, object], error: type[KnownError], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path, GOOD)
    plan = plan_for(path)
    wrong = msgspec.structs.replace(plan.format, **changes)
    with pytest.raises(error) as caught:
        read_bars(msgspec.structs.replace(plan, format=wrong), PlainJob())
    assert words in str(caught.value)
    if "kind" not in changes:
        with pytest.raises(error):
            inspect(path, wrong)


def test_a_timeframe_that_does_not_fit_is_refused_or_said(tmp_path: Path) -> None:
    plan = plan_for(written(tmp_path, GOOD))
    with pytest.raises(InvalidValue, match="1d apart"):
        read_bars(msgspec.structs.replace(plan, timeframe="1w"), PlainJob())
    reading = read_bars(msgspec.structs.replace(plan, timeframe="1h"), PlainJob())
    assert any("1d apart" in sentence for sentence in reading.said)


def test_corrections_count(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    guess = inspect(path)
    corrected = msgspec.structs.replace(guess.format, columns=("time", "open", "high", "low", "close", "-"), tz="Asia/Tokyo")
    again = inspect(path, corrected)
    assert again.format == corrected
    bars = read_bars(msgspec.structs.replace(plan_for(path), format=corrected), PlainJob()).bars
    assert bars.volume.tolist() == [0.0] * 7
    assert int(bars.start_ns[0]) % (24 * 3600 * 10**9) == 15 * 3600 * 10**9
    open_ended = msgspec.structs.replace(guess.format, time_format=None)
    assert len(read_bars(msgspec.structs.replace(plan_for(path), format=open_ended), PlainJob()).bars) == 7


def test_local_times_over_a_change_of_the_clocks(tmp_path: Path) -> None:
    hours = [f"2019-11-03 0{hour}:00,1,1,1,1,1" for hour in (0, 1, 1, 2, 3)] + ["2020-03-08 02:30,1,1,1,1,1", "2020-03-08 03:00,1,1,1,1,1"]
    path = written(tmp_path, "\n".join([HEADER, *hours]))
    new_york = msgspec.structs.replace(inspect(path).format, tz="America/New_York")
    plan = plan_for(path, on_bad=OnBad.SKIP, file_format=new_york)
    for turned in (False, True):
        if turned:
            written(tmp_path, "\n".join([HEADER, *reversed(hours)]))
        reading = read_bars(plan, PlainJob())
        assert (reading.bars.start_ns[1:5] - reading.bars.start_ns[:4]).tolist() == [3600 * 10**9] * 4
        assert [row.reason for row in reading.bad_rows] == ["bad_time"]
        assert "does not exist" in reading.bad_rows[0].detail
        assert any("repeat" in sentence for sentence in reading.said)


# Windows lets nobody replace or remove a file that is open.
@pytest.mark.parametrize("change", ["append", "rewrite", *([] if sys.platform == "win32" else ["replace", "remove"])])
def test_a_file_that_changes_while_it_is_read_is_refused(change: str, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    plan = plan_for(path)

    def disturb() -> None:
        if change == "append":
            with path.open("a") as file:
                file.write("2019-11-13,1,1,1,1,1\n")
        elif change == "rewrite":
            status = path.stat()
            path.write_text(GOOD.replace("100", "200"))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        elif change == "replace":
            written(tmp_path, GOOD, "other.csv").replace(path)
        else:
            path.unlink()

    with pytest.raises(UnreadableFile, match="changed while it was read; nothing was imported"):
        read_bars(plan, PlainJob(on_report=disturb))


def test_a_stopped_job_ends_between_two_blocks(tmp_path: Path) -> None:
    plan = plan_for(written(tmp_path, GOOD))
    with pytest.raises(Cancelled):
        read_bars(plan, PlainJob(stop_after=1))


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refuse(path, "may not be read")
