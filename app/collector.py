"""How often Python looks for cycles of garbage where there is no window; with one, see `app.garbage`."""

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 10, 10)
"""Python's own 700 makes it look a hundred times in a second of a backtest, at a twentieth of its time, and find nothing."""


def settle() -> None:
    """Keep what the start made, so that no collection walks over it again, and look seldom from now on."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
