"""The guards of the test run see what they are there to see, and name it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

FAULTY = """
import asyncio, logging, socket, threading
import pytest
from core.events.dispatch import Dispatcher


def test_unexpected_warning():
    logging.getLogger("weaver.somewhere").warning("a strange %s", "thing")


def test_expected_warning(allow_log):
    allow_log("a strange thing")
    logging.getLogger("weaver.somewhere").warning("a strange thing")


def test_info_is_no_matter():
    logging.getLogger("weaver.somewhere").info("fine")


def test_network():
    with pytest.raises(RuntimeError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.01)


def test_look_up():
    with pytest.raises(RuntimeError):
        socket.getaddrinfo("example.com", 80)


def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        pass


release = threading.Event()


def test_thread():
    threading.Thread(target=release.wait, name="feeder", daemon=True).start()


def test_allowed_thread(leaves_behind):
    leaves_behind("feeder")
    threading.Thread(target=release.wait, name="feeder", daemon=True).start()


def test_ended_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()


async def pump():
    await asyncio.Event().wait()


async def test_task():
    asyncio.get_running_loop().create_task(pump(), name="the pump")


async def test_awaited_task():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))


def test_timer(qapp):
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QWidget

    window = QWidget()
    window.setObjectName("forgotten-window")
    timer = QTimer(window, interval=5_000, objectName="blink")
    timer.start()
    qapp.kept = window


def test_stopped_timer(qtbot):
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QWidget

    window = QWidget()
    qtbot.addWidget(window)
    QTimer(window, interval=5_000).start()


def new_log():
    return Dispatcher(now_ns=lambda: 0, monotonic_ns=lambda: 0)


def test_subscription():
    new_log().subscribe("orders.*", print, owner="a forgetful panel")


def test_ended_subscription():
    with new_log().subscribe("orders.*", print, owner="a tidy panel"):
        pass


@pytest.mark.soak
def test_long():
    pass
"""
GUILTY = {
    "test_unexpected_warning": "WARNING weaver.somewhere: a strange thing",
    "test_network": "Reached for the network: 192.0.2.1",
    "test_look_up": "Reached for the network: example.com",
    "test_thread": "thread 'feeder', started at",
    "test_task": "task 'the pump', of pump at",
    "test_timer": "timer 'blink' of 5000 ms in QWidget 'forgotten-window'",
    "test_subscription": "<subscription of a forgetful panel to orders.*>, made at",
}


@pytest.fixture
def outcome(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.RunResult:
    """The faulty tests, run in a process of their own with this tree's conftest."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nmarkers = soak: long\nfilterwarnings = error\n"
    )
    pytester.makepyfile(FAULTY)
    return pytester.runpytest_subprocess("-rA", "--color=no")


def test_each_fault_fails_and_is_named(outcome: pytest.RunResult) -> None:
    text = outcome.stdout.str()
    # The body of each test passes: it is the guard, at its end, that fails it.
    for name, sign in GUILTY.items():
        assert f"ERROR test_each_fault_fails_and_is_named.py::{name} " in text, f"{name} went unnoticed:\n{text}"
        assert sign in text, f"{name} is not named by {sign!r}:\n{text}"
    outcome.assert_outcomes(passed=15, errors=len(GUILTY), skipped=1)
