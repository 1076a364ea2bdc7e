"""How long from starting the program to the window with everything in it, drawn."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.measuring import ROOT, Row, Table

REPEATS = 3


def picture(folder: Path, *options: str) -> float:
    """Seconds of `weaver --screenshot`: start, window, drawing it to a file, and end. More than a start on a screen takes."""
    environment = {**os.environ, "WEAVER_HOME": str(folder / "home"), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "app", "--screenshot", str(folder / "window.png"), *options]
    began = perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return perf_counter() - began


def measure(quick: bool) -> Table:
    """An empty desk, and one with the demonstration's finished run."""
    repeats = 1 if quick else REPEATS
    rows = []
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        for name, options in (("empty desk", ()), ("with the demonstration", ("--demo",))):
            # The first start makes the database, and the simulated market: once, not at each start.
            picture(Path(folder), *options)
            seconds = median(picture(Path(folder), *options) for _ in range(repeats))
            rows.append(Row(name=name, figures=(f"{seconds:.2f} s",), goal="< 2.5 s", met=seconds < 2.5))
    return Table(
        title="Window", columns=("start to picture",), rows=tuple(rows), notes=("The whole life of the process, ending included.",)
    )
