"""What is wrong with a row: each reason is a stable word, each refused row gets a sentence with its figures."""

from bisect import bisect_right
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.data.times import NO_TIME
from core.model.instants import iso
from core.model.market import Floats, Instants
from core.model.price_file import BadRow

REASONS: Final = {
    "": "",
    "missing_column": "has too few cells",
    "extra_column": "has too many cells",
    "bad_time": "time cannot be read",
    "not_a_number": "a price or volume is not a number",
    "not_finite": "a price or volume is infinite",
    "negative_price": "a price is zero or negative",
    "negative_volume": "the volume is negative",
    "high_below": "the high is below another price of its row",
    "low_above": "the low is above another price of its row",
    "out_of_order": "is earlier than the row before it",
    "duplicate_time": "has the same time as the row before it",
}
"""Reason → what it means. The first reason of a row, in this order, is the one that counts; its place is its code."""

CODE: Final = {reason: code for code, reason in enumerate(REASONS)}
LISTED: Final = 1_000
"""At most this many refused rows are listed; all are counted."""


@dataclass(slots=True, kw_only=True)
class Table:
    """Rows of a file in file order, all arrays of shape (n,). `reason`: 0, or the code of what is wrong with the row.

    `time_ns`: int64, UTC. `details`: sentences of rows whose cells could not be read, by line.
    """

    lines: Instants
    time_ns: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    reason: NDArray[np.uint8]
    details: dict[int, str]

    def __len__(self) -> int:
        return len(self.lines)

    def mark(self, wrong: NDArray[np.bool_], reason: str) -> None:
        """Give `reason` to the rows that are wrong and have none yet."""
        self.reason[wrong & (self.reason == 0)] = CODE[reason]

    def reverse(self) -> None:
        """Turn the rows around."""
        for column in fields(self):
            if column.name != "details":
                setattr(self, column.name, getattr(self, column.name)[::-1].copy())


def join(tables: list[Table]) -> Table:
    """Return the rows of all tables, in order."""
    details: dict[int, str] = {}
    for table in tables:
        details.update(table.details)
    names = [column.name for column in fields(Table) if column.name != "details"]
    return Table(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names}, details=details)


def check_prices(table: Table) -> None:
    """Mark rows that contradict themselves."""
    columns = (table.open, table.high, table.low, table.close, table.volume)
    highest = np.maximum(np.maximum(table.open, table.close), table.low)
    lowest = np.minimum(np.minimum(table.open, table.close), table.high)
    with np.errstate(invalid="ignore"):  # nan marks a cell that was refused before
        table.mark(~np.logical_and.reduce([np.isfinite(column) for column in columns]), "not_finite")
        table.mark(np.minimum(lowest, table.low) <= 0, "negative_price")
        table.mark(table.volume < 0, "negative_volume")
        table.mark(table.high < highest, "high_below")
        table.mark(table.low > lowest, "low_above")


def check_order(table: Table) -> None:
    """Mark rows that are not later than the sound rows before them.

    Normally the later row in the file is refused. Where that would refuse more rows than needed (one wrong
    year makes all that follow look early), the fewest rows are refused instead.
    """
    sound = np.flatnonzero(table.reason == 0)
    times = table.time_ns[sound]
    if len(times) < 2 or (np.diff(times) > 0).all():
        return
    before = np.maximum.accumulate(times)[:-1]
    early = np.concatenate(([False], times[1:] < before))
    if early.sum() > 1:
        fewest = _fewest_early(times)
        if fewest.sum() < early.sum():
            early = fewest
    table.reason[sound[early]] = CODE["out_of_order"]
    rest = sound[~early]
    twice = np.concatenate(([False], np.diff(table.time_ns[rest]) == 0))
    table.reason[rest[twice]] = CODE["duplicate_time"]


def _fewest_early(times: Instants) -> NDArray[np.bool_]:
    """Return which rows are not part of the longest series that never goes back in time."""
    tails: list[int] = []
    tail_rows: list[int] = []
    previous = np.full(len(times), -1, np.int64)
    for row, time_ns in enumerate(times.tolist()):
        place = bisect_right(tails, time_ns)
        if place == len(tails):
            tails.append(time_ns)
            tail_rows.append(row)
        else:
            tails[place] = time_ns
            tail_rows[place] = row
        previous[row] = tail_rows[place - 1] if place else -1
    early = np.ones(len(times), np.bool_)
    row = tail_rows[-1]
    while row >= 0:
        early[row] = False
        row = int(previous[row])
    return early


def refused(table: Table) -> tuple[dict[str, int], tuple[BadRow, ...]]:
    """Return how many rows are refused by reason, most first, and the first of them with their sentences."""
    names = list(REASONS)
    counts = np.bincount(table.reason, minlength=len(names))
    by_reason = {names[code]: int(counts[code]) for code in np.argsort(-counts, kind="stable") if code and counts[code]}
    rows = np.flatnonzero(table.reason)
    rows = rows[np.argsort(table.lines[rows], kind="stable")][:LISTED]
    return by_reason, tuple(_bad_row(table, int(row), names[table.reason[row]]) for row in rows)


def _bad_row(table: Table, row: int, reason: str) -> BadRow:
    line = int(table.lines[row])
    detail = table.details.get(line)
    return BadRow(line=line, reason=reason, detail=detail or _sentence(table, row, reason))


def _sentence(table: Table, row: int, reason: str) -> str:
    prices = {name: number(float(getattr(table, name)[row])) for name in ("open", "high", "low", "close", "volume")}
    o, h, low, c = prices["open"], prices["high"], prices["low"], prices["close"]
    if reason == "high_below":
        return f"The high, {h}, is below another price of the row: open {o}, low {low}, close {c}."
    if reason == "low_above":
        return f"The low, {low}, is above another price of the row: open {o}, high {h}, close {c}."
    if reason == "negative_price":
        return f"A price is not above zero: open {o}, high {h}, low {low}, close {c}."
    if reason == "negative_volume":
        return f"The volume, {prices['volume']}, is negative."
    if reason == "not_finite":
        return f"A value is infinite: open {o}, high {h}, low {low}, close {c}, volume {prices['volume']}."
    if reason in {"out_of_order", "duplicate_time"}:
        return _order_sentence(table, row, reason)
    return f"The row {REASONS[reason]}."


def _order_sentence(table: Table, row: int, reason: str) -> str:
    time_ns = int(table.time_ns[row])
    taken = np.flatnonzero(table.reason[:row] == 0)
    if len(taken) == 0:
        return f"Its time, {iso(time_ns)}, does not fit the rows after it."
    other = int(taken[-1])
    there = f"line {int(table.lines[other])} ({iso(int(table.time_ns[other]))})"
    if reason == "duplicate_time":
        return f"Its time, {iso(time_ns)}, is there already: {there}."
    if time_ns < table.time_ns[other]:
        return f"Its time, {iso(time_ns)}, is earlier than that of {there}, which comes before it."
    return f"Its time, {iso(time_ns)}, is later than those of the rows after it."


def number(value: float) -> str:
    """Return a price or volume as a file would write it."""
    return repr(value).removesuffix(".0")


def is_descending(time_ns: Instants, twice: NDArray[np.bool_]) -> bool:
    """Tell whether the rows go back in time from first to last; inside an hour that the clocks repeat they may step forward."""
    known = time_ns != NO_TIME
    times, repeated = time_ns[known], twice[known]
    if len(times) < 2 or times[0] <= times[-1]:
        return False
    return bool((np.diff(times) <= 0)[~(repeated[1:] & repeated[:-1])].all())
