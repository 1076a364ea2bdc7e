"""What a measurement is, how it is taken, and the machine it was taken on."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table: what was measured, a figure for each column as text, and whether the goal was met (None: there is none)."""

    name: str
    figures: tuple[str, ...]
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of one case. `notes` stand under it: what was compared, and what came out equal."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as Markdown."""
        heads = ["", *self.columns, "goal", "met"]
        lines = [f"## {self.title}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        words = {None: "", True: "yes", False: "**no**"}
        lines += [f"| {row.name} | {' | '.join(row.figures)} | {row.goal} | {words[row.met]} |" for row in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of `repeats` calls."""
    taken = []
    for _ in range(repeats):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return median(taken)


def rate(per_second: float) -> str:
    """A rate as a person reads it: `201 k`, `1.05 M`."""
    if per_second >= 1e6:
        return f"{per_second / 1e6:.2f} M"
    return f"{per_second / 1e3:.0f} k" if per_second >= 1e4 else f"{per_second:,.0f}"


def in_process(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    """Run `python -m module …` in a process of its own and return the JSON document it prints as its last line."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def peak_memory_mb() -> float:
    """The most memory this process ever had, in MB of 1,000,000 bytes."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def machine(date: str) -> str:
    """One line on the machine, its Python and the day."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, CPython {platform.python_version()}, {date}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def day_of_commit() -> str:
    """The day of the newest commit, or a dash where this is no checkout."""
    command: Sequence[str] = ["git", "log", "-1", "--format=%cs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "–"
