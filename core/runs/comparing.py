"""Runs side by side: settings that differ, statistics, and the first fills that are not the same."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

import msgspec

from core.errors import InputError
from core.model.instants import iso
from core.model.money import plain
from core.model.order import Fill
from core.model.run import Run
from core.model.verification import FillDifference, RunComparison, Side
from core.ports import Store
from core.runs.manager import RunManager

_SHOWN: Final = 5
_COMPARED: Final = ("symbol", "side", "qty", "price", "fee", "slippage", "time_ns", "path_dependent", "reason")


async def compare_runs(run_ids: Sequence[str], *, runs: RunManager, store: Store) -> RunComparison:
    """Compare two runs or more. Raises InputError for fewer, or for one named twice."""
    found = [await runs.get(run_id) for run_id in run_ids]
    if len(found) < 2:
        raise InputError("One run has nothing to be compared with.", "Name two or more.")
    if len({run.id for run in found}) < len(found):
        raise InputError("A run is named twice.", "Name each once.")
    fills = [await store.runs.fills(run.id) for run in found]
    results = [await store.runs.result(run.id) for run in found]
    stats = [{} if result is None else result.stats for result in results]
    keys = dict.fromkeys(key for own in stats for key in own)
    same, differences = _differing(fills)
    return RunComparison(
        run_ids=tuple(run.id for run in found),
        settings=tuple(_settings(found)),
        statistics=tuple(Side(name=key, values=tuple(own.get(key) for own in stats)) for key in keys),
        fills=tuple(len(own) for own in fills),
        same_fills=same,
        fill_differences=tuple(differences),
    )


def _settings(runs: Sequence[Run]) -> list[Side]:
    """Return what the runs were told, and made from, where that differs."""
    told = [_flat(run) for run in runs]
    names = dict.fromkeys(name for own in told for name in own)
    sides = (Side(name=name, values=tuple(own.get(name) for own in told)) for name in names)
    return [side for side in sides if len(set(side.values)) > 1]


def _flat(run: Run) -> dict[str, str]:
    fields: dict[str, object] = {"status": run.status}
    for name in run.config.__struct_fields__:
        value = getattr(run.config, name)
        if name == "params":
            fields |= {f"param {key}": item for key, item in value.items()}
        elif name == "account":
            fields |= {f"account {key}": getattr(value, key) for key in value.__struct_fields__}
        elif name == "symbols":
            fields[name] = ", ".join(value)
        elif name in {"start_ns", "end_ns"}:
            fields[name.removesuffix("_ns")] = "all there is" if value is None else iso(value)
        else:
            fields[name] = value
    if run.manifest is not None:
        fields |= {f"manifest {key}": value for key, value in msgspec.structs.asdict(run.manifest).items() if key != "seed"}
    return {name: str(value) for name, value in fields.items()}


def _differing(fills: Sequence[Sequence[Fill]]) -> tuple[int, list[FillDifference]]:
    """Return how many fills are the same from the first on, and the first that are not."""
    same, found = 0, list[FillDifference]()
    for number, row in enumerate(zip_longest(*fills), 1):
        if len({None if fill is None else tuple(getattr(fill, name) for name in _COMPARED) for fill in row}) == 1:
            same += not found
            continue
        found.append(FillDifference(number=number, values=tuple(None if fill is None else _words(fill) for fill in row)))
        if len(found) == _SHOWN:
            break
    return same, found


def _words(fill: Fill) -> str:
    reason = f" ({fill.reason})" if fill.reason else ""
    return f"{iso(fill.time_ns)} {fill.side} {plain(fill.qty)} {fill.symbol} at {plain(fill.price)}, fee {plain(fill.fee)}{reason}"
