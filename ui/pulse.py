"""The heartbeat of the window: whether the database still answers, asked every few seconds."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from core.errors import KnownError
from core.views.pulse import database_pulse

if TYPE_CHECKING:
    from core.engine import Engine
    from ui.tasks import TaskScope

BEAT_MS: Final = 3_000


class Heartbeat(QObject):
    """Asks for one row. A question that is still open when the next is due is not asked again: that it waits is told."""

    database_heard = Signal(object)
    """A Pulse."""

    def __init__(self, engine: Engine, tasks: TaskScope, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._tasks = engine, tasks
        self._asked = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self.beat)

    def start(self) -> None:
        """Begin to ask."""
        self._timer.start()
        self.beat()

    def stop(self) -> None:
        """Ask no more."""
        self._timer.stop()

    def beat(self) -> None:
        """Ask now."""
        if not self._tasks.can_start:
            return
        if self._asked:
            waiting_s = perf_counter() - self._asked
            self.database_heard.emit(
                database_pulse(self._engine.where, None, f"{self._engine.where} has not answered for {waiting_s:.0f} s.")
            )
            return
        self._asked = perf_counter()
        self._tasks.start(self._ask(), what="asking the database", latest="heartbeat")

    async def _ask(self) -> None:
        error = ""
        try:
            await self._engine.events_back(limit=1)
        except KnownError as failed:
            error = str(failed)
        finally:
            took_ms, self._asked = (perf_counter() - self._asked) * 1_000, 0.0
        self.database_heard.emit(database_pulse(self._engine.where, took_ms, error))
