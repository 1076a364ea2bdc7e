"""Owners of the window's tasks. A task started here has an owner, a name, and one place where its error goes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from core.errors import BugError

ErrorHandler = Callable[[Exception, str], None]
"""Takes the error and what was being done (`importing spy.csv`): shows a known one in plain words, reports a bug."""


class TaskScope:
    """Owns the tasks of one widget or window; `close` cancels them all and names those that would not end."""

    def __init__(self, owner: str, on_error: ErrorHandler) -> None:
        self.owner = owner
        self._on_error = on_error
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._latest: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def pending(self) -> tuple[str, ...]:
        """What is being done now, in words."""
        return tuple(self._tasks.values())

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called: nothing more can be started."""
        return self._closed

    @property
    def can_start(self) -> bool:
        """Whether a timer may start something: not closed, and the loop runs. Qt may turn on for a moment when it does not any more."""
        return not self._closed and _is_running()

    def start(self, coroutine: Coroutine[Any, Any, object], *, what: str, latest: str | None = None) -> asyncio.Task[None]:
        """Run `coroutine` in the running loop; `what` it does, in words, names it in errors.

        With `latest`, an earlier task of the same key is cancelled: only the newest answer counts.
        """
        if self._closed:
            coroutine.close()
            raise BugError(f"{self.owner} is closed and cannot start {what}.")
        if latest is not None and latest in self._latest:
            self._latest[latest].cancel()
        # The one place of ui that makes a task: this scope keeps it, cancels it and takes its error.
        task = asyncio.get_running_loop().create_task(self._guard(coroutine, what), name=f"{self.owner}: {what}")
        self._tasks[task] = what
        if latest is not None:
            self._latest[latest] = task
        task.add_done_callback(self._forget)
        # Cancelled before its first step, the task never reached the coroutine: Python would warn that nobody awaited it.
        task.add_done_callback(lambda _task: coroutine.close())
        return task

    def cancel(self, latest: str) -> None:
        """Cancel the task of that key, if there is one."""
        task = self._latest.get(latest)
        if task is not None:
            task.cancel()

    def child(self, owner: str) -> "TaskScope":
        """Return a scope of its own for a part that may close earlier; its errors go to the same handler."""
        return TaskScope(owner, self._on_error)

    async def settled(self) -> None:
        """Wait until nothing is being done; what starts meanwhile is waited for too. The caller's own task does not count."""
        current = asyncio.current_task()
        while waiting := [task for task in self._tasks if task is not current]:
            await asyncio.wait(waiting)

    async def close(self, deadline_s: float = 5.0) -> list[str]:
        """Cancel everything and wait; return what did not end within the deadline. No task starts afterwards."""
        self._closed = True
        tasks = dict(self._tasks)
        current = asyncio.current_task()
        waiting = {task for task in tasks if task is not current}
        for task in waiting:
            task.cancel()
        if not waiting:
            return []
        _, late = await asyncio.wait(waiting, timeout=deadline_s)
        return sorted(tasks[task] for task in late)

    async def _guard(self, coroutine: Coroutine[Any, Any, object], what: str) -> None:
        try:
            await coroutine
        except Exception as error:
            self._on_error(error, what)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        for key in [key for key, latest in self._latest.items() if latest is task]:
            del self._latest[key]
        failure = None if task.cancelled() else task.exception()
        if failure is not None:  # the handler itself failed, so nobody else will say it
            task.get_loop().call_exception_handler(
                {"message": f"{self.owner}: the error handler failed", "exception": failure, "task": task}
            )


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
