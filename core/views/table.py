"""The base of every table view: rows in the order they came, and what changed since somebody last asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Generic

from core.views.columns import PRICE_DECIMALS, QTY_DECIMALS, Column, Row
from core.views.decimals import DecimalRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What happened to a table since the last `take_changes`.

    `reset`: everything is new. `removed`: ranges (first, last) that are still in `rows` and leave with `drop`, last range
    first. `changed`: the smallest range around rows that were replaced, in the numbering before the removal.
    Rows beyond those known before were appended.
    """

    reset: bool = False
    removed: tuple[tuple[int, int], ...] = ()
    changed: tuple[int, int] | None = None


class RowTable(Generic[Row]):
    """Rows by key. A subclass names its columns and folds its events into `put` and `remove`.

    Nothing here calls back: a reader asks with `take_changes`, as often as it likes.
    """

    columns: ClassVar[tuple[Column, ...]] = ()  # type: ignore[type-arg]  # a class variable cannot name the row type

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.decimals = DecimalRules()
        self._place: dict[str, int] = {}
        self._changed: tuple[int, int] | None = None
        self._doomed: set[int] = set()
        self._reset = False

    # --- to override ---

    def key_of(self, row: Row) -> str:
        """Return what tells a row from every other."""
        raise TypeError(f"{type(self).__name__} has rows without a key.")

    def symbol_of(self, row: Row) -> str:
        """Return the instrument whose decimals a row is written with; empty when it has none."""
        return ""

    def progress_of(self, row: Row) -> float | None:
        """Return how far what a row stands for is, from 0 to 1; None when it is not on its way."""
        return None

    def tip_of(self, column: Column[Row], row: Row) -> str | None:
        """Return what a cell says when it is pointed at, if there is more to say than is written in it."""
        return None

    def words_of(self, row: Row) -> str:
        """Return what a filter looks through, in lower case."""
        return " ".join(str(value) for column in self.columns if isinstance(value := column.value(row), str)).lower()

    def saw(self, row: Row) -> None:
        """Take note of the decimals of a row that comes in."""

    # --- what folds use ---

    def load(self, rows: Iterable[Row]) -> None:
        """Replace everything."""
        self.clear()
        self.rows = list(rows)
        for place, row in enumerate(self.rows):
            self._place[self.key_of(row)] = place
            self.saw(row)

    def clear(self) -> None:
        """Remove everything."""
        self.rows = []
        self._place = {}
        self._doomed = set()
        self._changed = None
        self._reset = True
        self.decimals.clear()

    def put(self, row: Row) -> None:
        """Append a row, or replace the one of the same key where it stands."""
        key = self.key_of(row)
        place = self._place.get(key)
        self.saw(row)
        if place is None:
            self._place[key] = len(self.rows)
            self.rows.append(row)
            return
        self.rows[place] = row
        self.touch(place, place)

    def become(self, rows: Iterable[Row]) -> None:
        """Hold these rows and no others; one that is as it was is left alone, so that only what changed is drawn."""
        wanted = {self.key_of(row): row for row in rows}
        for key in [key for key in self._place if key not in wanted]:
            self.remove(key)
        for key, row in wanted.items():
            if self.get(key) != row:
                self.put(row)

    def touch(self, first: int, last: int) -> None:
        """Mark rows as changed."""
        old = self._changed
        self._changed = (first, last) if old is None else (min(old[0], first), max(old[1], last))

    def remove(self, key: str) -> None:
        """Let a row go; it stays in `rows` until the reader drops it."""
        place = self._place.pop(key, None)
        if place is not None:
            self._doomed.add(place)

    def get(self, key: str) -> Row | None:
        """Return the row of a key."""
        place = self._place.get(key)
        return None if place is None else self.rows[place]

    def place_of(self, key: str) -> int | None:
        """Return where in `rows` the row of a key stands."""
        return self._place.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def __len__(self) -> int:
        return len(self.rows)

    # --- what a reader uses ---

    @property
    def has_changes(self) -> bool:
        """Whether `take_changes` could have something to tell; appended rows aside."""
        return self._reset or self._changed is not None or bool(self._doomed)

    def take_changes(self) -> Changes:
        """Return what changed since the last call, and forget it."""
        changes = Changes(reset=self._reset, removed=_ranges(self._doomed), changed=self._changed)
        self._reset, self._changed, self._doomed = False, None, set()
        return changes

    def drop(self, first: int, last: int) -> None:
        """Take rows that `take_changes` named as removed out of `rows`."""
        del self.rows[first : last + 1]
        gone = last - first + 1
        self._place = {key: place if place < first else place - gone for key, place in self._place.items()}

    def settle(self) -> None:
        """Carry out what is pending, for who reads `rows` without following the changes."""
        changes = self.take_changes()
        for first, last in changes.removed:
            self.drop(first, last)

    def decimals_of(self, column: Column[Row], row: Row) -> int | None:
        """Return how many decimals a cell is written with; None writes it as it is."""
        if column.decimals == PRICE_DECIMALS:
            return self.decimals.price(self.symbol_of(row))
        if column.decimals == QTY_DECIMALS:
            return self.decimals.qty(self.symbol_of(row))
        return column.decimals if isinstance(column.decimals, int) else None


def _ranges(places: set[int]) -> tuple[tuple[int, int], ...]:
    ranges: list[tuple[int, int]] = []
    for place in sorted(places, reverse=True):
        if ranges and ranges[-1][0] == place + 1:
            ranges[-1] = (place, ranges[-1][1])
        else:
            ranges.append((place, place))
    return tuple(ranges)
