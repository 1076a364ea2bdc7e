"""Where Python looks for cycles of garbage: in the window's own thread alone."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS: Final = 50
"""How often it is looked whether a collection is due."""


@contextmanager
def collected_in_this_thread(parent: QObject) -> Iterator[None]:
    """Within, cycles are collected from this thread's Qt loop and nowhere else.

    Left to itself, Python collects in whichever thread happens to allocate. When that is a thread of the store, the widgets
    and timers in a cycle are destroyed there: Qt goes on calling them and the process dies without a word.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    timer = QTimer(parent)
    timer.setObjectName("garbage-timer")
    timer.timeout.connect(collect_what_is_due)
    timer.start(INTERVAL_MS)
    try:
        yield
    finally:
        timer.stop()
        timer.deleteLater()
        if was_enabled:
            gc.enable()


def collect_what_is_due() -> None:
    """Collect the oldest generation whose count is over Python's own threshold, if there is one."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return
