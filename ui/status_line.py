"""The status bar: where the data is kept, how quickly the window answers, and the time here and in New York."""

from collections.abc import Callable
from time import perf_counter

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from ui.format import NEW_YORK, UTC_ZONE, Zone, duration

_TICK_MS = 1_000
_PROBE_MS = 250
_NEW_YORK = Zone(NEW_YORK)


class StatusLine(QStatusBar):
    """Permanent fields at the right, messages at the left. Times come from the engine's clock."""

    market_turned = Signal()
    """The exchange has opened or closed: what `show_market` was told holds no more."""

    def __init__(self, now_ns: Callable[[], int], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("status-bar")
        self.setSizeGripEnabled(False)
        self._now_ns = now_ns
        self._worst_s = 0.0
        self._due: float | None = None
        self._market: tuple[bool, int] | None = None
        self.today = self._field("label-today", "Today's profit or loss of the account")
        self.today.setToolTip("The connected account's equity against the last session's close.")
        self.market = self._field("label-market", "New York's regular session")
        for field in (self.today, self.market):
            field.hide()
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

    def show_today(self, text: str, colour: str) -> None:
        """Say what the connected account has made today, in this colour; an empty text hides it."""
        self.today.setText(f'Today <span style="color: {colour}">{text}</span>')
        self.today.setVisible(bool(text))

    def show_market(self, hours: tuple[bool, int] | None) -> None:
        """Say whether the exchange is open, and in how long that changes; None hides it."""
        self._market = hours
        self.market.setVisible(hours is not None)
        self._tick_market(self._now_ns())

    def _tick_market(self, now_ns: int) -> None:
        if self._market is None:
            return
        is_open, until_ns = self._market
        left_s = (until_ns - now_ns) // 1_000_000_000
        if left_s < 0:
            self._market = None
            self.market_turned.emit()
            return
        left = duration(float(left_s))
        self.market.setText(f"Market open, closes in {left}" if is_open else f"Market closed, opens in {left}")

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
        self._tick_market(now_ns)
        self.clock.setText(f"UTC {UTC_ZONE.clock(now_ns)}  ·  New York {_NEW_YORK.clock(now_ns)}")
        self.loop.setText(f"Loop {round(max(0.0, self._worst_s) * 1000)} ms")
        self._worst_s = 0.0
