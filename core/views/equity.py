"""The equity of one run on its way."""

from array import array

import numpy as np

from core.events.envelope import Envelope
from core.events.payloads import RunProgressed
from core.model.market import Floats, Instants
from core.model.result import RunResult


class EquityView:
    """Equity points, oldest first. `changed` is set by each fold and cleared by the reader."""

    def __init__(self) -> None:
        self._time_ns = array("q")
        self._equity = array("d")
        self.changed = False

    def __len__(self) -> int:
        return len(self._equity)

    def clear(self) -> None:
        """Remove everything."""
        self._time_ns, self._equity = array("q"), array("d")
        self.changed = True

    def load(self, result: RunResult) -> None:
        """Replace everything with what a finished run left."""
        self._time_ns = array("q", np.ascontiguousarray(result.equity_ns, np.int64).tobytes())
        self._equity = array("d", np.ascontiguousarray(result.equity, np.float64).tobytes())
        self.changed = True

    def precede(self, time_ns: Instants, equity: Floats) -> None:
        """Take what was before what is known, of a run that went on before anybody looked; points that overlap are left out."""
        if self._time_ns:
            older = int(np.searchsorted(time_ns, self._time_ns[0], side="left"))
            time_ns, equity = time_ns[:older], equity[:older]
        self._time_ns = array("q", np.ascontiguousarray(time_ns, np.int64).tobytes()) + self._time_ns
        self._equity = array("d", np.ascontiguousarray(equity, np.float64).tobytes()) + self._equity
        self.changed = True

    def fold(self, event: Envelope) -> None:
        """Take one `run.Progressed`; a point that is not newer than the last is left out."""
        payload = event.payload
        if not isinstance(payload, RunProgressed) or (self._time_ns and payload.time_ns <= self._time_ns[-1]):
            return
        self._time_ns.append(payload.time_ns)
        self._equity.append(payload.equity)
        self.changed = True

    def points(self) -> tuple[Instants, Floats]:
        """Return copies: int64 UTC ns and float64 account currency, both shape (n,)."""
        return np.array(self._time_ns, np.int64), np.array(self._equity, np.float64)
