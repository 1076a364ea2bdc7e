"""Checks a whole store: its rows one by one, then every run against itself."""

import msgspec

from core.errors import WeaverError
from core.model.care import CheckReport
from core.model.findings import Findings
from core.model.result import Progress
from core.ports import OnProgress, Store
from core.runs.conservation import check_run
from core.runs.snapshot_check import check_snapshots


async def check_store(store: Store, on_progress: OnProgress) -> CheckReport:
    """Return what is not as it must be. Runs that go on are counted and left out."""
    report = await store.care.check(on_progress)
    try:
        runs = await store.runs.runs()
    except (WeaverError, msgspec.MsgspecError, ValueError):
        return report  # a run that cannot be read is among the findings already
    going_on = {run.id for run in runs if not run.status.is_final and run.owner is not None and store.is_alive(run.owner)}
    found = Findings()
    for done, run in enumerate(runs):
        on_progress(Progress(done=done, total=len(runs), what="Checking runs"))
        if run.id not in going_on:
            await check_run(run, store, found)
    await check_snapshots(runs, store, found)
    counts = {**report.counts, **found.counts, "runs": len(runs), "runs_going_on": len(going_on)}
    return CheckReport(findings=(*report.findings, *found.report().findings), counts=counts)
