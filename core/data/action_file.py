"""A file of splits and dividends: read as a whole, each bad row with its reason and its line."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from core.data import rows as text_rows
from core.data.action_cells import is_year_last, read_amount, read_day, read_ratio, reads_as_kind
from core.data.action_columns import ActionColumns, find_columns
from core.data.source import open_source
from core.data.work import Job
from core.errors import BadRows, InvalidValue, UnreadableFile
from core.model.corporate_action import ActionIdentity, ActionKind, CorporateAction, date_of, identity_of, in_order, make_action
from core.model.market import parse_symbol
from core.model.price_file import BadRow, OnBad

REASONS: Final = {
    "missing_column": "has too few cells",
    "extra_column": "has too many cells",
    "bad_symbol": "has a symbol that cannot be one",
    "other_symbol": "is of another symbol than the one that was asked for",
    "bad_date": "has a date that cannot be read",
    "unknown_type": "is neither a split nor a dividend",
    "not_a_number": "has a value that is no ratio or no amount",
    "not_positive": "has a value of zero or less",
    "duplicate": "names the same symbol, day and type as a row before it",
}
"""Reason → what it means; a row has the first that fits."""

LISTED: Final = 1_000
_SHOWN: Final = 5
_DELIMITERS: Final = (",", ";", "\t", "|")


@dataclass(slots=True)
class ActionReading:
    """What a file held: the sound actions in order, and which rows were refused."""

    actions: tuple[CorporateAction, ...] = ()
    rows: int = 0
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    bad_rows: list[BadRow] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return self.refused_by_reason.total()

    def refuse(self, line: int, reason: str, detail: str) -> None:
        """Count a row that is not taken."""
        self.refused_by_reason[reason] += 1
        if len(self.bad_rows) < LISTED:
            self.bad_rows.append(BadRow(line=line, reason=reason, detail=detail))


class _Refused(Exception):
    """A row is not taken: its reason and a sentence with its figures."""


def read_actions(path: Path, symbol: str | None, on_bad: OnBad, job: Job) -> ActionReading:
    """Return the actions of a CSV file. `symbol`: of all rows, where the file does not say.

    Raises UnreadableFile, and BadRows when rows were refused and the import is to fail; then nothing of the file is of use.
    """
    lines = _rows(path, job)
    columns = find_columns(lines[0][1], path.name, symbol_given=symbol is not None)
    body = lines[1:] if columns.has_header else lines
    if not body:
        raise UnreadableFile(f"{path.name} has a header and no rows below it.", "Choose a file with splits or dividends in it.")
    reading = ActionReading(rows=len(body), said=list(columns.said))
    day_first = _day_first([cells[columns.date] for _, cells in body if len(cells) > columns.date], reading)
    taken: dict[ActionIdentity, int] = {}
    actions: list[CorporateAction] = []
    for line, cells in body:
        job.check()
        try:
            found = _row(cells, columns, symbol, day_first=day_first)
            for action in found:
                if (first := taken.get(identity_of(action))) is not None:
                    what = f"{action.symbol} has a {identity_of(action)[2]} on {date_of(action)} already, on line {first:,}"
                    raise _Refused("duplicate", f"{what}; write what belongs together in one row.")
        except _Refused as refused:
            reading.refuse(line, *refused.args)
            continue
        taken |= {identity_of(action): line for action in found}
        actions += found
    if reading.refused and on_bad is OnBad.FAIL:
        raise _bad_rows(path, reading)
    if not actions:
        what = f"None of the {reading.rows:,} rows of {path.name} could be taken" if reading.refused else f"{path.name} holds no action"
        raise UnreadableFile(f"{what}{_counted(reading, ': ')}.", "Look at the columns: symbol, date, type and value.")
    reading.actions = in_order(actions)
    return reading


def _rows(path: Path, job: Job) -> list[tuple[int, list[str]]]:
    """Return the rows of the file with their lines, the header too."""
    with open_source(path) as source:
        if source.kind != "csv":
            raise UnreadableFile(f"{path.name} is not CSV.", "Save the splits and dividends as CSV, and import that.")
        text = ""
        while part := text_rows.read_text(source, text_rows.BLOCK_CHARACTERS):
            text += part
            source.advance(job, "Reading")
        source.check_unchanged()
    head = text[:10_000]
    delimiter = max(_DELIMITERS, key=lambda sign: (head.count(sign), -_DELIMITERS.index(sign)))
    block = text_rows.split(text, 1, delimiter)
    lines = list(zip(block.lines.tolist(), block.rows(), strict=True))
    if not lines:
        raise UnreadableFile(f"{path.name} has no rows.", "Choose a file with splits or dividends in it.")
    return lines


def _day_first(cells: list[str], reading: ActionReading) -> bool:
    """Tell whether dates with the year last begin with the day: a number above 12 decides; else month first, and that is said."""
    confusable = [cell for cell in cells if is_year_last(cell)]
    if not confusable:
        return False
    month_first = sum(read_day(cell, day_first=False) is not None for cell in confusable)
    day_first = sum(read_day(cell, day_first=True) is not None for cell in confusable)
    if month_first == day_first:
        reading.said.append(f"Dates like {confusable[0]} were read with the month first.")
    return day_first > month_first


def _row(cells: list[str], columns: ActionColumns, given: str | None, *, day_first: bool) -> list[CorporateAction]:
    """Return the actions of a row: one where it has a type, one for each value where it has a column for each kind. Raises _Refused."""
    if len(cells) < columns.width:
        raise _Refused("missing_column", f"The row has {len(cells)} cells, the file has {columns.width} columns.")
    if len(cells) > columns.width and any(cells[columns.width :]):
        raise _Refused("extra_column", f"The row has {len(cells)} cells, the file has {columns.width} columns.")
    symbol = _symbol(cells, columns, given)
    day = read_day(cells[columns.date], day_first=day_first)
    if day is None:
        raise _Refused("bad_date", f"The date, {cells[columns.date][:40]!r}, cannot be read; write it like 2020-08-31.")
    if columns.kind is None or columns.value is None:
        # Tables with a column for each kind write 0 or nothing where there was none.
        present = [(kind, cells[place]) for kind, place in columns.value_of if cells[place].strip("0. ") != ""]
        return [make_action(kind, symbol, day, _value(kind, cell)) for kind, cell in present]
    kind = reads_as_kind(cells[columns.kind])
    if kind is None:
        raise _Refused("unknown_type", f"The type, {cells[columns.kind][:40]!r}, is neither split nor dividend.")
    return [make_action(kind, symbol, day, _value(kind, cells[columns.value]))]


def _symbol(cells: list[str], columns: ActionColumns, given: str | None) -> str:
    if columns.symbol is None:
        return given or ""
    try:
        symbol = parse_symbol(cells[columns.symbol])
    except InvalidValue as error:
        raise _Refused("bad_symbol", f"The symbol, {cells[columns.symbol][:40]!r}, cannot be one.") from error
    if given is not None and symbol != given:
        raise _Refused("other_symbol", f"The row is of {symbol}, and what was asked for is {given}.")
    return symbol


def _value(kind: ActionKind, cell: str) -> Decimal:
    read = read_ratio if kind is ActionKind.SPLIT else read_amount
    value = read(cell)
    if value is None:
        form = "a ratio like 4 or 4:1" if kind is ActionKind.SPLIT else "cash per share like 0.24"
        raise _Refused("not_a_number", f"The value, {cell[:40]!r}, is not {form}.")
    if value <= 0:
        raise _Refused("not_positive", f"The value, {cell[:40]}, is not above zero.")
    return value


def _counted(reading: ActionReading, before: str) -> str:
    return (
        before + ", ".join(f"{count:,} × {reason}" for reason, count in reading.refused_by_reason.most_common()) if reading.refused else ""
    )


def _bad_rows(path: Path, reading: ActionReading) -> BadRows:
    total = reading.refused
    lines = " ".join(f"Line {row.line:,}: {row.detail}" for row in reading.bad_rows[:_SHOWN])
    more = f" … and {total - _SHOWN:,} more." if total > _SHOWN else ""
    rows_found = f"{total:,} row" if total == 1 else f"{total:,} rows"
    what = f"{rows_found} of {path.name} cannot be right ({_counted(reading, '')}); nothing was imported. {lines}{more}"
    todo = "Correct the file, or import again and skip such rows."
    return BadRows(what, todo, refused_by_reason=dict(reading.refused_by_reason), bad_rows=tuple(reading.bad_rows))
