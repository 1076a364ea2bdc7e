"""What each column of a file means: by its header, or by arithmetic on the rows where there is none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from core.errors import InvalidValue, UnknownName
from core.model.market import Floats
from core.model.price_file import BAR_COLUMNS, DATE_COLUMN, NOT_READ

MEANINGS: Final = (*BAR_COLUMNS, DATE_COLUMN, NOT_READ)
PRICES: Final = ("open", "high", "low", "close")

_DATETIMES: Final = (
    "datetime",
    "timestamp",
    "datetimeutc",
    "timestamputc",
    "unix",
    "unixtime",
    "unixtimestamp",
    "opentime",
    "starttime",
    "epoch",
    "ts",
    "dt",
)
_NAMES: Final = {
    "open": ("open", "o", "openprice", "first"),
    "high": ("high", "h", "highprice", "max"),
    "low": ("low", "l", "lowprice", "min"),
    "close": ("close", "c", "closeprice", "last", "closelast", "price"),
    "volume": ("volume", "vol", "v", "basevolume", "tickvolume", "tickvol"),
}
_ADJUSTED: Final = ("adjclose", "adjustedclose", "closeadj", "adjcloseprice")
_DATES: Final = ("date", "day", "tradingday", "tradedate", "gmtdate", "localdate")
_CLOCKS: Final = ("time", "timeofday", "hour", "gmttime", "localtime", "clock")


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """The meaning of each column, with the sentences that say why and those to look at again."""

    columns: tuple[str, ...]
    said: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def has(self, *meanings: str) -> bool:
        """Tell whether all of `meanings` were found."""
        return set(meanings) <= set(self.columns)


def check_columns(columns: Sequence[str]) -> None:
    """Raise UnknownName for a meaning that does not exist, InvalidValue for one that is missing or named twice."""
    for meaning in columns:
        if meaning not in MEANINGS:
            raise UnknownName("column meaning", meaning, MEANINGS, f"Known: {', '.join(MEANINGS)}.")
    for meaning in MEANINGS[:-1]:
        if list(columns).count(meaning) > 1:
            raise InvalidValue("columns", ",".join(columns), f"{meaning} is named twice.")
    missing = [meaning for meaning in ("time", *PRICES) if meaning not in columns]
    if missing == ["time"] and DATE_COLUMN in columns:
        missing = []
    if missing:
        raise InvalidValue("columns", ",".join(columns) or "empty", f"a column for {' and '.join(missing)} is needed.")


def plain_name(header: str) -> str:
    """Return a header as compared here: `<Adj_Close>`, `adj close` and `AdjClose` are the same; `1. open` is `open`."""
    return re.sub(r"^\d+", "", re.sub(r"[^a-z0-9]", "", header.casefold()))


def by_name(headers: Sequence[str], times_of_day: Sequence[bool]) -> ColumnGuess:
    """Return what the header cells tell. `times_of_day`: whether a column's cells are times without a date."""
    names = [plain_name(header) for header in headers]
    columns = [NOT_READ] * len(names)
    said: list[str] = []
    doubts: list[str] = []
    for meaning, aliases in _NAMES.items():
        found = next((names.index(alias) for alias in aliases if alias in names), None)
        if found is None and meaning == "volume":
            found = next((index for index, name in enumerate(names) if name.startswith("volume")), None)
        if found is not None:
            columns[found] = meaning
    adjusted = next((index for index, name in enumerate(names) if name in _ADJUSTED), None)
    if adjusted is not None and "close" in columns:
        close = headers[columns.index("close")]
        said.append(f"There are two closes: {close!r} was taken; {headers[adjusted]!r}, which also takes dividends out, is not read.")
        doubts.append(f"{close!r} next to {headers[adjusted]!r} is usually adjusted for splits: then choose the adjustment split.")
    elif adjusted is not None:
        columns[adjusted] = "close"
        said.append(f"The only close is {headers[adjusted]!r}: it was taken.")
        doubts.append(f"{headers[adjusted]!r} is adjusted for dividends and the other prices may not be.")
    _place_time(names, headers, times_of_day, columns, said)
    if "volume" not in columns:
        said.append("There is no volume: it is stored as 0.")
    return ColumnGuess(tuple(columns), tuple(said), tuple(doubts))


