"""The table of drawdowns."""

import numpy as np

from core.model.instants import SECOND_NS
from core.model.market import Floats, Instants
from core.model.report import Drawdown


def drawdown_table(equity_ns: Instants, depth: Floats, most: int) -> tuple[Drawdown, ...]:
    """Return the `most` deepest drawdowns, the deepest first; of equally deep ones the earlier.

    `depth`: equity ÷ its running peak − 1. A drawdown runs from its peak (the last point at it) to the first point back.
    """
    under = depth < 0.0
    if not under.any():
        return ()
    edges = np.diff(under.astype(np.int8), prepend=np.int8(0), append=np.int8(0))
    firsts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    deepest = np.minimum.reduceat(np.append(depth, 0.0), np.column_stack((firsts, stops)).ravel())[::2]
    rows = []
    for at in np.argsort(deepest, kind="stable")[:most].tolist():
        first, stop = int(firsts[at]), int(stops[at])
        start, trough = first - 1, first + int(np.argmin(depth[first:stop]))
        back = stop if stop < len(depth) else None
        end = len(depth) - 1 if back is None else back
        rows.append(
            Drawdown(
                start_ns=int(equity_ns[start]),
                trough_ns=int(equity_ns[trough]),
                recovery_ns=None if back is None else int(equity_ns[back]),
                depth=float(deepest[at]),
                fall_s=int(equity_ns[trough] - equity_ns[start]) / SECOND_NS,
                recovery_s=None if back is None else int(equity_ns[back] - equity_ns[trough]) / SECOND_NS,
                duration_s=int(equity_ns[end] - equity_ns[start]) / SECOND_NS,
            )
        )
    return tuple(rows)
