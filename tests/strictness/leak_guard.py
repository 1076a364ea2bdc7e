"""A test that leaves a thread, a task, a timer or a subscription behind fails and is told where it began."""

import asyncio
import asyncio.runners
import gc
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.events.dispatch import Dispatcher, LiveSubscription

_ROOT = Path(__file__).resolve().parents[2]
_THREAD_GRACE_S = 2.0
# A thread of the runner itself, and threads that only Python's bookkeeping knows of (Qt's own, and those of compiled libraries).
_FOREIGN_THREADS = ("pytest_timeout", "pydevd")

LeavesBehind = Callable[[str], None]


class _Leaks:
    """What began since the test did, and where."""

    def __init__(self) -> None:
        self.threads: list[tuple[threading.Thread, str]] = []
        self.tasks: list[str] = []
        self.subscriptions: list[tuple[Dispatcher, LiveSubscription, str]] = []
        self.allowed: list[str] = []

    def found(self) -> list[str]:
        """One line for each thing that is still there."""
        lines = [*self._threads(), *self.tasks, *self._subscriptions()]
        return [line for line in lines if not any(part in line for part in self.allowed)]

    def _threads(self) -> list[str]:
        left = []
        for thread, where in self.threads:
            if thread.name.startswith(_FOREIGN_THREADS) or any(part in thread.name for part in self.allowed):
                continue
            # One that was told to end may need a moment to do so.
            thread.join(_THREAD_GRACE_S)
            if thread.is_alive():
                left.append(f"thread {thread.name!r}, started at {where}")
        return left

    def _subscriptions(self) -> list[str]:
        living = [(item, where) for dispatcher, item, where in self.subscriptions if item in dispatcher.subscriptions()]
        return [f"{item!r}, made at {where}" for item, where in living]


def _began_at() -> str:
    """Our own innermost frame of the present stack, as `path:line in name`."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        is_ours = _ROOT in path.parents and ".venv" not in path.parts and "strictness" not in path.parent.name
        if is_ours and not frame.filename.endswith("core/events/dispatch.py"):
            return f"{path.relative_to(_ROOT)}:{frame.lineno} in {frame.name}"
    innermost = [frame for frame in traceback.extract_stack() if "strictness" not in Path(frame.filename).parent.name][-1]
    return f"{innermost.filename}:{innermost.lineno} in {innermost.name}"


def _task_line(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    code = getattr(coroutine, "cr_code", None)
    began = f"{code.co_filename}:{code.co_firstlineno}" if code else repr(coroutine)
    return f"task {task.get_name()!r}, of {getattr(coroutine, '__qualname__', coroutine)} at {began}"


@pytest.fixture(autouse=True)
def leak_guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Leaks]:
    """Watch what begins during the test, fixtures included, and fail when any of it is still there afterwards."""
    leaks = _Leaks()
    start_thread = threading.Thread.start
    cancel_tasks = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]
    subscribe = Dispatcher.subscribe

    def start(self: threading.Thread) -> None:
        leaks.threads.append((self, _began_at()))
        start_thread(self)

    def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
        # What the runner has to cancel when its loop closes is what no owner ended.
        leaks.tasks += [_task_line(task) for task in asyncio.all_tasks(loop)]
        cancel_tasks(loop)

    def subscribed(self: Dispatcher, *arguments: Any, **keywords: Any) -> LiveSubscription:
        subscription = subscribe(self, *arguments, **keywords)
        leaks.subscriptions.append((self, subscription, _began_at()))
        return subscription

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", cancel_all_tasks)
    monkeypatch.setattr(Dispatcher, "subscribe", subscribed)
    windows_before = _top_level_widgets()
    yield leaks
    found = [*leaks.found(), *_running_timers(windows_before)]
    if found:
        pytest.fail("Left behind:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture
def leaves_behind(leak_guard: _Leaks) -> LeavesBehind:
    """`leaves_behind("part of its line")` allows such a leak in this test: say why beside it."""
    return leak_guard.allowed.append


def _application() -> Any:
    """The Qt application, when Qt is there at all and one was made."""
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError:
        return None
    instance = QApplication.instance()
    return instance if isinstance(instance, QApplication) else None


def _top_level_widgets() -> list[Any]:
    application = _application()
    return application.topLevelWidgets() if application else []


def _running_timers(before: list[Any]) -> list[str]:
    """Timers that still run in windows that the test made and nobody closed."""
    if not _left_windows(before):
        return []
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer

    # Those that were told to go, and those that only a cycle of references holds.
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    lines = []
    for window in _left_windows(before):
        for timer in window.findChildren(QTimer):
            if timer.isActive():
                owner = f"{type(window).__name__} {window.objectName()!r}"
                lines.append(f"timer {timer.objectName()!r} of {timer.interval()} ms in {owner}, a window that was not closed")
    return lines


def _left_windows(before: list[Any]) -> list[Any]:
    return [item for item in _top_level_widgets() if item not in before and item.parent() is None]
