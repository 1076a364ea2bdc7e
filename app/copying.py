"""Everything of one database into another that is empty: from a machine's own file to a server, or back."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from app.compose import compose_store
from app.config import MEMORY
from core.errors import InputError, RunError
from core.model.care import Transfer
from core.model.run import RunStatus

if TYPE_CHECKING:
    from core.engine import Engine
    from core.ports import OnProgress


async def copy_everything(engine: "Engine", url: str, on_progress: "OnProgress") -> Transfer:
    """Copy all that the engine's database holds to the one at `url`, all of it or nothing; the engine's own stays as it is.

    Raises RunError while a run goes on, InputError, StoreError; where something is stored there already too.
    """
    going = [run.id for run in await engine.runs() if run.status is RunStatus.RUNNING]
    if going:
        raise RunError(f"Run {going[0]} goes on, and would be copied half done.", "Stop it, or wait for its end.")
    target = compose_store(url)
    if target.where == MEMORY:
        raise InputError("A database in memory ends with the program.", "Name a file, or a server: postgresql://HOST/NAME.")
    folder = await asyncio.to_thread(TemporaryDirectory, prefix="weaver-copy-")
    try:
        path = Path(folder.name) / "everything.weaver"
        await engine.export_everything(path, on_progress)
        await target.open()
        try:
            return await target.care.import_from(path, on_progress)
        finally:
            await target.close()
    finally:
        await asyncio.to_thread(folder.cleanup)


def copied_words(transfer: Transfer) -> str:
    """Return how much was copied, in words."""
    named = {"outbox": "events", "runs": "runs", "orders": "orders", "fills": "fills", "bar_sets": "bar sets"}
    return ", ".join(f"{transfer.rows.get(kept, 0):,} {name}" for kept, name in named.items())
