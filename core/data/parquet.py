"""Parquet files: columns that have their types already."""

from pathlib import Path

import polars as pl

from core.errors import UnreadableFile


def sample_rows(path: Path, rows: int) -> pl.DataFrame:
    """Return the first rows. Raises UnreadableFile."""
    return _read(path, rows)


def all_rows(path: Path) -> pl.DataFrame:
    """Return the whole file. Raises UnreadableFile."""
    return _read(path, None)


def _read(path: Path, rows: int | None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, n_rows=rows, use_statistics=False, glob=False)
    # A damaged page ends in a panic of the library, which is no ordinary exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFile(f"{path.name} is damaged or cut off: it cannot be read as Parquet.", "Write or fetch it again.") from error


def is_clock(dtype: pl.DataType) -> bool:
    """Tell whether a column holds times of day without a date."""
    return dtype == pl.Time
