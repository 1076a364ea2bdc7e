"""The window as a process: without a display, as a picture, one per database, and its stop."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.display import missing_packages
from core.clock.realtime import SystemClock
from core.model.run import Run, RunConfig, RunStatus
from core.store.database import DatabaseStore
from tests.integration.cli.conftest import Weaver, read_until
from tests.integration.cli.test_processes import Begin

pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a display")
PNG = b"\x89PNG\r\n\x1a\n"
Size = Callable[[Path], tuple[int, int]]


@pytest.fixture
def size_of() -> Size:
    def read(path: Path) -> tuple[int, int]:
        head = path.read_bytes()[:24]
        assert head[:8] == PNG
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])

    return read


@on_linux
def test_without_a_display_it_says_so(weaver_process: Weaver) -> None:
    said = weaver_process()
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[no_display]: There is no display to show the window on.")
    assert said.err.count("\n") == 1


@on_linux
def test_without_a_display_the_demonstration_runs_in_the_terminal(weaver_process: Weaver, weaver: Weaver) -> None:
    said = weaver_process("--demo")
    assert said.code == 0
    assert said.err == "There is no display: the demonstration runs in this terminal.\n"
    assert "sma-cross on DEMO" in said.out
    assert "completed" in said.out
    again = weaver_process("--demo")
    assert again.out == said.out  # the finished run is shown again, not made again
    assert [run["demo"] for run in weaver("runs", "list", "--json").json()["runs"]] == [True]


def test_a_picture_of_the_demonstration(weaver_process: Weaver, tmp_path: Path, size_of: Size, weaver_home: Path) -> None:
    path = tmp_path / "demo.png"
    said = weaver_process("--demo", "--screenshot", path, "--size", "1280x800", "--theme", "light")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert size_of(path) == (1280, 800)
    assert not (weaver_home / "weaver.db").exists()  # made in memory: no one's data is touched


def test_a_picture_of_one_panel(weaver_process: Weaver, tmp_path: Path, size_of: Size) -> None:
    path = tmp_path / "panel.png"
    assert weaver_process("--screenshot", path, "--panel", "runs").code == 0
    width, height = size_of(path)
    assert width < 800
    assert height < 1000


def contents_of(database: Path) -> list[str]:
    """Return all that is stored, as statements."""
    connection = sqlite3.connect(database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_picture_without_a_name_is_of_the_persons_own_desk(
    weaver_process: Weaver, with_hours: Weaver, tmp_path: Path, weaver_home: Path
) -> None:
    assert (
        with_hours("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--param", "fast=1", "--param", "slow=2").code == 0
    )
    database = weaver_home / "weaver.db"
    before = contents_of(database)
    pictures = {}
    for name, words in (("own", ()), ("named", ("--db", database)), ("empty", ("--db", "memory"))):
        said = weaver_process("--screenshot", tmp_path / f"{name}.png", "--panel", "report", *words)
        assert (said.code, said.out, said.err) == (0, "", "")
        pictures[name] = (tmp_path / f"{name}.png").read_bytes()
    assert pictures["own"] == pictures["named"] != pictures["empty"]
    assert contents_of(database) == before
    # By the variable as by the default.
    assert weaver_process("--screenshot", tmp_path / "c.png", "--panel", "report", WEAVER_DB=str(database)).code == 0
    assert (tmp_path / "c.png").read_bytes() == pictures["own"]


async def test_a_picture_leaves_a_run_that_a_crash_cut_off_as_it_is(weaver_process: Weaver, tmp_path: Path, weaver_home: Path) -> None:
    database = weaver_home / "weaver.db"
    store = DatabaseStore(database, SystemClock())
    await store.open()
    config = RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1h")
    async with store.runs.begin() as work:
        work.put_run(Run(id="r1", config=config, status=RunStatus.RUNNING, created_ns=1, owner="0-gone"))
    await store.close()
    before = contents_of(database)
    assert weaver_process("--screenshot", tmp_path / "a.png").code == 0
    assert contents_of(database) == before


def test_a_picture_is_taken_beside_an_open_window(begin: Begin, weaver_process: Weaver, tmp_path: Path) -> None:
    process = begin("--verbose", QT_QPA_PLATFORM="offscreen")
    read_until(process, "The window is open.")
    assert weaver_process("--screenshot", tmp_path / "a.png").code == 0
    assert process.poll() is None


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--screenshot", "a.png", "--panel", "chrt"], 2, "There is no panel named 'chrt'. Did you mean chart?"),
        (["--screenshot", "/not/there/a.png"], 1, "/not/there is no folder that can be written to."),
    ],
)
def test_a_picture_that_cannot_be_taken_is_told(weaver_process: Weaver, words: list[str], code: int, part: str) -> None:
    said = weaver_process(*words)
    assert (said.code, said.out) == (code, "")
    assert part in said.err
    assert said.err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_the_window_stops_in_good_order(begin: Begin, weaver: Weaver, weaver_home: Path) -> None:
    process = begin("--demo", "--verbose", QT_QPA_PLATFORM="offscreen")
    read_until(process, "The window is open.")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "error[" not in err
    assert "Did not stop" not in err
    assert "Warning" not in err
    assert any((weaver_home / "layout").iterdir())
    assert list((weaver_home / "weaver.db.owners").iterdir()) == []
    assert weaver("doctor", "--json").code == 0


@pytest.fixture
def screen() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """An X server of the test's own: the name of its display, and its process."""
    if shutil.which("Xvfb") is None or missing_packages(screen=True):
        pytest.skip("Xvfb or the system libraries of Qt are not installed")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as number:
        name = f":{number.readline().strip()}"
    yield name, server
    server.kill()
    server.wait()


@on_linux
def test_a_display_that_goes_away_ends_the_window_in_good_order(
    begin: Begin, weaver: Weaver, weaver_home: Path, screen: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    display, server = screen
    process = begin("--verbose", DISPLAY=display)
    read_until(process, "The window is open.")
    server.kill()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert not list((weaver_home / "logs").glob("bug-*"))
    if err.startswith("XIO:"):
        # Xlib noticed first, in the middle of a request: it says so itself and ends the process, which nobody can prevent.
        return
    assert err.startswith("error[no_display]: The display has gone away")
    assert err.count("\n") == 1
    assert list((weaver_home / "weaver.db.owners").iterdir()) == []


async def test_a_second_window_on_the_same_database_is_told(weaver_process: Weaver, weaver_home: Path) -> None:
    store = DatabaseStore(weaver_home / "weaver.db", SystemClock())
    await store.open()
    try:
        store.claim_window()
        second = weaver_process(QT_QPA_PLATFORM="offscreen")
        beside = weaver_process("data", "list", "--json")
    finally:
        await store.close()
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith("error[already_open]: Another window has ")
    assert second.err.count("\n") == 1
    assert beside.json() == {"sets": []}  # verbs work beside a window


def test_a_database_that_cannot_be_opened_is_told(weaver_process: Weaver, weaver_home: Path) -> None:
    weaver_home.mkdir(parents=True)
    (weaver_home / "weaver.db").write_bytes(b"no database" * 100)
    said = weaver_process(QT_QPA_PLATFORM="offscreen")
    assert said.code == 1
    assert said.err.startswith("error[store_error]: ")
    assert said.err.count("\n") == 1
