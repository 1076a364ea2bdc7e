"""Merging into what is stored: what is new, what is the same, what replaces something else."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.errors import BugError
from core.model.corporate_action import ActionIdentity, ActionMerge, CorporateAction, identity_of, value_of
from core.model.market import BarSeries, BarSetKey, Floats, MergeReport

CHANGED_EXAMPLES = 20
_HELD_MANY = 2


def check_mergeable(key: BarSetKey, bars: BarSeries) -> None:
    """Raise BugError unless `bars` belong to `key` and their starts strictly increase."""
    if bars.symbol != key.symbol or str(bars.timeframe) != key.timeframe:
        raise BugError(f"Bars of {bars.symbol} {bars.timeframe} cannot be merged into {key.symbol} {key.timeframe}.")
    if len(bars) >= _HELD_MANY and not bool((np.diff(bars.start_ns) > 0).all()):
        raise BugError(f"Bars of {bars.symbol} {bars.timeframe} cannot be merged: their starts do not strictly increase.")


def merge_bars(held: BarSeries, bars: BarSeries) -> tuple[BarSeries, MergeReport]:
    """Return `held` with `bars` laid over it, and what that did. Bars are the same when every bit of every column is.

    Returns `held` itself when nothing changed.
    """
    if not len(held):
        return bars, MergeReport(added=len(bars))
    place = np.searchsorted(held.start_ns, bars.start_ns)
    inside = place < len(held)
    met = np.zeros(len(bars), bool)
    met[inside] = held.start_ns[place[inside]] == bars.start_ns[inside]
    differs = np.zeros(len(bars), bool)
    for old, new in zip(held.columns(), bars.columns(), strict=True):
        differs[met] |= _bits(old)[place[met]] != _bits(new)[met]
    changed, added = int(differs.sum()), int((~met).sum())
    report = MergeReport(
        added=added,
        identical=len(bars) - added - changed,
        changed=changed,
        changed_examples=tuple(int(start) for start in bars.start_ns[differs][:CHANGED_EXAMPLES]),
    )
    if not added and not changed:
        return held, report

    def lay_over(old: Floats, new: Floats) -> Floats:
        patched = old.copy()
        patched[place[differs]] = new[differs]
        return np.insert(patched, place[~met], new[~met]) if added else patched

    return _columnwise(held, bars, lay_over, np.insert(held.start_ns, place[~met], bars.start_ns[~met]) if added else held.start_ns), report


def joined(parts: list[BarSeries]) -> BarSeries:
    """Return consecutive series as one."""
    first = parts[0]
    columns = [np.concatenate(columns) for columns in zip(*(part.columns() for part in parts), strict=True)]
    return BarSeries.from_columns(first.symbol, first.timeframe, np.concatenate([part.start_ns for part in parts]), *columns)


def add_reports(first: MergeReport, second: MergeReport) -> MergeReport:
    """Return the report of two merges, one after the other in time."""
    return MergeReport(
        added=first.added + second.added,
        identical=first.identical + second.identical,
        changed=first.changed + second.changed,
        changed_examples=(first.changed_examples + second.changed_examples)[:CHANGED_EXAMPLES],
    )


def _columnwise(held: BarSeries, bars: BarSeries, lay_over: Callable[[Floats, Floats], Floats], start_ns: np.ndarray) -> BarSeries:
    columns = [lay_over(old, new) for old, new in zip(held.columns(), bars.columns(), strict=True)]
    return BarSeries.from_columns(held.symbol, held.timeframe, start_ns, *columns)


def _bits(column: Floats) -> np.ndarray:
    return column.view(np.int64)


def merge_actions(
    held: Mapping[ActionIdentity, CorporateAction], actions: Sequence[CorporateAction]
) -> tuple[dict[ActionIdentity, CorporateAction], ActionMerge]:
    """Return which of `actions` have to be written, and what that does. Raises BugError when one identity comes twice.

    Values are compared as numbers: what is stored as 4 is the same as 4.0 and stays.
    """
    by_identity = {identity_of(action): action for action in actions}
    if len(by_identity) != len(actions):
        raise BugError("Two actions of one symbol, day and kind cannot be stored together.")
    added = {key: action for key, action in by_identity.items() if key not in held}
    changed = {key: action for key, action in by_identity.items() if key in held and value_of(held[key]) != value_of(action)}
    report = ActionMerge(added=len(added), changed=len(changed), identical=len(actions) - len(added) - len(changed))
    return added | changed, report
