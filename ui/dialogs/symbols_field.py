"""Picks a run's symbols from the stored ones: one list for each symbol a strategy trades."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui.dialogs.field_grid import narrow
from ui.dialogs.wheel import guard_wheel


class SymbolsField(QWidget):
    """`count` lists side by side; 0 means any number: then lists can be added and removed.

    The lists are named `field-symbols`, `field-symbols-2`, …
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: list[str] = []
        self._lists: list[QComboBox] = []
        self._any_number = False
        self._free = False
        self._column = QVBoxLayout()
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._add = QPushButton("Add symbol", self)
        self._add.setObjectName("button-add-symbol")
        self._add.clicked.connect(self._add_list)
        self._remove = QPushButton("Remove last", self)
        self._remove.setObjectName("button-remove-symbol")
        self._remove.clicked.connect(self._remove_list)
        buttons = QHBoxLayout()
        buttons.addWidget(self._add)
        buttons.addWidget(self._remove)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._column)
        layout.addLayout(buttons)
        self._fit(1)

    def set_choices(self, symbols: Sequence[str]) -> None:
        """Offer these symbols; what was chosen stays where it is still offered."""
        chosen = self.symbols()
        self._choices = list(symbols)
        for position, box in enumerate(self._lists):
            self._fill(box, position, chosen[position] if position < len(chosen) else "")
        self._show_buttons()

    def set_free(self, free: bool) -> None:
        """Let symbols be typed that are not offered."""
        self._free = free
        for box in self._lists:
            self._fit_box(box)
        self._show_buttons()

    def _fit_box(self, box: QComboBox) -> None:
        if box.isEditable() is self._free:
            return
        box.setEditable(self._free)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        if self._free:
            box.setCompleter(None)  # type: ignore[arg-type]  # it would make DEMO-B of DEMO

    def set_count(self, count: int) -> None:
        """Show `count` lists; 0 lets the person choose how many, from one."""
        self._any_number = count == 0
        self._fit(max(1, count))

    def symbols(self) -> tuple[str, ...]:
        """Return the chosen symbols in order."""
        return tuple(text for box in self._lists if (text := box.currentText().strip()))

    def set_symbols(self, symbols: Sequence[str]) -> None:
        """Choose these where they are offered."""
        if self._any_number:
            self._fit(max(1, len(symbols)))
        for box, symbol in zip(self._lists, symbols, strict=False):
            if self._free or box.findText(symbol) >= 0:
                box.setCurrentText(symbol)

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through."""
        return [*self._lists, self._add, self._remove]

    def first(self) -> QComboBox:
        """Return the first list, for focus and labels."""
        return self._lists[0]

    def box_of(self, symbol: str) -> QComboBox:
        """Return the list where a symbol stands, or the first."""
        return next((box for box in self._lists if box.currentText().strip().upper() == symbol), self._lists[0])

    def _fit(self, count: int) -> None:
        while len(self._lists) > count:
            box = self._lists.pop()
            self._column.removeWidget(box)
            box.setParent(None)
            box.deleteLater()
        while len(self._lists) < count:
            position = len(self._lists)
            box = narrow(QComboBox(self))
            box.setObjectName("field-symbols" if position == 0 else f"field-symbols-{position + 1}")
            guard_wheel(box)
            box.setAccessibleName("Symbol" if position == 0 else f"Symbol {position + 1}")
            self._fit_box(box)
            self._fill(box, position, "")
            box.currentTextChanged.connect(lambda _text: self.changed.emit())
            self._column.addWidget(box)
            self._lists.append(box)
        self._show_buttons()
        self.changed.emit()

    def _fill(self, box: QComboBox, position: int, chosen: str) -> None:
        blocked = box.blockSignals(True)
        box.clear()
        box.addItems(self._choices)
        if chosen in self._choices or (self._free and chosen):
            box.setCurrentText(chosen)
        elif self._choices:
            box.setCurrentIndex(min(position, len(self._choices) - 1))
        box.blockSignals(blocked)

    def _add_list(self) -> None:
        self._fit(len(self._lists) + 1)

    def _remove_list(self) -> None:
        self._fit(len(self._lists) - 1)

    def _show_buttons(self) -> None:
        self._add.setVisible(self._any_number)
        self._remove.setVisible(self._any_number)
        self._add.setEnabled(self._free or len(self._lists) < len(self._choices))
        self._remove.setEnabled(len(self._lists) > 1)
