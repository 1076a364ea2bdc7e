"""Owns the tasks of all runs: one TaskGroup that lives from `open` to `close`."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Supervisor:
    """A TaskGroup that several callers may start tasks in. Its tasks must handle their own errors."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Start `work` as a task of the group."""
        if self._group is None:
            ready = asyncio.Event()
            self._closing = asyncio.Event()
            # The group must be entered and left by one task, whoever opens and closes the engine: this is that task.
            self._keeper = asyncio.get_running_loop().create_task(self._keep(ready), name="run-supervisor")
            await ready.wait()
        if self._group is None:
            raise RuntimeError("the supervisor is closed")
        return self._group.create_task(work, name=name)

    async def close(self) -> None:
        """Wait for the group's tasks, which the caller has asked to end."""
        self._closing.set()
        if self._keeper is not None:
            await self._keeper
            self._keeper = None

    async def _keep(self, ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                ready.set()
                await self._closing.wait()
        finally:
            self._group = None
