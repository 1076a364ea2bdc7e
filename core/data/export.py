"""Stored bars into files: CSV (plain, .gz, .zst) and Parquet. What is written reads back as the same bars."""

import gzip
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, Final

import polars as pl
import zstandard

from core.data.work import Job
from core.errors import DataError, InvalidValue
from core.model.instants import SECOND_NS
from core.model.market import BarSeries

_BLOCK_ROWS: Final = 100_000
_ENDINGS: Final = (".csv", ".csv.gz", ".csv.zst", ".parquet")


def write_bars(bars: BarSeries, path: Path, job: Job) -> None:
    """Write `bars` to `path`, in the form that its ending tells; the file appears whole or not at all.

    Times are UTC starts. Raises InvalidValue for another ending, DataError when the file cannot be written.
    """
    ending = next((each for each in sorted(_ENDINGS, key=len, reverse=True) if path.name.casefold().endswith(each)), None)
    if ending is None:
        raise InvalidValue("file name", path.name, f"it must end in one of {', '.join(_ENDINGS)}.")
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            if ending == ".parquet":
                _frame(bars).write_parquet(part)
            else:
                _write_csv(bars, part, ending, job)
            job.check()
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(f"{path} cannot be written: {reason}.", "Choose another folder, or make room.") from error


def _frame(bars: BarSeries) -> pl.DataFrame:
    time = pl.Series("time", bars.start_ns).cast(pl.Datetime("ns", "UTC"))
    values = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame({"time": time, **values})


def _write_csv(bars: BarSeries, part: Path, ending: str, job: Job) -> None:
    # All stamps in one form, so that a reader meets one pattern.
    fraction = "%.9f" if (bars.start_ns % SECOND_NS).any() else ""
    with part.open("wb") as file, _packer(ending, file) as packed:
        for first in range(0, len(bars), _BLOCK_ROWS):
            frame = _frame(bars.slice(first, min(first + _BLOCK_ROWS, len(bars))))
            frame.write_csv(packed, include_header=first == 0, datetime_format=f"%Y-%m-%dT%H:%M:%S{fraction}Z")
            job.progress(min(first + _BLOCK_ROWS, len(bars)), len(bars), "Writing")


def _packer(ending: str, file: IO[bytes]) -> AbstractContextManager[Any]:
    if ending == ".csv.gz":
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)
    if ending == ".csv.zst":
        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return nullcontext(file)
