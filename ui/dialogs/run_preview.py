"""One line that says what a run would read: how many bars, from when to when, and how many holes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QLabel, QWidget

from core.errors import KnownError
from core.model.instants import day_of
from core.model.market import BarSet, BarSetKey, Gap
from ui.dialogs.bar_choice import SourceChoice
from ui.format import number
from ui.tasks import TaskScope

if TYPE_CHECKING:
    from core.engine import Engine

_LATEST = "new-run: counting bars"


class RunPreview(QLabel):
    """Counts in the background; the newest choice counts. The gaps of a set are looked for once."""

    def __init__(self, engine: Engine, tasks: TaskScope, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("new-run-preview")
        self.setProperty("role", "muted")
        self.setWordWrap(True)
        self._engine, self._tasks = engine, tasks
        self._gaps: dict[BarSetKey, list[Gap]] = {}

    def show_choice(self, choice: SourceChoice | None, period: tuple[int | None, int | None]) -> None:
        """Say what `choice` has in `period`, UTC ns, None where it is open; nothing when there is no choice."""
        self.stop()
        self.clear()
        if choice is not None:
            self._tasks.start(self._count(choice, *period), what="counting the bars of a run", latest=_LATEST)

    def stop(self) -> None:
        """Count no more."""
        self._tasks.cancel(_LATEST)

    async def _count(self, choice: SourceChoice, start_ns: int | None, end_ns: int | None) -> None:
        try:
            bars = sum([await self._bars(bar_set, start_ns, end_ns) for bar_set in choice.sets])
            holes = [between(await self._gaps_of(bar_set.key), start_ns, end_ns) for bar_set in choice.sets]
        except KnownError as error:
            self.setText(str(error))
            return
        first = day_of(choice.first_ns if start_ns is None else start_ns)
        last = day_of(choice.last_ns if end_ns is None else end_ns - 1)
        count, missing = sum(map(len, holes)), sum(gap.missing for gaps in holes for gap in gaps)
        gaps = f"gaps: {number(count)}" + (f" ({number(missing)} bars missing)" if count else "")
        simulated = " · simulated market" if any(bar_set.simulated for bar_set in choice.sets) else ""
        self.setText(f"{number(bars)} bars · {first} to {last} · {gaps}{simulated}")

    async def _bars(self, bar_set: BarSet, start_ns: int | None, end_ns: int | None) -> int:
        if start_ns is None and end_ns is None:
            return bar_set.bars
        return len(await self._engine.bars(bar_set.key, start_ns, end_ns))

    async def _gaps_of(self, key: BarSetKey) -> list[Gap]:
        if key not in self._gaps:
            self._gaps[key] = await self._engine.gaps(key)
        return self._gaps[key]


def between(gaps: list[Gap], start_ns: int | None, end_ns: int | None) -> list[Gap]:
    """Return the gaps, oldest first, that reach into `[start_ns, end_ns)`."""
    first = 0 if start_ns is None else bisect_right(gaps, start_ns, key=lambda gap: gap.end_ns)
    last = len(gaps) if end_ns is None else bisect_left(gaps, end_ns, key=lambda gap: gap.start_ns)
    return gaps[first:last]
