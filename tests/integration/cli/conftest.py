"""Calls of the program: inside the test process where that says the same, as a process of their own where it does not."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli import main

ROOT = Path(__file__).resolve().parents[3]
PIPE_BYTES = 1 << 20
"""What a process may say while nobody reads it. A run that tells all it does fills the usual pipe in seconds, and then it stands."""

HOURS = (
    # time, open, high, low, close, volume: closes rise, fall, rise, fall, so that fast 1 and slow 2 buy once and sell once
    ("2024-01-01T00:00:00Z", "10", "10.5", "9.5", "10", "1"),
    ("2024-01-01T01:00:00Z", "10", "11.5", "9.5", "11", "2"),
    ("2024-01-01T02:00:00Z", "11", "12.5", "10.5", "12", "3"),
    ("2024-01-01T03:00:00Z", "12", "12.5", "8.5", "9", "4"),
    ("2024-01-01T04:00:00Z", "9", "10.5", "8.5", "10", "5"),
    ("2024-01-01T05:00:00Z", "10.25", "10.5", "8.5", "9", "6"),
    ("2024-01-01T06:00:00Z", "9.75", "10.5", "8.5", "9", "7"),
    ("2024-01-01T07:00:00Z", "9", "10.5", "8.5", "9.5", "8"),
)


@dataclass(frozen=True)
class Said:
    """What a call said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


Weaver = Callable[..., Said]


@pytest.fixture(autouse=True)
def plain_records() -> Iterator[None]:
    """Calls of the program change how this process logs."""
    factory, level = logging.getLogRecordFactory(), logging.getLogger("alembic").level
    yield
    logging.setLogRecordFactory(factory)
    logging.getLogger("alembic").setLevel(level)


@pytest.fixture
def weaver(capsys: pytest.CaptureFixture[str]) -> Weaver:
    """`weaver("data", "list", "--json")` in this process, on the test's own data directory."""

    def call(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = main([str(item) for item in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process of its own: no display, this data directory, and compiled modules as a person's machine has them."""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "WEAVER_DB", "PYTHONDONTWRITEBYTECODE"}
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, "WEAVER_HOME": str(home), **more}


@pytest.fixture
def weaver_process(weaver_home: Path) -> Weaver:
    """`weaver_process("--demo", QT_QPA_PLATFORM="offscreen")` as a process of its own."""

    def call(*arguments: str | Path, **environment: str) -> Said:
        command = [sys.executable, "-m", "app", *(str(item) for item in arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment_of(weaver_home, **environment), capture_output=True, text=True, timeout=100, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def begin(weaver_home: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Begin a call as a process and return it; it is gone when the test ends."""
    begun: list[subprocess.Popen[str]] = []

    def call(*arguments: str | Path, **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *(str(item) for item in arguments)],
            cwd=ROOT,
            env=environment_of(weaver_home, **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            text=True,
        )
        begun.append(process)
        return process

    yield call
    for process in begun:
        process.kill()
        process.communicate()


def read_until(process: "subprocess.Popen[str]", part: str) -> str:
    """Read the process's stderr up to the line with `part`; fails when it ends before."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if part in line:
            return said
    raise AssertionError(f"the process ended without saying {part!r}: {said}")


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """A small price file: eight hours of BTC/USD."""
    path = tmp_path / "hours.csv"
    rows = ["time,open,high,low,close,volume", *(",".join(row) for row in HOURS)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def with_hours(weaver: Weaver, hours: Path) -> Weaver:
    """A `weaver` whose database has those bars."""
    assert weaver("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h").code == 0
    return weaver


SLOW = '''"""Waits inside each bar, for tests that stop a run."""

import sys
from time import perf_counter

from core.strategy.api import Bar, BarStrategy


class Slow(BarStrategy):
    """Never trades."""

    id = "slow"

    def setup(self) -> None:
        self.said = False

    def on_bar(self, bar: Bar) -> None:
        if not self.said:
            self.said = True
            sys.stderr.write("the run goes on\\n")
            sys.stderr.flush()
        until = perf_counter() + 0.02
        while perf_counter() < until:
            pass
'''


@pytest.fixture
def slow_strategy(weaver_home: Path, weaver: Weaver, tmp_path: Path) -> None:
    """The strategy `slow`, and five thousand bars for it to dawdle over."""
    (weaver_home / "strategies").mkdir(parents=True)
    (weaver_home / "strategies" / "slow.py").write_text(SLOW)
    path = tmp_path / "many.csv"
    rows = [f"{1_700_000_000 // 60 * 60 + 60 * minute},10,11,9,10,1" for minute in range(5_000)]
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    assert weaver("data", "import", path, "--symbol", "ETH/USD", "--timeframe", "1m").code == 0
