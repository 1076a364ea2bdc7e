"""Buttons under the address of a database: look what is there, make its tables, copy everything there."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.dialogs.look import Banner
from ui.theme import Sizes


class DatabaseCheck(QWidget):
    """Asks by its signals; whoever answers calls `say`, and `tell` meanwhile. Until then only *Stop* can be pressed."""

    test_asked = Signal()
    prepare_asked = Signal()
    copy_asked = Signal()
    stop_asked = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("database-check")
        self._banner = Banner("database-message", self)
        self._buttons: list[QPushButton] = []
        for text, name, asked in (
            ("Test connection", "button-test-database", self.test_asked),
            ("Create or upgrade the schema", "button-prepare-database", self.prepare_asked),
            ("Copy this desk's data there", "button-copy-to-database", self.copy_asked),
        ):
            button = QPushButton(text, self)
            button.setObjectName(name)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, asked=asked: self._ask(asked))
            self._buttons.append(button)
        self._stop = QPushButton("Stop", self)
        self._stop.setObjectName("button-stop-database")
        self._stop.setAutoDefault(False)
        self._stop.setEnabled(False)
        self._stop.clicked.connect(self.stop_asked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(sizes.step * 2)
        for pair in (self._buttons[:2], [*self._buttons[2:], self._stop]):
            row = QHBoxLayout()
            row.setSpacing(sizes.step * 2)
            row.addSpacing(sizes.font * 11 + sizes.step * 3)  # under the fields, not under their labels
            for button in pair:
                row.addWidget(button)
            row.addStretch(1)
            column.addLayout(row)
        column.addWidget(self._banner)

    def say(self, sentence: str, role: str) -> None:
        """Show an answer. `role`: good, or error."""
        self._banner.say(sentence, role)
        self._set_enabled(True)

    def tell(self, sentence: str) -> None:
        """Show how far it is."""
        self._banner.say(sentence, "note")

    def _ask(self, asked: Signal) -> None:
        self._set_enabled(False)
        self._banner.say("Asking the database …", "note")
        asked.emit()  # type: ignore[attr-defined]  # a bound signal, which the stubs do not know from an unbound one

    def _set_enabled(self, enabled: bool) -> None:
        for button in self._buttons:
            button.setEnabled(enabled)
        self._stop.setEnabled(not enabled)
