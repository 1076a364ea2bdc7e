"""The tasks of an account's desk: they outlive whoever asked for them, and none of them outlives the desk."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from core.errors import BrokerError, BugError, KnownError

_log = logging.getLogger(__name__)

OnBug = Callable[[BaseException, str], None]


class DeskTasks:
    """Of one desk, of the account `key`. `wake`: asks for a comparison, where a task did not come to its end.

    `on_failure`: told that the desk cannot go on, before `open` raises why.
    """

    def __init__(self, key: str, wake: Callable[[], None], on_failure: Callable[[BaseException], None], on_bug: OnBug) -> None:
        self._key = key
        self._wake = wake
        self._on_failure = on_failure
        self._on_bug = on_bug
        self._group: asyncio.TaskGroup | None = None
        self._failed: BaseException | None = None
        self._spawned: set[asyncio.Task[Any]] = set()

    @property
    def are_open(self) -> bool:
        """Whether tasks can be started."""
        return self._group is not None

    @asynccontextmanager
    async def open(self, own: Iterable[tuple[str, Coroutine[Any, Any, None]]]) -> AsyncGenerator[None]:
        """Let tasks run for the length of the block: `own`, by their names, from its beginning. Its end ends all of them.

        Raises what one of `own` raised, in the middle of the block too.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                started = [group.create_task(work, name=name) for name, work in own]
                try:
                    yield
                finally:
                    self._group = None
                    for task in [*started, *self._spawned]:
                        task.cancel()
        except BaseExceptionGroup as errors:
            self._failed = errors.exceptions[0]
            self._on_failure(self._failed)
            raise self._failed from None

    def spawn(self, work: Coroutine[Any, Any, None], name: str, afterwards: Callable[[], None] | None = None) -> None:
        """Start a task of the desk's own, which outlives whoever asked for it."""
        if self._group is None:
            work.close()
            return  # the desk closes: what is committed and not sent is found at the next start
        task = self._group.create_task(self._guarded(work, name), name=name)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(lambda _: work.close())  # one that is cancelled before it begins never gets to its work
        if afterwards is not None:
            task.add_done_callback(lambda _: afterwards())

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except KnownError as error:
            _log.warning("%s: %s", name, error)
            self._wake()
        except Exception as error:
            self._on_bug(error, name)
            self._wake()

    async def outlast(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it to its end, also where whoever asked for it is cancelled; raise what it raised."""
        if self._group is None:
            work.close()
            raise self._failed or BugError("The desk is closed.")
        task = self._group.create_task(_kept(work), name="place")
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(lambda _: work.close())
        await asyncio.wait({task})  # a cancel of whoever waits takes nothing back
        if task.cancelled():
            raise self._failed or BrokerError(f"The desk at {self._key} was closed before the order left.", "Nothing was sent.")
        if (error := task.result()) is not None:
            raise error


async def _kept(work: Coroutine[Any, Any, None]) -> Exception | None:
    """Do it; return what it raised, which is its caller's to know and ends nothing else."""
    try:
        await work
    except Exception as error:
        return error
    return None
