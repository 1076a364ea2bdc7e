"""What every test of a dialog has at hand."""

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtWidgets import QWidget

from core.engine import Engine
from core.model.price_file import ImportPlan, ImportReport, OnBad
from ui.format import UTC_ZONE
from ui.models.look import Look
from ui.tasks import TaskScope
from ui.theme import DARK, Sizes

LOOK = Look(theme=DARK, sizes=Sizes(), zone=UTC_ZONE)

DAILY = """Date,Open,High,Low,Close,Volume
2024-01-02,10.0,11.0,9.5,10.5,1000
2024-01-03,10.5,11.5,10.0,11.0,1100
2024-01-04,11.0,12.0,10.5,11.5,1200
2024-01-05,11.5,12.5,11.0,12.0,1300
2024-01-08,12.0,13.0,11.5,12.5,1400
2024-01-09,12.5,13.5,12.0,13.0,1500
"""
"""Six sessions of New York without a hole."""

BAD_DAILY = DAILY + "2024-01-10,13.0,12.0,12.5,13.5,1600\n2024-01-11,-1.0,14.0,12.5,13.5,1700\n"
"""Two more rows that cannot be: the high is below the low, a price is negative. Lines 8 and 9."""


@dataclass
class Failures:
    """Takes errors that nobody showed."""

    errors: list[str] = field(default_factory=list)

    def take(self, error: BaseException, what: str) -> None:
        self.errors.append(f"While {what}:\n{''.join(traceback.format_exception(error))}")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An open engine, a task scope, and where their errors go."""

    engine: Engine
    tasks: TaskScope
    failures: Failures

    async def import_file(self, path: Path, symbol: str, source: str = "file") -> ImportReport:
        """Import a price file as it was guessed; bad rows are skipped."""
        guess = await self.engine.inspect_file(path, None, symbol)
        assert guess.format.timeframe is not None
        plan = ImportPlan(
            path=str(path), symbol=symbol, timeframe=guess.format.timeframe, format=guess.format, source=source, on_bad=OnBad.SKIP
        )
        return await self.engine.import_file(plan, lambda _progress: None)

    async def store(self, folder: Path, symbol: str = "ABC", text: str = DAILY, source: str = "file") -> ImportReport:
        """Write `text` to a file and import it."""
        path = folder / f"{symbol.replace('/', '-').lower()}-{source}.csv"
        path.write_text(text)
        return await self.import_file(path, symbol, source)

    async def idle(self) -> None:
        """Wait until no task of the scope is pending."""
        while self.tasks.pending:  # noqa: ASYNC110 - the tasks of a scope have no event of their own
            await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own timeout ends what never comes."""
    while not true():  # noqa: ASYNC110 - a condition of widgets has no event
        await asyncio.sleep(0.001)


def child(parent: QWidget, name: str) -> QWidget:
    """Return the widget of that object name; it must exist exactly once."""
    found = parent.findChildren(QWidget, name)
    assert len(found) == 1, f"{name}: {len(found)} widgets"
    return found[0]
