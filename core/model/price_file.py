"""A price file: what was guessed of it, what the person settled, and what came of reading it."""

from enum import StrEnum

import msgspec

from core.model.market import Adjustment, BarSetKey, MergeReport

BAR_COLUMNS = ("time", "open", "high", "low", "close", "volume")
"""The meanings a column can have. Any other column of a file is `-`: not read."""

DATE_COLUMN = "date"
"""A date that stands apart from the time of day: it is joined with the `time` column, a space between."""

NOT_READ = "-"


class OnBad(StrEnum):
    """What to do with rows that contradict themselves."""

    FAIL = "fail"
    SKIP = "skip"


class FileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written. Everything here can be guessed, shown and corrected.

    `columns`: the meaning of each column in file order (`time`, `open`, … or `-`); empty in a CSV to be inspected: guess
    them, the delimiter may have changed. `time_format` is a strptime
    pattern, or None for numbers of `time_unit` (`s`, `ms`, `us`, `ns`) since 1970. `tz` is the zone of times that
    carry none. `decimal` is the sign before the fraction, `.` or `,`. `kind` is `csv` or `parquet`; delimiter,
    header and decimal mean nothing for Parquet.
    """

    kind: str
    columns: tuple[str, ...]
    delimiter: str = ","
    has_header: bool = True
    time_format: str | None = None
    time_unit: str | None = None
    tz: str = "UTC"
    timeframe: str | None = None
    decimal: str = "."


class FileGuess(msgspec.Struct, frozen=True, kw_only=True):
    """What the first rows told: the format, the sentences that say why, and the rows themselves as text.

    `headers`: the header cells, or `column 1` … where there is none. `preview`: cells of the first rows, as written.
    `symbol` is a suggestion from the file's name. `doubts` are guesses the person had better look at.
    """

    path: str
    size_bytes: int
    format: FileFormat
    headers: tuple[str, ...]
    preview: tuple[tuple[str, ...], ...]
    symbol: str | None = None
    said: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to import from where, as settled: the guess with the person's corrections."""

    path: str
    symbol: str
    timeframe: str
    format: FileFormat
    source: str = "file"
    adjustment: Adjustment = Adjustment.RAW
    on_bad: OnBad = OnBad.FAIL


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused: its 1-based line in the file, the reason (a stable word) and a sentence with the figures."""

    line: int
    reason: str
    detail: str


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. `rows` in the file = `taken` + `refused`; refused rows are counted by reason.

    `bad_rows` lists the first of them (at most 1,000).
    """

    key: BarSetKey
    rows: int
    taken: int
    refused: int
    merge: MergeReport
    first_ns: int | None = None
    last_ns: int | None = None
    refused_by_reason: dict[str, int] = {}
    bad_rows: tuple[BadRow, ...] = ()
    said: tuple[str, ...] = ()
