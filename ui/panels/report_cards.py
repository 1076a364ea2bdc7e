"""Cards with one figure each, in as many columns as the width allows."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from ui.dialogs.look import set_role
from ui.models.look import Look
from ui.style import tabular


class Card(QFrame):
    """A title over a figure; the formula is on hover."""

    def __init__(self, key: str, title: str, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"card-{key.replace('_', '-')}")
        self.setProperty("role", "card")
        self._title = QLabel(title, self)
        self._title.setProperty("role", "muted")
        self._value = QLabel(self)
        self._value.setObjectName(f"card-{key.replace('_', '-')}-value")
        self._value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self._title)
        self._layout.addWidget(self._value)
        self.set_look(look)

    def set_look(self, look: Look) -> None:
        """Take other sizes."""
        step = look.sizes.step
        self._layout.setContentsMargins(step * 2, step, step * 2, step)
        self._layout.setSpacing(0)
        self._value.setFont(tabular(self._value.font(), round(look.sizes.font * 1.3)))

    def show_figure(self, text: str, tip: str, role: str) -> None:
        """Show a figure; `role`: figure, gain or loss."""
        self._value.setText(text)
        self.setToolTip(tip)
        self.setAccessibleName(f"{self._title.text()} {text}")
        set_role(self._value, role)

    def figure(self) -> str:
        """Return the text of the figure."""
        return self._value.text()


class CardGrid(QWidget):
    """Cards of one width, in rows."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._cards: list[Card] = []
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(look.sizes.step)

    def add(self, card: Card) -> None:
        """Add a card at the end."""
        self._cards.append(card)
        self._arrange(max(1, self._columns))

    def set_look(self, look: Look) -> None:
        """Take other sizes."""
        self._look = look
        self._grid.setSpacing(look.sizes.step)
        for card in self._cards:
            card.set_look(look)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        fitting = max(1, event.size().width() // (self._look.sizes.font * 9))
        # Four and eight fill their rows with eight cards; seven would leave one alone.
        columns = max(count for count in (1, 2, 4, 8) if count <= fitting)
        if columns != self._columns:
            self._arrange(columns)

    def _arrange(self, columns: int) -> None:
        for at in range(self._grid.columnCount()):
            self._grid.setColumnStretch(at, 0)
        for card in self._cards:
            self._grid.removeWidget(card)
        for at, card in enumerate(self._cards):
            self._grid.addWidget(card, at // columns, at % columns)
        for at in range(columns):
            self._grid.setColumnStretch(at, 1)
        self._columns = columns
