"""Cycles of garbage die in the thread of the window, whichever thread allocates meanwhile."""

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.garbage import collect_what_is_due, collected_in_this_thread


@pytest.fixture(autouse=True)
def usual_collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    if not was_enabled:
        gc.disable()


class Cycle:
    """Holds itself, and tells in which thread it died."""

    def __init__(self, died_in: list[threading.Thread]) -> None:
        self.itself = self
        self._died_in = died_in

    def __del__(self) -> None:
        self._died_in.append(threading.current_thread())


def in_a_thread() -> list[list[int]]:
    """Allocate, in a thread, more than any threshold lets pass; what is kept keeps a collection due."""
    kept: list[list[int]] = []
    thread = threading.Thread(target=lambda: kept.extend([number] for number in range(20_000)))
    thread.start()
    thread.join()
    return kept


def test_a_cycle_dies_in_the_windows_thread(qapp: QApplication, qtbot: QtBot) -> None:
    parent, died_in = QObject(), list[threading.Thread]()
    with collected_in_this_thread(parent):
        Cycle(died_in)
        kept = in_a_thread()
        assert died_in == []
        qtbot.waitUntil(lambda: bool(died_in))
    assert len(kept) == 20_000
    assert died_in == [threading.main_thread()]


def test_left_to_itself_python_collects_in_any_thread() -> None:
    gc.collect()
    died_in: list[threading.Thread] = []
    Cycle(died_in)
    in_a_thread()
    assert died_in != []
    assert died_in != [threading.main_thread()]


def test_afterwards_all_is_as_before(qapp: QApplication) -> None:
    parent = QObject()
    with collected_in_this_thread(parent):
        assert not gc.isenabled()
        [timer] = parent.findChildren(QTimer)
        assert timer.isActive()
    assert gc.isenabled()
    assert not timer.isActive()


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_collects_what_is_due_and_nothing_else(generation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", collected.append)
    thresholds = gc.get_threshold()
    monkeypatch.setattr(gc, "get_count", lambda: thresholds)
    collect_what_is_due()
    assert collected == []
    monkeypatch.setattr(gc, "get_count", lambda: tuple(limit + (place == generation) for place, limit in enumerate(thresholds)))
    collect_what_is_due()
    assert collected == [generation]
