"""The window's loop when Qt leaves it by itself."""

import asyncio
import sys

import pytest
from PySide6.QtWidgets import QApplication

from app.turns import SWITCH_S, served_soon
from app.window_loop import WindowLoop


def test_what_runs_goes_on_to_its_end_when_qt_leaves(qapp: QApplication) -> None:
    left: list[str] = []
    steps: list[str] = []

    async def work() -> str:
        steps.append("begun")
        qapp.exit(1)  # as Qt does when the server of the display is gone
        for _ in range(3):
            await asyncio.sleep(0)
        steps.append("after a turn")
        qapp.exit(1)
        await asyncio.sleep(0.001)
        steps.append("after a timer")
        return "done"

    with asyncio.Runner(loop_factory=lambda: WindowLoop(qapp, lambda: left.append("left"))) as runner:
        assert runner.run(work()) == "done"
    assert steps == ["begun", "after a turn", "after a timer"]
    assert left == ["left", "left"]


def test_a_loop_that_was_asked_to_stop_was_not_left(qapp: QApplication) -> None:
    left: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: WindowLoop(qapp, lambda: left.append("left"))) as runner:
        runner.run(work())
        runner.run(work())
    assert left == []


def test_the_loop_waits_less_for_other_threads_and_python_gets_its_own_way_back() -> None:
    before = sys.getswitchinterval()
    with served_soon():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        assert before > SWITCH_S
    assert sys.getswitchinterval() == before
