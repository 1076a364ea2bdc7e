"""Whatever way a program writes bars, they come in as the same bars: guess ∘ write is identity."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from core.data.export import write_bars
from core.data.guess import inspect
from core.data.simulated import MARKETS
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries
from tests.examples import examples
from tests.unit.data.jobs import PlainJob, plan_for, read, written

BARS = MARKETS[2].make().slice(0, 400)
ORDERS = [
    ("open", "high", "low", "close", "volume"),
    ("open", "close", "high", "low", "volume"),
    ("volume", "close", "high", "low", "open"),
]
PATTERNS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d-%b-%Y %I:%M %p",
    "%Y%m%d %H%M%S",
]
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True)
class Style:
    """A way to write a file."""

    delimiter: str
    order: tuple[str, ...]
    header: bool
    time: str
    ending: str
    quoted: bool
    bom: bool
    comma: bool
    split: bool


styles = st.builds(
    Style,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    order=st.sampled_from(ORDERS),
    header=st.booleans(),
    time=st.sampled_from([*PATTERNS, *UNITS]),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoted=st.booleans(),
    bom=st.booleans(),
    comma=st.booleans(),
    split=st.booleans(),
)


def text_of(bars: BarSeries, style: Style) -> str:
    """Write bars in that style, row by row."""
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=style.delimiter, lineterminator=style.ending, quoting=csv.QUOTE_ALL if style.quoted else csv.QUOTE_MINIMAL
    )
    comma = style.comma and style.delimiter != ","
    splits = style.split and " " in style.time and "%p" not in style.time
    if style.header:
        writer.writerow([*(["Date", "Time"] if splits else ["Timestamp"]), *(name.title() for name in style.order)])
    for row in range(len(bars)):
        numbers = [repr(float(getattr(bars, name)[row])) for name in style.order]
        if comma:
            numbers = [number.replace(".", ",") for number in numbers]
        writer.writerow([*time_of(int(bars.start_ns[row]), style.time, splits), *numbers])
    return ("\ufeff" if style.bom else "") + out.getvalue()


def time_of(start_ns: int, form: str, splits: bool) -> list[str]:
    if form in UNITS:
        return [str(start_ns // UNITS[form])]
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=start_ns // 10**9)).strftime(form)
    return text.split(" ", 1) if splits else [text]


@given(style=styles, first=st.integers(0, 100), count=st.integers(150, 300))
@examples(80, HealthCheck.function_scoped_fixture)
def test_bars_written_in_any_style_come_in_as_they_were(style: Style, first: int, count: int, tmp_path: Path) -> None:
    bars = BARS.slice(first, first + count)
    path = written(tmp_path, text_of(bars, style))
    found = read(path, "DEMO/USD").bars
    assert (found.start_ns == bars.start_ns).all()
    for name in style.order:
        assert (getattr(found, name) == getattr(bars, name)).all(), name


prices = st.floats(min_value=1e-8, max_value=1e12, allow_nan=False, allow_infinity=False)


@st.composite
def any_bars(draw: st.DrawFn) -> BarSeries:
    """Bars with prices of any size and any starts."""
    count = draw(st.integers(2, 30))
    steps = draw(st.lists(st.integers(1, 50), min_size=count, max_size=count))
    # The shortest step is there most often, so that the timeframe can be told.
    starts = np.cumsum(np.array([step if step > 25 else 1 for step in steps], np.int64)) * MINUTE_NS
    quotes = np.sort(np.array(draw(st.lists(st.tuples(prices, prices, prices, prices), min_size=count, max_size=count))), axis=1)
    volume = np.array(draw(st.lists(st.floats(0, 1e15), min_size=count, max_size=count)))
    return BarSeries.from_columns(
        "DEMO/USD",
        MARKETS[2].make().timeframe,
        starts + 1_500_000_000 * 10**9,
        quotes[:, 1].copy(),
        quotes[:, 3].copy(),
        quotes[:, 0].copy(),
        quotes[:, 2].copy(),
        volume,
    )


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.zst", ".parquet"])
@given(bars=any_bars())
@examples(25, HealthCheck.function_scoped_fixture)
def test_exported_bars_come_back_bit_for_bit(ending: str, bars: BarSeries, tmp_path: Path) -> None:
    path = tmp_path / f"bars{ending}"
    write_bars(bars, path, PlainJob())
    guess = inspect(path, None, bars.symbol)
    plan = plan_for(path, bars.symbol) if guess.format.timeframe == "1m" else None
    if plan is None:
        return
    found = read(path, bars.symbol).bars
    assert found.start_ns.tobytes() == bars.start_ns.tobytes()
    for mine, theirs in zip(found.columns(), bars.columns(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_parquet_of_other_programs_comes_in(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "Date": pl.Series(BARS.start_ns).cast(pl.Datetime("ns")).cast(pl.Datetime("ms")),
            **dict(zip(("Open", "High", "Low", "Close", "Volume"), BARS.columns(), strict=True)),
        }
    )
    for name, column in {
        "naive": frame["Date"],
        "zoned": frame["Date"].dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
        "text": frame["Date"].dt.strftime("%Y-%m-%d %H:%M:%S"),
        "number": frame["Date"].dt.epoch("ms"),
    }.items():
        path = tmp_path / f"{name}.parquet"
        frame.with_columns(column.alias("Date")).write_parquet(path)
        found = read(path, "DEMO/USD").bars
        assert (found.start_ns == BARS.start_ns).all(), name
        assert (found.close == BARS.close).all()
