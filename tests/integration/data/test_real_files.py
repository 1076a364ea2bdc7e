"""The six kinds of file in the wild, against a reader that goes row by row with the standard library.

Excerpts with each trait lie in tests/data; the whole files are read too where they lie beside the checkout.
"""

import csv
import gzip
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.data.checks import REASONS
from core.data.guess import inspect
from core.model.instants import to_ns
from core.model.price_file import OnBad
from tests.unit.data.jobs import read

EXCERPTS = Path(__file__).resolve().parents[2] / "data"
FULL = Path(__file__).resolve().parents[4] / "shared" / "data"


@dataclass(frozen=True)
class Kind:
    """What a kind of file is, known from its description and not from the program."""

    name: str
    symbol: str
    timeframe: str
    columns: str
    zone: str = "UTC"
    form: str | None = None
    header: bool = True
    full_rows: int = 0
    refused: int = 0


KINDS = [
    Kind("spy-1d-yahoo.csv", "SPY", "1d", "time open high low close - volume", form="%Y-%m-%d", full_rows=2_519, refused=2),
    Kind("aapl-1d-yahoo.csv", "AAPL", "1d", "time open high low close - volume", form="%Y-%m-%d", full_rows=3_379),
    Kind("goog-1d.csv", "GOOG", "1d", "time open high low close volume", form="%Y-%m-%d", full_rows=2_148),
    Kind("eurusd-1h.csv", "EUR/USD", "1h", "time open high low close volume", form="%Y-%m-%d %H:%M:%S", full_rows=5_000),
    Kind("sp500-1m-nov2019.csv", "SP500", "1m", "time open close high low volume", "America/New_York", "%m/%d/%Y %H:%M", full_rows=1_563),
    Kind("btcusd-1m-2014.csv.gz", "BTC/USD", "1m", "time open close high low volume", header=False, full_rows=283_787),
    Kind("btcusd-1m-2015.csv.gz", "BTC/USD", "1m", "time open close high low volume", header=False, full_rows=366_710),
]
FILES = [pytest.param(kind, EXCERPTS, id=f"excerpt-{kind.name}") for kind in KINDS] + [
    pytest.param(
        kind, FULL, id=f"full-{kind.name}", marks=pytest.mark.skipif(not (FULL / kind.name).exists(), reason="the whole files are not here")
    )
    for kind in KINDS
]


def rows_of(path: Path, kind: Kind) -> list[tuple[int, float, float, float, float, float]]:
    """Return time and prices of every consistent row, read one by one."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    columns = kind.columns.split()
    found = []
    for cells in list(csv.reader(text.splitlines()))[kind.header :]:
        row = dict(zip(columns, cells, strict=True))
        if kind.form is None:
            time_ns = int(row["time"]) * 1_000_000
        else:
            zone = UTC if kind.zone == "UTC" else ZoneInfo(kind.zone)
            time_ns = to_ns(datetime.strptime(row["time"], kind.form).replace(tzinfo=zone))
        o, h, low, c, v = (float(row[name]) for name in ("open", "high", "low", "close", "volume"))
        if h >= max(o, c, low) and low <= min(o, c):
            found.append((time_ns, o, h, low, c, v))
    return found


@pytest.mark.parametrize(("kind", "folder"), FILES)
def test_a_real_file_comes_in_as_it_is(kind: Kind, folder: Path) -> None:
    path = folder / kind.name
    guess = inspect(path)
    assert guess.format.columns == tuple(kind.columns.split())
    assert (guess.symbol, guess.format.timeframe, guess.format.tz) == (kind.symbol, kind.timeframe, kind.zone)
    assert guess.format.has_header is kind.header
    assert guess.format.time_format == kind.form
    assert guess.format.time_unit == (None if kind.form else "ms")
    assert len(guess.preview) == 10

    reading = read(path, on_bad=OnBad.SKIP)
    bars = reading.bars
    rows = rows_of(path, kind)
    assert bars.start_ns.tolist() == [row[0] for row in rows]
    expected = np.array(rows)
    for place, column in enumerate(bars.columns(), start=1):
        assert (column == expected[:, place]).all()
    assert sum(reading.refused_by_reason.values()) == kind.refused == reading.rows - len(bars)
    assert set(reading.refused_by_reason) <= set(REASONS)
    if folder == FULL:
        assert reading.rows == kind.full_rows


def test_the_two_inconsistent_rows_of_spy_are_named_by_their_lines() -> None:
    reading = read(EXCERPTS / "spy-1d-yahoo.csv", on_bad=OnBad.SKIP)
    lines = (EXCERPTS / "spy-1d-yahoo.csv").read_text().splitlines()
    assert [(row.line, row.reason) for row in reading.bad_rows] == [(110, "low_above"), (127, "low_above")]
    assert lines[109].startswith("2015-03-05,209.419998,210.800003,209.850006")
    assert "209.850006" in reading.bad_rows[0].detail


def test_the_choice_between_two_closes_is_said() -> None:
    guess = inspect(EXCERPTS / "spy-1d-yahoo.csv")
    assert any("'Close' was taken" in sentence and "'Adj Close'" in sentence for sentence in guess.said)
    assert any("adjustment split" in sentence for sentence in guess.doubts)


def test_what_a_naive_reader_gets_wrong_is_a_doubt() -> None:
    assert any("month" in sentence for sentence in inspect(EXCERPTS / "sp500-1m-nov2019.csv").doubts)
    assert any("zone" in sentence for sentence in inspect(EXCERPTS / "eurusd-1h.csv").doubts)
    assert inspect(EXCERPTS / "btcusd-1m-2014.csv.gz").doubts == ()
