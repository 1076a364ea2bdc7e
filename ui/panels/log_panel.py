"""The program's own log, as it is written: for who wants to know why."""

import logging

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QPlainTextEdit, QStackedLayout, QWidget

from ui.dialogs.empty_state import EmptyState
from ui.format import Zone
from ui.models.look import Look

_MOST_LINES = 5_000


class _Relay(QObject):
    """Carries lines from any thread to the panel's: a signal between threads is queued by Qt."""

    line = Signal(str)


class _Handler(logging.Handler):
    def __init__(self, relay: _Relay, zone: Zone) -> None:
        super().__init__(logging.INFO)
        self._relay = relay
        self.zone = zone

    def emit(self, record: logging.LogRecord) -> None:
        time = self.zone.time(int(record.created * 1e6) * 1_000)
        self._relay.line.emit(f"{time}  {record.levelname.lower():8}{record.name}: {record.getMessage()}")


class LogPanel(QWidget):
    """Shows what is logged while it listens; `listen` and `stop` bracket the window's life."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel-log")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.lines = QPlainTextEdit(self)
        self.lines.setObjectName("field-log")
        self.lines.setAccessibleName("Log")
        self.lines.setReadOnly(True)
        self.lines.setMaximumBlockCount(_MOST_LINES)
        self.lines.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.empty = EmptyState(
            "Nothing logged", "Messages of the program itself will be here: files it opened, what it recovered.", look.sizes, self
        )
        self.empty.setObjectName("empty-log")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.lines)
        self.first_focus: QWidget = self.lines
        self._relay = _Relay(self)
        self._relay.line.connect(self._append)
        self._handler = _Handler(self._relay, look.zone)
        self.set_look(look)

    def set_look(self, look: Look) -> None:
        """Take over sizes and zone."""
        font = QFont("monospace")
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPixelSize(look.sizes.table_font)
        self.lines.setFont(font)
        self._handler.zone = look.zone

    def listen(self) -> None:
        """Begin to show what is logged."""
        logging.getLogger().addHandler(self._handler)

    def stop(self) -> None:
        """End it."""
        logging.getLogger().removeHandler(self._handler)

    def _append(self, line: str) -> None:
        self._stack.setCurrentIndex(1)
        self.lines.appendPlainText(line)
