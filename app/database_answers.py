"""What the settings dialog asks of a database, answered in a sentence."""

import asyncio
from typing import TYPE_CHECKING

from app.copying import copied_words, copy_everything

if TYPE_CHECKING:
    from core.engine import Engine
    from core.ports import OnProgress


async def look_at_database(url: str, _on_progress: "OnProgress") -> str:
    """Return what is at a database's address; nothing is changed. Raises InputError, StoreError."""
    from core.store.inspection import inspect_database

    return (await asyncio.to_thread(inspect_database, url)).sentence


async def prepare_database(url: str, _on_progress: "OnProgress") -> str:
    """Create the tables of a database or bring them to this version, and say so. Raises InputError, StoreError."""
    from core.store.inspection import prepare_database

    return (await asyncio.to_thread(prepare_database, url)).sentence


async def copy_to_database(engine: "Engine", url: str, on_progress: "OnProgress") -> str:
    """Copy everything of this desk to the database at `url`, and say how much it was. Raises RunError, InputError, StoreError."""
    copied = await copy_everything(engine, url, on_progress)
    return f"{copied_words(copied)} are copied. What is here stays as it is; save the address and start again to work there."
