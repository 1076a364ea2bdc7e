"""Which row of a view stands where on the screen: sorted, filtered, without Qt. Made for 100,000 rows."""

from collections.abc import Iterator
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from core.views.columns import Column, Kind, Row
from core.views.table import RowTable

Places = NDArray[np.int64]

_SLICE = 2_000


class RowOrder(Generic[Row]):
    """Places of a view's rows in display order.

    `known` rows of the view are published; what was appended since is not. In the natural order (that in which rows came,
    or its reverse) without a filter there is no list of places at all, so a row that comes in costs nothing.
    """

    def __init__(self, table: RowTable[Row]) -> None:
        self._table = table
        self.known = len(table.rows)
        self.newest_first = True
        self.sort_column: Column[Row] | None = None
        self.words: tuple[str, ...] = ()
        self._places: Places | None = None
        self._keys: list[Any] = []

    def __len__(self) -> int:
        return self.known if self._places is None else len(self._places)

    @property
    def is_natural(self) -> bool:
        """Whether rows stand as they came, or in reverse."""
        return self.sort_column is None

    def place(self, display: int) -> int:
        """Return where in the view the row at `display` stands; −1 when it is not there any more."""
        if self._places is not None:
            return int(self._places[display]) if display < len(self._places) else -1
        return self.known - 1 - display if self.newest_first else display

    def display(self, place: int) -> int | None:
        """Return where on the screen a row of the view stands, or None when a filter hides it."""
        if place >= self.known:
            return None
        if self._places is None:
            return self.known - 1 - place if self.newest_first else place
        found = np.flatnonzero(self._places == place)
        return int(found[0]) if len(found) else None

    def all_places(self) -> Places:
        """Return the places in display order, as a copy."""
        if self._places is not None:
            return self._places.copy()
        places = np.arange(self.known, dtype=np.int64)
        return places[::-1].copy() if self.newest_first else places

    # --- changes ---

    def reset(self) -> None:
        """Start anew with all rows of the view."""
        self.known = len(self._table.rows)
        self._keys = []
        self._places = None
        if self.words or self.sort_column is not None:
            self._places = self.sorted_places(self._matching(range(self.known)))

    def appended(self) -> Places:
        """Return the places of rows that came since and pass the filter; `publish` makes them known."""
        return self._matching(range(self.known, len(self._table.rows)))

    @property
    def insert_at(self) -> int:
        """Return where on the screen new rows go in: at the top when the newest stand first, else at the end."""
        return 0 if self.newest_first and self.is_natural else len(self)

    def publish(self, places: Places) -> None:
        """Make everything in the view known; of it, `places` (from `appended`) are shown."""
        if self._places is not None:
            shown = places[::-1] if self.newest_first and self.is_natural else places
            parts = (shown, self._places) if self.insert_at == 0 and self.is_natural else (self._places, shown)
            self._places = np.concatenate(parts)
        self.known = len(self._table.rows)

    def removed(self, first: int, last: int) -> None:
        """Take note that the view dropped rows `first` to `last`."""
        gone = last - first + 1
        self.known -= gone
        del self._keys[first : last + 1]
        if self._places is not None:
            kept = self._places[(self._places < first) | (self._places > last)]
            self._places = np.where(kept > last, kept - gone, kept)

    def displays_between(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the display ranges of the view's rows `first` to `last`, last range first."""
        last = min(last, self.known - 1)
        if last < first:
            return []
        if self._places is None:
            return [(self.known - 1 - last, self.known - 1 - first)] if self.newest_first else [(first, last)]
        found = np.flatnonzero((self._places >= first) & (self._places <= last))
        if not len(found):
            return []
        cuts = np.flatnonzero(np.diff(found) > 1)
        starts = np.concatenate(([0], cuts + 1))
        ends = np.concatenate((cuts, [len(found) - 1]))
        return [(int(found[start]), int(found[end])) for start, end in zip(starts[::-1], ends[::-1], strict=True)]

    def touched(self, first: int, last: int) -> None:
        """Take note that rows were replaced: their sort keys are read anew."""
        if self.sort_column is None:
            return
        value, as_text = self.sort_column.value, bool(self._keys) and isinstance(self._keys[0], str)
        for place in range(first, min(last + 1, len(self._keys))):
            key = value(self._table.rows[place])
            self._keys[place] = _text(key) if as_text else _number(key)

    # --- sorting ---

    def sort_by(self, column: Column[Row] | None, *, newest_first: bool) -> None:
        """Choose the order; None is the natural one. `newest_first` turns any order round.

        `use` puts it to work: until then the rows stand as they stood.
        """
        if self._places is None and self.known:
            self._places = self.all_places()
        if column is not self.sort_column:
            self._keys = []
        self.sort_column, self.newest_first = column, newest_first

    def use(self, places: Places | None) -> None:
        """Show these places in this order; None shows all in the natural order."""
        self._places = places

    def sorted_places(self, places: Places) -> Places | None:
        """Return `places` (ascending) in the chosen order, ties as they came; None when that is all rows in the natural order."""
        for _ in self.reading_keys():
            pass
        return self.ranked(places)

    def reading_keys(self) -> Iterator[None]:
        """Read the sort keys that are not read yet, a slice of rows at a time; `ranked` needs them."""
        column = self.sort_column
        if column is None:
            return
        value = column.value
        as_number = column.kind.is_numeric or column.kind is Kind.TIME
        while len(self._keys) < self.known:
            begin = len(self._keys)
            values = [value(row) for row in self._table.rows[begin : min(begin + _SLICE, self.known)]]
            self._keys.extend(_number(key) if as_number else _text(key) for key in values)
            yield

    def ranked(self, places: Places) -> Places | None:
        """Return `places` (ascending) in the chosen order once its keys are read. Touches nothing of Qt: may run in a thread."""
        if self.sort_column is None:
            if not self.words and len(places) == self.known:
                return None
            return places[::-1].copy() if self.newest_first else places
        keys = np.array(self._keys)[places]
        if keys.dtype.kind == "U":
            ranks = np.unique(keys, return_inverse=True)[1].astype(np.float64)
            ranks[keys == ""] = np.nan  # what is missing comes last in either direction
        else:
            ranks = keys
        return places[np.argsort(-ranks if self.newest_first else ranks, kind="stable")]

    # --- filtering ---

    def _passes(self, row: Row) -> bool:
        text = self._table.words_of(row)
        return all(word in text for word in self.words)

    def _matching(self, places: range) -> Places:
        if not self.words:
            return np.arange(places.start, places.stop, dtype=np.int64)
        rows = self._table.rows
        return np.array([place for place in places if self._passes(rows[place])], dtype=np.int64)

    def matching_in_slices(self) -> Iterator[Places]:
        """Yield the places that pass the filter, a slice of rows at a time, so that a caller can pause between."""
        for first in range(0, self.known, _SLICE):
            yield self._matching(range(first, min(first + _SLICE, self.known)))


def _number(key: Any) -> float:
    return float("nan") if key is None else float(key)


def _text(key: Any) -> str:
    return "" if key is None else str(key).casefold()
