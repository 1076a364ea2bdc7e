"""The real engine on the in-memory store, inside the Qt loop, and small real price files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from app.compose import compose_engine, compose_store
from core.engine import Engine
from core.settings import Settings
from tests.gui.dialogs.desk import Desk, Failures
from tests.gui.standing_loop import in_qt
from ui.tasks import TaskScope


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests of this folder run in the Qt loop."""
    return in_qt()


@pytest.fixture(autouse=True)
def application(qapp: QApplication) -> Iterator[QApplication]:
    """The application of all GUI tests; what was told to go is gone when a test ends."""
    # The last dialog that closes must not stop the loop the test runs in.
    qapp.setQuitOnLastWindowClosed(False)
    yield qapp
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def strategies_folder(tmp_path: Path) -> Path:
    """The person's own plug-ins: one of them is broken."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "half_done.py").write_text("class HalfDone(:\n")
    return folder


@pytest_asyncio.fixture
async def desk(strategies_folder: Path) -> AsyncIterator[Desk]:
    """An open engine and a task scope; closed at the end, with nothing pending and no error that the test did not take."""
    failures = Failures()
    engine: Engine = compose_engine(compose_store("memory"), strategies_folder, Settings({}, {}), failures.take)
    await engine.open()
    tasks = TaskScope("test", failures.take)
    yield Desk(engine=engine, tasks=tasks, failures=failures)
    late = await tasks.close()
    await engine.close()
    assert late == []
    assert failures.errors == []
