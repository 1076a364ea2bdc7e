"""The status bar: where the data is kept, how quickly the window answers, and the time here and in New York."""

from collections.abc import Callable
from time import perf_counter

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from ui.format import NEW_YORK, UTC_ZONE, Zone

_TICK_MS = 1_000
_PROBE_MS = 250
_NEW_YORK = Zone(NEW_YORK)


class StatusLine(QStatusBar):
    """Permanent fields at the right, messages at the left. Times come from the engine's clock."""

    def __init__(self, now_ns: Callable[[], int], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("status-bar")
        self.setSizeGripEnabled(False)
        self._now_ns = now_ns
        self._worst_s = 0.0
        self._due: float | None = None
        self.database = self._field("label-database", "Database")
        self.loop = self._field("label-loop-latency", "Loop latency")
        self.loop.setToolTip("How late the window's loop was at worst in the last second; below 50 ms it feels immediate.")
        self.clock = self._field("label-clock", "Clock")
        self._probe_timer = QTimer(self)
        self._probe_timer.setInterval(_PROBE_MS)
        self._probe_timer.timeout.connect(self._probe)
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(_TICK_MS)
        self._tick_timer.timeout.connect(self._tick)
        self._tick()

    def _field(self, name: str, title: str) -> QLabel:
        label = QLabel(self)
        label.setObjectName(name)
        label.setAccessibleName(title)
        label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.addPermanentWidget(label)
        return label

    def start(self) -> None:
        """Begin to tick, and to measure anew."""
        self._worst_s = 0.0
        self._probe_timer.start()
        self._tick_timer.start()
        self._due = perf_counter() + _PROBE_MS / 1000
        self._tick()

    def stop(self) -> None:
        """Stop ticking."""
        self._probe_timer.stop()
        self._tick_timer.stop()

    def set_database(self, where: str) -> None:
        """Say where the data is kept: its last part here, all of it in the tooltip."""
        name = where.replace("\\", "/").rstrip("/").rpartition("/")[2]
        self.database.setText(f"Database {name or where}")
        self.database.setToolTip(where)

    def say(self, text: str, seconds: float = 8) -> None:
        """Show a message for a while."""
        self.showMessage(text, round(seconds * 1000))

    def _probe(self) -> None:
        now = perf_counter()
        if self._due is not None:
            self._worst_s = max(self._worst_s, now - self._due)
        self._due = now + _PROBE_MS / 1000

    def _tick(self) -> None:
        now_ns = self._now_ns()
        self.clock.setText(f"UTC {UTC_ZONE.clock(now_ns)}  ·  New York {_NEW_YORK.clock(now_ns)}")
        self.loop.setText(f"Loop {round(max(0.0, self._worst_s) * 1000)} ms")
        self._worst_s = 0.0
