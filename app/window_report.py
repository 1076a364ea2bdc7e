"""The report of a run, written for the window: as `--report` writes it, with a loop that goes on turning."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from app.report_files import ReportTarget, write_files
from ui.slices import in_slices, letting_go

if TYPE_CHECKING:
    from core.engine import Engine


async def export_report(engine: "Engine", run_id: str, path: Path) -> tuple[Path, ...]:
    """Write the report of a run where a person chose, and return the files.

    Raises what `ReportTarget` raises, what `Engine.report` raises, and DataError.
    """
    target = ReportTarget.of(path, asked="the name")
    await asyncio.to_thread(target.check)
    report = await engine.report(run_id)
    run = await engine.run(run_id)
    try:
        await asyncio.to_thread(write_files, target, run, report)
    finally:
        rows = [*report.trades, *report.fills, *report.account]
        del report
        await in_slices(letting_go(rows))
    return target.files
