"""Price files and stored bars: importing a year of minutes, and reading a million of them."""

import asyncio
from statistics import median
from time import perf_counter

from benchmarks.bars import KEY, random_walk
from benchmarks.engine import desk, stored
from benchmarks.measuring import SHARED_DATA, Row, Table
from core.model.price_file import FileFormat, ImportPlan, OnBad

YEAR_FILE = SHARED_DATA / "btcusd-1m-2015.csv.gz"
REPEATS = 3


async def import_year() -> tuple[int, float]:
    """Rows taken and median seconds of guessing the format and importing, each time into an empty database."""
    taken: list[float] = []
    rows = 0
    for _ in range(REPEATS):
        async with desk() as (engine, _store):
            began = perf_counter()
            guess = await engine.inspect_file(YEAR_FILE, None, "BTC/USD")
            report = await engine.import_file(_plan(guess.format), lambda _progress: None)
            taken.append(perf_counter() - began)
            rows = report.taken
    return rows, median(taken)


def _plan(file_format: FileFormat) -> ImportPlan:
    return ImportPlan(path=str(YEAR_FILE), symbol="BTC/USD", timeframe="1m", format=file_format, source="file", on_bad=OnBad.SKIP)


async def read_stored(count: int) -> tuple[float, float]:
    """Median seconds of storing and of reading `count` bars."""
    bars = random_walk(count)
    stores, reads = [], []
    for _ in range(REPEATS):
        async with desk() as (engine, store):
            began = perf_counter()
            await stored(store, bars)
            stores.append(perf_counter() - began)
            for _ in range(REPEATS):
                began = perf_counter()
                back = await engine.bars(KEY)
                reads.append(perf_counter() - began)
            assert len(back) == count
    return median(stores), median(reads)


def measure(quick: bool) -> Table:
    """Both cases; the import is left out where the real file is not beside the checkout."""
    count = 100_000 if quick else 1_000_000
    rows, notes = [], []
    if YEAR_FILE.is_file():
        taken, seconds = asyncio.run(import_year())
        figures = (f"{taken:,}", f"{seconds:.2f} s", rate_of(taken, seconds))
        rows.append(Row(name="import of the 2015 file (gzip, one-minute BTC/USD)", figures=figures, goal="< 3 s", met=seconds < 3))
    else:
        notes.append("The real price file is not beside this checkout: the import was not measured.")
    store_s, read_s = asyncio.run(read_stored(count))
    rows.append(Row(name="storing bars", figures=(f"{count:,}", f"{store_s:.2f} s", rate_of(count, store_s))))
    rows.append(
        Row(
            name="reading stored bars into arrays",
            figures=(f"{count:,}", f"{read_s:.3f} s", rate_of(count, read_s)),
            goal="< 0.3 s",
            met=read_s < 0.3,
        )
    )
    return Table(title="Data", columns=("rows", "time", "rows/s"), rows=tuple(rows), notes=tuple(notes))


def rate_of(count: int, seconds: float) -> str:
    """Rows a second as text."""
    from benchmarks.measuring import rate

    return rate(count / seconds)