def _place_time(names: Sequence[str], headers: Sequence[str], times_of_day: Sequence[bool], columns: list[str], said: list[str]) -> None:
    date = next((names.index(alias) for alias in _DATES if alias in names), None)
    clock = next((index for index, name in enumerate(names) if name in _CLOCKS and columns[index] == NOT_READ), None)
    whole = next((names.index(alias) for alias in _DATETIMES if alias in names), None)
    if date is not None and clock is not None and times_of_day[clock]:
        columns[date], columns[clock] = DATE_COLUMN, "time"
        said.append(f"{headers[date]!r} and {headers[clock]!r} were joined to one time.")
        return
    for candidate in (whole, clock, date, 0 if names and not names[0] else None):
        if candidate is not None and not times_of_day[candidate]:
            columns[candidate] = "time"
            if not names[candidate]:
                said.append("The first column has no name: it holds the times.")
            return


def by_arithmetic(cells: Floats, time_columns: Sequence[str]) -> ColumnGuess:
    """Return what the numbers tell. `cells`: float64, shape (rows, columns), nan where there is no number.

    `time_columns`: what is known already (`time`, `date`, or `-`). Of the rest, the four columns that lie closest
    together are prices; among them the highest is the high and the lowest the low; the close is the one from which
    the next row's open follows. The column left over is the volume.
    """
    columns = list(time_columns)
    rest = [index for index, meaning in enumerate(columns) if meaning == NOT_READ and np.isfinite(cells[:, index]).mean() > 0.9]
    best: tuple[float, tuple[int, ...]] | None = None
    for four in combinations(rest, 4):
        spread = _spread(cells[:, four])
        if spread is not None and (best is None or spread < best[0] - 1e-12):
            best = (spread, four)
    if best is None:
        return ColumnGuess(tuple(columns), (), ("The columns could not be told from the numbers: name them.",))
    prices = cells[:, best[1]]
    prices = prices[np.isfinite(prices).all(axis=1)]
    means = prices.mean(axis=0)
    order = np.argsort(means, kind="stable")
    low, high = int(order[0]), int(order[-1])
    first, second = sorted(int(index) for index in order[1:-1])
    forward = float(np.abs(prices[1:, first] - prices[:-1, second]).sum())
    backward = float(np.abs(prices[1:, second] - prices[:-1, first]).sum())
    opening, closing = (first, second) if forward <= backward else (second, first)
    for place, meaning in ((opening, "open"), (closing, "close"), (high, "high"), (low, "low")):
        columns[best[1][place]] = meaning
    doubts = []
    if forward == backward:
        doubts.append("Open and close could not be told apart: the first of them was taken as the open.")
    left = [index for index in rest if index not in best[1]]
    if left:
        columns[left[0]] = "volume"
    if len(left) > 1:
        doubts.append(f"{len(left)} columns are no prices: the first of them was taken as the volume.")
    names = ", ".join(meaning for meaning in columns if meaning != NOT_READ)
    said = [f"There is no header; the numbers tell the columns: {names}."]
    if not left:
        said.append("There is no volume: it is stored as 0.")
    return ColumnGuess(tuple(columns), tuple(said), tuple(doubts))


def _spread(prices: Floats) -> float | None:
    """Return how far apart the four columns lie, relative to the price; None when they cannot be one bar's prices."""
    prices = prices[np.isfinite(prices).all(axis=1)]
    if len(prices) == 0 or (prices > 0).all(axis=1).mean() < 0.9:
        return None
    order = np.argsort(prices.mean(axis=0), kind="stable")
    high, low = prices[:, order[-1]], prices[:, order[0]]
    orderly = (high >= prices.max(axis=1)) & (low <= prices.min(axis=1))
    if orderly.mean() < 0.9:
        return None
    sound = low > 0
    return float(((high - low)[sound] / low[sound]).mean())
