"""Parts of the window's life that need no process of their own."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from app import lifecycle
from app.call import Call
from app.config import Paths
from app.lifecycle import Lifecycle, tell_in_box
from app.logs import FaultReporter
from app.start import WindowOptions
from core.clock.realtime import SystemClock
from core.errors import AlreadyOpen
from tests.strictness.log_guard import AllowLog

PLAIN = WindowOptions.parse(demo=False, theme=None, screenshot=None, size=None, panel=None)


def a_lifecycle(home: Path, options: WindowOptions = PLAIN) -> Lifecycle:
    paths = Paths(home)
    call = Call(paths=paths, database_url="memory", environment={})
    return Lifecycle(call, options, FaultReporter(paths.logs, SystemClock()))


def _boxes() -> list[QMessageBox]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMessageBox) and widget.isVisible()]


async def test_the_box_says_what_and_what_to_do_and_ends_with_its_button(qtbot: QtBot) -> None:
    quit_ = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(tell_in_box(AlreadyOpen("Another window has it open.", "Go there."), quit_))
        await asyncio.sleep(0)
        (box,) = _boxes()
        assert (box.text(), box.informativeText()) == ("Another window has it open.", "Go there.")
        assert not telling.done()
        button = box.findChild(QPushButton)
        assert button is not None
        button.click()
    assert _boxes() == []


async def test_the_box_goes_when_the_program_is_told_to_end(qtbot: QtBot) -> None:
    quit_ = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(tell_in_box(AlreadyOpen("Another window has it open.", "Go there."), quit_))
        await asyncio.sleep(0)
        quit_.set()
    assert _boxes() == []


async def test_what_misses_the_deadline_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog) -> None:
    monkeypatch.setattr(lifecycle, "STEP_DEADLINE_S", 0.01)
    allow_log("Did not stop within 0.01 s: the engine.")
    life = a_lifecycle(tmp_path)

    async def never() -> None:
        await asyncio.Event().wait()

    await life._stop("the engine", never())
    assert life.late == ["the engine"]


async def test_a_setting_that_cannot_be_stored_holds_until_the_end(tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("it is not stored")
    (tmp_path / "file").write_text("in the way")
    life = a_lifecycle(tmp_path / "file")
    assert life._change_setting("window.theme", "light").text("window.theme") == "light"
    assert life._change_setting("window.flash", False).text("window.theme") == "light"


async def test_the_theme_of_a_call_is_not_stored(tmp_path: Path) -> None:
    options = WindowOptions.parse(demo=False, theme="light", screenshot=None, size=None, panel=None)
    life = a_lifecycle(tmp_path, options)
    assert life._settings.text("window.theme") == "light"
    life._change_setting("window.flash", False)
    assert "theme" not in (tmp_path / "settings.json").read_text()


async def test_a_picture_touches_no_data_unless_it_is_named(tmp_path: Path) -> None:
    picture = WindowOptions.parse(demo=True, theme=None, screenshot=tmp_path / "a.png", size=None, panel=None)
    paths = Paths(tmp_path)
    reporter = FaultReporter(paths.logs, SystemClock())
    unnamed = Call(paths=paths, database_url=str(paths.database), environment={})
    named = Call(paths=paths, database_url=str(paths.database), environment={}, database_given=True)
    assert Lifecycle(unnamed, picture, reporter)._url() == "memory"
    assert Lifecycle(named, picture, reporter)._url() == str(paths.database)
    assert Lifecycle(unnamed, PLAIN, reporter)._url() == str(paths.database)
    # Without the demonstration it is of the person's own desk, once there is one.
    plain = WindowOptions.parse(demo=False, theme=None, screenshot=tmp_path / "a.png", size=None, panel=None)
    assert Lifecycle(unnamed, plain, reporter)._url() == "memory"
    paths.database.touch()
    assert Lifecycle(unnamed, plain, reporter)._url() == str(paths.database)
    assert Lifecycle(unnamed, picture, reporter)._url() == "memory"


@pytest.fixture
def hooks_restored() -> Iterator[None]:
    import faulthandler
    import threading

    kept = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = kept
    faulthandler.enable()


def test_what_a_slot_raises_is_told_and_kept(tmp_path: Path, hooks_restored: None) -> None:
    said: list[str] = []
    reporter = FaultReporter(tmp_path, SystemClock())
    reporter.tell_by(said.append)
    reporter.watch_process()
    try:
        raise LookupError("of a slot")
    except LookupError as error:
        sys.excepthook(LookupError, error, error.__traceback__)
    assert said[0].startswith("This is a bug in Weaver: LookupError: of a slot. Its traceback is kept in ")
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert len(said) == 1
    reporter.close()
