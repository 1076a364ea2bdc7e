"""The kill switch from the window: its levels, for all or for the selected run, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal

from core.model.risk import SwitchLevel
from core.model.run import RunMode
from core.views.switches import CONSEQUENCE, LEVEL_WORDS

if TYPE_CHECKING:
    from core.engine import Engine
    from core.views.desk import DeskViews
    from core.views.runs import RunRow
    from ui.actions import Actions
    from ui.dialogs.desk import Dialogs
    from ui.tasks import TaskScope

LEVELS: Final = (SwitchLevel.REDUCE_ONLY, SwitchLevel.HALT, SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN, SwitchLevel.OFF)
_NO_RUN: Final = "Select a paper or live run first."


def act_name(level: SwitchLevel, *, of_run: bool = False) -> str:
    """Return the name of the act that throws a level."""
    return f"switch-{'run-' if of_run else ''}{level.value.replace('_', '-')}"


class SwitchCommands(QObject):
    """Binds the acts. Flatten and taking back are asked about first; what only restrains is done at once."""

    changed = Signal()
    """What is thrown may have changed, or whose switch can be thrown."""
    said = Signal(str, str)

    def __init__(self, *, engine: Engine, views: DeskViews, acts: Actions, dialogs: Dialogs, tasks: TaskScope, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._views, self._acts = engine, views, acts
        self._dialogs, self._tasks = dialogs, tasks
        for level in LEVELS:
            acts.bind(act_name(level), lambda level=level: self.throw(level))  # type: ignore[misc]
            acts.bind(act_name(level, of_run=True), lambda level=level: self.throw(level, of_run=True), enabled=False)  # type: ignore[misc]

    def _trading(self) -> RunRow | None:
        row = self._views.runs.get(self._views.selected) if self._views.selected else None
        return row if row is not None and row.run.config.mode is not RunMode.BACKTEST else None

    def offer(self) -> None:
        """Enable what can be thrown and taken back now."""
        row, switches = self._trading(), self._views.switches
        for level in LEVELS:
            is_off = level is SwitchLevel.OFF
            nothing = is_off and switches.level() is SwitchLevel.OFF
            self._acts.offer(act_name(level), enabled=not nothing, why_not="It is not thrown for all." if nothing else "")
            own = row is not None and not (is_off and switches.level(row.run.id) is SwitchLevel.OFF)
            why_not = "" if own else _NO_RUN if row is None else "This run's own switch is not thrown."
            self._acts.offer(act_name(level, of_run=True), enabled=own, why_not=why_not)
        self.changed.emit()

    def throw(self, level: SwitchLevel, *, of_run: bool = False) -> None:
        """Throw the switch for all, or for the selected run."""
        row = self._trading() if of_run else None
        if of_run and row is None:
            return
        whose = "every run and account" if row is None else f"the run {row.title}"
        run_id = None if row is None else row.run.id

        def do() -> None:
            self._tasks.start(self._throw(level, run_id, whose), what=f"throwing the kill switch of {whose}")

        if level in {SwitchLevel.FLATTEN, SwitchLevel.OFF}:
            heading = f"Flatten {whose}?" if level is SwitchLevel.FLATTEN else f"Take the kill switch of {whose} back?"
            verb = "Flatten" if level is SwitchLevel.FLATTEN else "Let orders leave"
            self._dialogs.confirm(heading, f"{CONSEQUENCE[level]} {self._stays(level)}".strip(), verb, do)
            return
        do()

    def _stays(self, level: SwitchLevel) -> str:
        return "" if level is SwitchLevel.OFF else "It stays so, over restarts too, until it is taken back."

    async def _throw(self, level: SwitchLevel, run_id: str | None, whose: str) -> None:
        await self._engine.throw_switch(level, "A person threw it in the window.", run_id)
        state = "off" if level is SwitchLevel.OFF else f"thrown: {LEVEL_WORDS[level]}"
        self.said.emit(f"The kill switch of {whose} is {state}. {CONSEQUENCE[level]}", "info" if level is SwitchLevel.OFF else "warning")
