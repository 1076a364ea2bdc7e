"""CSV text into columns of cells, block by block, with the line each row stands on."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from core.data.source import Source
from core.data.work import Job
from core.errors import InvalidValue, UnreadableFile
from core.model.market import Instants

BLOCK_CHARACTERS: Final = 1 << 21
_LONGEST_LINE: Final = 1 << 20
COMMENT: Final = "#"


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a file in file order. `lines`: their 1-based lines. `cells`: List(String), one list per row. `text`: the whole lines."""

    lines: Instants
    text: pl.Series
    cells: pl.Series

    def widths(self) -> Instants:
        """Return how many cells each row has; an empty cell after the last delimiter does not count when it is one too many."""
        return self.cells.list.len().to_numpy().astype(np.int64)

    def column(self, index: int) -> pl.Series:
        """Return the cells of one column, stripped; null where the row is shorter."""
        return self.cells.list.get(index, null_on_oob=True).str.strip_chars()

    def rows(self) -> list[list[str]]:
        """Return the cells, stripped, row by row."""
        return [[str(cell).strip() for cell in row] for row in self.cells.to_list()]

    def where(self, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Block":
        """Return the rows that `keep` marks."""
        mask = pl.Series(keep)
        return Block(self.lines[keep], self.text.filter(mask), self.cells.filter(mask))


def split(text: str, first_line: int, delimiter: str) -> Block:
    """Return the rows of `text`, whose first line is line `first_line`; blank lines and comments are left out."""
    lines = pl.Series([text.removesuffix("\n")], dtype=pl.String).str.split("\n").explode()
    numbers = np.arange(first_line, first_line + len(lines), dtype=np.int64)
    stripped = lines.str.strip_chars(" \t" + delimiter)
    keep = (stripped != "") & ~stripped.str.starts_with(COMMENT)
    lines, numbers = lines.filter(keep), numbers[keep.to_numpy()]
    if '"' not in text:
        return Block(numbers, lines, lines.str.split(delimiter))
    try:
        # One line is one row: a quote that is never closed must not swallow the rest of the file.
        cells = [next(csv.reader([line], delimiter=delimiter), []) for line in lines.to_list()]
    except csv.Error as error:
        raise UnreadableFile("The file is not CSV: a cell is longer than any price.", "Choose a file with prices.") from error
    return Block(numbers, lines, pl.Series(cells, dtype=pl.List(pl.String)))


def read_text(source: Source, characters: int) -> str:
    """Return about `characters` more of the file, up to the end of a line; empty at its end."""
    if source.text is None:
        return ""
    text = source.text.read(characters)
    if text and not text.endswith("\n"):
        rest = source.text.readline(_LONGEST_LINE)
        if len(rest) == _LONGEST_LINE:
            raise UnreadableFile(f"{source.path.name} has a line of more than a million characters.", "Choose a file with prices.")
        text += rest
    if "\0" in text:
        raise UnreadableFile(f"{source.path.name} is not text: it has binary content.", "Choose a CSV or Parquet file with prices.")
    return text


def blocks(source: Source, delimiter: str, width: int, has_header: bool, job: Job) -> Iterator[Block]:
    """Yield the rows of the file below its header. Raises InvalidValue when the file has another number of columns than `width`."""
    line, in_body = 1, False
    while text := read_text(source, BLOCK_CHARACTERS):
        block = split(text, line, delimiter)
        if not in_body and len(block.lines):
            block, in_body = body(block, width, has_header), True
        line += text.count("\n")
        source.advance(job, "Reading")
        yield block


def body(block: Block, width: int, has_header: bool) -> Block:
    """Return the first rows without the header and any title lines above it."""
    usual = usual_width(block)
    if usual != width:
        rule = f"the file has {usual} columns; name each of them, and write - for one that is not read."
        raise InvalidValue("columns", f"{width} names", rule)
    if not has_header:
        return block
    header = header_row(block, width)
    return block.where(np.arange(len(block.lines)) > header)


def header_row(block: Block, width: int) -> int:
    """Return the index of the first row with as many cells as the file has columns; what stands above it is a title."""
    widths = block.widths()
    fitting = np.flatnonzero(widths == width)
    first = int(fitting[0]) if len(fitting) else 0
    if first and widths[first - 1] == width - 1:
        # Some writers end every row but the header with a delimiter.
        last = block.cells.gather(fitting[:100]).list.get(width - 1).str.strip_chars()
        return first - 1 if (last == "").all() else first
    return first


def usual_width(block: Block) -> int:
    """Return the number of cells most rows have."""
    counts = Counter(block.widths()[:5_000].tolist())
    return int(counts.most_common(1)[0][0]) if counts else 0


NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA_NUMBER: Final = re.compile(r"[+-]?\d+,\d+")
THOUSANDS: Final = re.compile(
    r"[+-]?(\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,}|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}|\d{1,3}([ \u00a0\u202f’]\d{3})+([.,]\d+)?)"
)


def floats(
    cells: pl.Series, decimal: str
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the numbers in `cells` (text, or numbers already), nan where there is none, and where that is."""
    if cells.dtype == pl.String and decimal == ",":
        # A point next to a decimal comma would be a thousands separator: such a cell is no number here.
        cells = pl.select(
            pl.when(cells.str.contains(".", literal=True)).then(None).otherwise(cells.str.replace(",", ".", literal=True))
        ).to_series()
    values = cells.cast(pl.Float64, strict=False)
    numbers = values.fill_null(float("nan")).to_numpy()
    return numbers, np.isnan(numbers)
