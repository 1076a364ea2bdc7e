"""Checks accounts' snapshots: what each says of a run is what its rows and events come to, up to where it goes."""

from collections.abc import Sequence
from typing import Final

from core.model.account_snapshot import RunEnd
from core.model.findings import Findings
from core.model.run import Run
from core.ports import RunTail, Store
from core.trading.account_past import sums_of, version_of
from core.trading.run_past import PAST_TYPES, RunPast, RunSum

_NEVER_NS: Final = 2**63 - 1
"""No order is so near: only those that work are kept."""
_VERSIONS: Final = {version_of(coin_fees=False), version_of(coin_fees=True)}


async def check_snapshots(runs: Sequence[Run], store: Store, found: Findings) -> None:
    """Add what is not as it must be. A snapshot of another version is none: it is made anew."""
    by_id = {run.id: run for run in runs}
    for snapshot in await store.runs.account_snapshots():
        if snapshot.version not in _VERSIONS:
            continue
        found.count("snapshots")
        try:
            sums = sums_of(snapshot)
        except ValueError as error:
            found.add("snapshots", f"The snapshot of account {snapshot.account} is damaged: {error} It is made anew when that is opened.")
            continue
        for run_id, left in sums.items():
            if run_id in by_id and (words := await _differs(by_id[run_id], snapshot.account, left, store)):
                found.add("snapshots", f"The snapshot of account {snapshot.account} says of run {run_id} {words}")


async def _differs(run: Run, account: str, left: RunSum, store: Store) -> str:
    """Return in words what a snapshot says otherwise of a run; empty: nothing."""
    past = RunPast(run, account)
    past.take(_until(await store.runs.run_tail(run.id, RunEnd(), also=(), types=PAST_TYPES), left.end))
    plain = past.sum(())
    if plain is None or plain.book != left.book:
        return "other money or positions than its fills come to."
    forgotten = sorted(past.kept(_NEVER_NS).keys() - set(left.kept)) if past.has_orders else []
    return f"that these orders are over, and they are not: {', '.join(forgotten)}." if forgotten else ""


def _until(tail: RunTail, end: RunEnd) -> RunTail:
    """Return a run as it was at an end; of its orders the state is that of now."""
    return RunTail(
        [one for one in tail.orders if one[0] <= end.orders],
        [one for one in tail.fills if one[0] <= end.fills],
        [event for event in tail.events if event.seq <= end.events],
        end,
    )
