"""Equity and drawdown on the bars' axis, growing while a run goes on. numpy only."""

import numpy as np

from core.model.market import Instants
from ui.charts.pyramid import Columns, Envelope, Floats, Grid, Ints
from ui.charts.timeline import Timeline

_PIECE = 65_536
"""Points of the growing end that are merged anew at each append; older pieces stay as they are."""


class EquityCurve:
    """Equity at the end of bars, and its drawdown (a fraction ≤ 0 of the highest equity so far).

    Finished pieces keep their pyramid; only the last one is built again when points come, which keeps an append cheap.
    """

    def __init__(self, timeline: Timeline, time_ns: Instants, values: Floats, start_equity: float) -> None:
        self.timeline = timeline
        self.start_equity = start_equity
        self._peak = start_equity if np.isfinite(start_equity) else -np.inf
        self._pieces: list[_Piece] = []
        self._open_slots = np.empty(0, np.int64)
        self._open_values = np.empty(0)
        self._open_peak = self._peak
        self.last = float("nan")
        self.append(time_ns, values)

    def __len__(self) -> int:
        return sum(len(piece.slots) for piece in self._pieces)

    def append(self, time_ns: Instants, values: Floats) -> None:
        """Add points later than all before. `time_ns`: int64 UTC, when each was known; `values`: account currency."""
        if not len(time_ns):
            return
        slots = self.timeline.slots_of_ends(time_ns)
        if len(self._open_slots):
            self._pieces.pop()
        self._open_slots = np.concatenate((self._open_slots, slots))
        self._open_values = np.concatenate((self._open_values, np.asarray(values, dtype=np.float64)))
        piece = _Piece(self._open_slots, self._open_values, self._open_peak)
        self._pieces.append(piece)
        self.last = float(self._open_values[-1])
        if len(piece.slots) >= _PIECE:
            self._open_slots, self._open_values = self._open_slots[:0], self._open_values[:0]
            self._open_peak = piece.peak

    def equity(self, left: float, right: float, group: int) -> tuple[Ints, Floats, Floats]:
        """Return slot, lowest and highest equity of each column in view."""
        return self._cut("equity", left, right, group)

    def drawdown(self, left: float, right: float, group: int) -> tuple[Ints, Floats, Floats]:
        """Return slot, deepest and shallowest drawdown of each column in view."""
        return self._cut("drawdown", left, right, group)

    def at(self, slot: int) -> tuple[float, float] | None:
        """Return equity and drawdown last known at the end of a slot."""
        for piece in reversed(self._pieces):
            index = int(np.searchsorted(piece.slots, slot, side="right")) - 1
            if index >= 0:
                return float(piece.equity.values[index]), float(piece.drawdown.values[index])
        return None

    def _cut(self, which: str, left: float, right: float, group: int) -> tuple[Ints, Floats, Floats]:
        slots: list[Ints] = []
        low: list[Floats] = []
        high: list[Floats] = []
        for piece in self._pieces:
            if piece.slots[-1] < left - group or piece.slots[0] > right + group:
                continue
            envelope: Envelope = getattr(piece, which)
            columns: Columns = piece.grid.columns(left, right, group)
            slots.append(columns.slot)
            low.append(columns.lowest(envelope.low))
            high.append(columns.highest(envelope.high))
        if not slots:
            return np.empty(0, np.int64), np.empty(0), np.empty(0)
        return np.concatenate(slots), np.concatenate(low), np.concatenate(high)


class _Piece:
    """Some consecutive points with their pyramids; `peak` is the highest equity up to its end."""

    def __init__(self, slots: Ints, values: Floats, peak_before: float) -> None:
        self.slots = slots
        self.grid = Grid(slots)
        peaks = np.fmax(np.fmax.accumulate(values), peak_before)
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.where(peaks > 0, values / peaks - 1, np.nan)
        self.peak = float(peaks[-1])
        self.equity = Envelope(self.grid, values)
        self.drawdown = Envelope(self.grid, below)
