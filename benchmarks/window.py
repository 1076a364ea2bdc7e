"""How long from starting the program to the window on the screen."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.measuring import ROOT, Row, Table

REPEATS = 5
OPEN = "The window is open."
"""What the program writes into its log once the window is shown."""


def until_open(home: Path) -> float:
    """Seconds from starting the process to the open window, without a screen; the process is then told to end."""
    with subprocess.Popen(_command("--verbose"), cwd=ROOT, env=_environment(home), stderr=subprocess.PIPE, text=True) as program:
        began = perf_counter()
        assert program.stderr is not None
        for line in program.stderr:
            if OPEN in line:
                seconds = perf_counter() - began
                program.terminate()
                program.stderr.read()
                return seconds
    raise RuntimeError("the window did not open")


def until_picture(home: Path, *options: str) -> float:
    """Seconds of the whole process that draws the window into a file: start, window, picture, end."""
    began = perf_counter()
    command = _command("--screenshot", str(home / "window.png"), *options)
    done = subprocess.run(command, cwd=ROOT, env=_environment(home), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return perf_counter() - began


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "app", *options]


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "WEAVER_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}


def measure(quick: bool) -> Table:
    """The window of a desk that was used before; the first start, which makes the database, is not counted."""
    repeats = 1 if quick else REPEATS
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        home = Path(folder)
        until_open(home)
        opened = median(until_open(home) for _ in range(repeats))
        drawn = median(until_picture(home) for _ in range(repeats))
        demo = until_picture(home, "--demo")
    rows = (
        Row(name="start to open window", figures=(f"{opened:.2f} s",), goal="< 2.5 s", met=opened < 2.5),
        Row(name="whole process with a picture of the empty window", figures=(f"{drawn:.2f} s",)),
        Row(name="the same with the demonstration made and run first", figures=(f"{demo:.2f} s",)),
    )
    return Table(title="Window", columns=("time",), rows=rows)


if __name__ == "__main__":
    print(measure(quick=True).markdown())
