"""What a test waits for at a desk whose runs go on."""

import asyncio
from typing import Any

from core.model.run import Run
from core.ports import Store
from core.runs.manager import RunManager


class Waiting:
    """Waits for runs and for what is told of them."""

    store: Store
    runs: RunManager

    async def over(self, run: Run) -> Run:
        async with asyncio.timeout(60):
            return await self.runs.wait(run.id)

    async def until(self, wire: str, count: int = 1) -> list[Any]:
        """Return the payloads of so many events once they are there."""
        told = asyncio.Event()
        with self.store.log.subscribe(wire, lambda _: told.set(), owner="test"):
            while True:
                told.clear()  # before: what is told while the log is read counts
                found = await self.store.log.read(pattern=wire, limit=10_000)
                if len(found) >= count:
                    return [event.payload for event in found]
                async with asyncio.timeout(60):
                    await told.wait()
