"""What stands where there is nothing yet: what will be here, and buttons that fill it."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.theme import Sizes


class EmptyState(QWidget):
    """A heading, a sentence and buttons, in the middle of the place."""

    def __init__(self, heading: str, sentence: str, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setSpacing(sizes.step * 2)
        self._layout.addStretch(1)
        for text, role in ((heading, "title"), (sentence, "muted")):
            label = QLabel(text, self)
            label.setProperty("role", role)
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setMaximumWidth(sizes.font * 32)
            # The label takes what it may, up to its widest; the rest is shared by the two sides.
            across = QHBoxLayout()
            across.addStretch(1)
            across.addWidget(label, 100)
            across.addStretch(1)
            self._layout.addLayout(across)
        self._layout.addSpacing(sizes.step)
        self._layout.addStretch(1)

    def add_button(self, name: str, text: str, slot: Callable[[], object]) -> QPushButton:
        """Add a button under the sentence."""
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: slot())
        self._layout.insertWidget(self._layout.count() - 1, button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button
