"""What the columns of a file of splits and dividends mean: by their header, or by what stands in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.data.action_cells import reads_as_date, reads_as_kind
from core.data.columns import plain_name
from core.errors import UnreadableFile
from core.model.corporate_action import ActionKind

_NAMES: Final = {
    "symbol": ("symbol", "ticker", "sym", "instrument", "stock"),
    "date": ("exdate", "exdividenddate", "effectivedate", "executiondate", "date", "day", "exday"),
    "type": ("type", "action", "kind", "event", "actiontype", "corporateaction"),
    "value": ("value", "ratio", "factor", "amount", "cashamount", "pershare", "cash", "rate"),
}
_OF_KIND: Final = {
    ActionKind.SPLIT: ("split", "splits", "stocksplits", "stocksplit", "splitratio", "splitfactor", "ratio", "factor"),
    ActionKind.DIVIDEND: ("dividend", "dividends", "dividendamount", "dividendpershare", "cashamount", "amount", "pershare"),
}
_TODO: Final = "Name the columns symbol, date, type and value in its first row; the symbol may be given beside the file."


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionColumns:
    """Where in a row things stand. Either `kind` and `value` are there, or `value_of` has a column for each kind of action."""

    date: int
    symbol: int | None = None
    kind: int | None = None
    value: int | None = None
    value_of: tuple[tuple[ActionKind, int], ...] = ()
    has_header: bool = True
    width: int
    said: tuple[str, ...] = ()


def find_columns(first: Sequence[str], name: str, *, symbol_given: bool) -> ActionColumns:
    """Return the columns of the file called `name`, whose first row is `first`. Raises UnreadableFile for what cannot be one."""
    headless = any(reads_as_date(cell) for cell in first)
    found = _by_cells(first, symbol_given=symbol_given) if headless else _by_header(first)
    if found is None:
        raise UnreadableFile(f"{name} does not look like splits and dividends: its first row is {', '.join(first)[:80]!r}.", _TODO)
    if found.symbol is None and not symbol_given:
        raise UnreadableFile(f"{name} does not name the symbols of its actions.", "Say the symbol, or add a column named symbol.")
    return found


def _by_header(cells: Sequence[str]) -> ActionColumns | None:
    names = [plain_name(cell) for cell in cells]
    places = {meaning: _first(names, aliases) for meaning, aliases in _NAMES.items()}
    date, symbol, kind, value = places["date"], places["symbol"], places["type"], places["value"]
    if date is None:
        # A table that was written with its dates as the index has no name above them.
        date = 0 if names and not names[0] else None
    if date is None:
        return None
    if kind is not None and value is not None:
        return ActionColumns(date=date, symbol=symbol, kind=kind, value=value, width=len(cells))
    of_kind = [(action_kind, _first(names, aliases)) for action_kind, aliases in _OF_KIND.items()]
    value_of = tuple((action_kind, place) for action_kind, place in of_kind if place is not None)
    if not value_of:
        return None
    said = tuple(f"{cells[place]!r} holds {action_kind}s." for action_kind, place in value_of)
    return ActionColumns(date=date, symbol=symbol, value_of=value_of, width=len(cells), said=said)


def _by_cells(cells: Sequence[str], *, symbol_given: bool) -> ActionColumns | None:
    """Read a file without a header: symbol, date, type and value in any order, each told by what it looks like."""
    date = next(index for index, cell in enumerate(cells) if reads_as_date(cell))
    kind = next((index for index, cell in enumerate(cells) if reads_as_kind(cell) is not None), None)
    rest = [index for index in range(len(cells)) if index not in {date, kind}]
    value = next((index for index in reversed(rest) if re.search(r"\d", cells[index])), None)
    if kind is None or value is None:
        return None
    left = [index for index in rest if index != value]
    symbol = None if symbol_given and not left else next(iter(left), None)
    order = {date: "date", kind: "type", value: "value"} | ({symbol: "symbol"} if symbol is not None else {})
    said = f"There is no header; the cells tell the columns: {', '.join(order[index] for index in sorted(order))}."
    return ActionColumns(date=date, symbol=symbol, kind=kind, value=value, has_header=False, width=len(cells), said=(said,))


def _first(names: Sequence[str], aliases: Sequence[str]) -> int | None:
    return next((names.index(alias) for alias in aliases if alias in names), None)
