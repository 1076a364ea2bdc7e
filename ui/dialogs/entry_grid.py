"""A grid of entries that can be read and shown again: lines, lists to type in, choices and boxes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.dialogs.new_run_memory import Entries
from ui.theme import Sizes

Hint = str | Callable[[str], str]
"""A line under a field, or what makes it from the text that stands in the field."""


class EntryGrid(FieldGrid):
    """Each entry has a name as in errors, `volume_cap`; its control is called `field-volume-cap`."""

    changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self._rows_by_name: dict[str, FieldRow] = {}

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return self._rows_by_name

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through."""
        return [row.control for row in self._rows_by_name.values()]

    def entries(self) -> Entries:
        """Return what stands in the fields."""
        boxes = {name: row.control for name, row in self._rows_by_name.items()}
        return Entries(
            texts={name: _text(box) for name, box in boxes.items() if not isinstance(box, QCheckBox)},
            checks={name: box.isChecked() for name, box in boxes.items() if isinstance(box, QCheckBox)},
        )

    def show_entries(self, entries: Entries) -> None:
        """Show what stood in the fields before."""
        for name, text in entries.texts.items():
            _show_text(self._rows_by_name[name].control, text)
        for name, checked in entries.checks.items():
            box = self._rows_by_name[name].control
            if isinstance(box, QCheckBox):
                box.setChecked(checked)

    def add_line(self, name: str, title: str, hint: Hint, *, text: str = "") -> QLineEdit:
        """Add a line of text."""
        line = QLineEdit(text, self)
        self._put(name, title, line, line.textChanged, hint, text)
        return line

    def add_suggestions(self, name: str, title: str, texts: Sequence[str], hint: Callable[[str], str]) -> QComboBox:
        """Add a list that may be typed in; the first text stands there at first."""
        box = narrow(QComboBox(self))
        box.setEditable(True)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        box.setCompleter(None)  # type: ignore[arg-type]  # it would make bps:10 of bps:1
        box.addItems(list(texts))
        self._put(name, title, box, box.currentTextChanged, hint, texts[0])
        return box

    def add_choice(self, name: str, title: str, words: Mapping[Any, str]) -> QComboBox:
        """Add a list to choose from; an item's data is its value."""
        box = narrow(QComboBox(self))
        for value, said in words.items():
            box.addItem(f"{value.value} – {said}", value.value)
        self._put(name, title, box, box.currentTextChanged, "", "")
        return box

    def add_check(self, name: str, title: str, text: str, *, checked: bool = False) -> QCheckBox:
        """Add a box with its own text."""
        box = QCheckBox(text, self)
        box.setChecked(checked)
        self._put(name, title, box, box.toggled, "", "")
        box.setAccessibleName(f"{title}: {text}")
        return box

    def _put(self, name: str, title: str, control: QWidget, edited: Any, hint: Hint, text: str) -> None:
        said = hint(text) if callable(hint) else hint
        row = self.add(f"field-{name.replace('_', '-')}", title, control, said)
        self._rows_by_name[name] = row

        def on_edited(value: object) -> None:
            row.show_error("")
            if callable(hint):
                row.show_hint(hint(str(value)))
            self.changed.emit()

        edited.connect(on_edited)


def _text(control: QWidget) -> str:
    if isinstance(control, QComboBox):
        return control.currentText()
    return control.text() if isinstance(control, QLineEdit) else ""


def _show_text(control: QWidget, text: str) -> None:
    if isinstance(control, QComboBox):
        control.setCurrentText(text)
    elif isinstance(control, QLineEdit):
        control.setText(text)
