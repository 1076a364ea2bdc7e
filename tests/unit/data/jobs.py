"""Jobs for tests that run the work in their own thread."""

from collections.abc import Callable
from pathlib import Path

from core.data.guess import inspect
from core.data.importer import Reading, read_bars
from core.errors import Cancelled
from core.model.price_file import FileFormat, ImportPlan, OnBad


class PlainJob:
    """A job that nobody stops, unless it was told to stop after so many reports. Calls `on_report` at each."""

    def __init__(self, *, stop_after: int | None = None, on_report: Callable[[], None] | None = None) -> None:
        self.reports: list[tuple[int, int, str]] = []
        self._stop_after = stop_after
        self._on_report = on_report

    def check(self) -> None:
        if self._stop_after is not None and len(self.reports) >= self._stop_after:
            raise Cancelled("The job was stopped.")

    def progress(self, done: int, total: int, what: str) -> None:
        self.reports.append((done, total, what))
        if self._on_report is not None:
            self._on_report()
        self.check()


def plan_for(path: Path, symbol: str | None = None, *, on_bad: OnBad = OnBad.FAIL, file_format: FileFormat | None = None) -> ImportPlan:
    """Return the plan that takes every guess as it is."""
    guess = inspect(path, file_format, symbol)
    timeframe = guess.format.timeframe
    assert timeframe is not None
    return ImportPlan(path=str(path), symbol=guess.symbol or "TEST", timeframe=timeframe, format=guess.format, on_bad=on_bad)


def read(path: Path, symbol: str | None = None, *, on_bad: OnBad = OnBad.FAIL) -> Reading:
    """Guess and read a file."""
    return read_bars(plan_for(path, symbol, on_bad=on_bad), PlainJob())


def written(folder: Path, text: str, name: str = "prices.csv") -> Path:
    """Write `text` as it is, line ends included."""
    path = folder / name
    path.write_bytes(text.encode())
    return path
