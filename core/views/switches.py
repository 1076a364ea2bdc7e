"""How the kill switch stands, folded from its events: for all runs, and for each run of its own."""

from collections.abc import Mapping
from typing import Final

from core.events.envelope import Envelope
from core.events.live_payloads import SwitchThrown
from core.model.risk import SwitchLevel

LEVEL_WORDS: Final = {
    SwitchLevel.OFF: "off",
    SwitchLevel.REDUCE_ONLY: "reduce only",
    SwitchLevel.HALT: "halt",
    SwitchLevel.CANCEL_ALL: "cancel all",
    SwitchLevel.FLATTEN: "flatten",
}

CONSEQUENCE: Final = {
    SwitchLevel.OFF: "Orders may leave again.",
    SwitchLevel.REDUCE_ONLY: "Only what takes off a position leaves.",
    SwitchLevel.HALT: "Nothing new leaves; working orders stay.",
    SwitchLevel.CANCEL_ALL: "Nothing new leaves, and working orders are cancelled.",
    SwitchLevel.FLATTEN: "Nothing new leaves, working orders are cancelled, and positions are closed at market.",
}


class SwitchView:
    """The levels that hold now. What was never thrown, or was taken back, is not in it."""

    def __init__(self) -> None:
        self.levels: dict[str | None, SwitchLevel] = {}
        self.changed = False
        self._seq = 0

    def load(self, levels: Mapping[str | None, SwitchLevel]) -> None:
        """Take the levels as the engine returns them, by run; None is for all."""
        self.levels = {run_id: level for run_id, level in levels.items() if level is not SwitchLevel.OFF}
        self.changed = True

    def fold(self, event: Envelope) -> None:
        """Take one `risk.SwitchThrown`; an older one than was seen changes nothing."""
        if not isinstance(event.payload, SwitchThrown) or 0 < event.seq <= self._seq:
            return
        self._seq = max(self._seq, event.seq)
        self.levels.pop(event.run_id, None)
        if event.payload.level is not SwitchLevel.OFF:
            self.levels[event.run_id] = event.payload.level
        self.changed = True

    def level(self, run_id: str | None = None) -> SwitchLevel:
        """Return the level of a run's own switch, or of the one for all."""
        return self.levels.get(run_id, SwitchLevel.OFF)

    @property
    def words(self) -> str:
        """What is thrown, in a few words: `Kill switch: cancel all, 2 runs of their own`; empty when nothing is."""
        if not self.levels:
            return ""
        own = sum(1 for run_id in self.levels if run_id is not None)
        of_all = self.levels.get(None)
        runs = f"{own} run{'' if own == 1 else 's'}"
        if of_all is None:
            return f"Kill switch: {runs}"
        return f"Kill switch: {LEVEL_WORDS[of_all]}" + (f", {runs} of their own" if own else "")

    def sentences(self, title_of: Mapping[str, str]) -> str:
        """Return each switch that is thrown as a line: whose, how far, and what follows. `title_of` names runs."""
        lines = []
        for run_id, level in self.levels.items():
            whose = "All runs and accounts" if run_id is None else title_of.get(run_id, f"Run {run_id}")
            lines.append(f"{whose}: {LEVEL_WORDS[level]}. {CONSEQUENCE[level]}")
        return "\n".join(lines)
