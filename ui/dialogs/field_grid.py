"""Rows of a dialog: a label, its control, a line that explains it and the sentence when it is refused."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from ui.dialogs.look import mark_invalid
from ui.dialogs.wheel import guard_wheel
from ui.theme import Sizes


class FieldRow(QWidget):
    """A control with its lines of text beneath."""

    def __init__(self, name: str, control: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.control = control
        self.entry = control
        """Where it is entered, of a control that has several parts."""
        self._hint = _line("muted", self)
        self._error = _line("error", self)
        self._error.setObjectName(f"{name}-error")
        self._hint.setWordWrap(True)
        self._error.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(control)
        layout.addWidget(self._hint)
        layout.addWidget(self._error)

    def show_hint(self, text: str) -> None:
        """Show a line under the control."""
        _say(self._hint, text)
        self.control.setAccessibleDescription(text)

    def show_error(self, sentence: str) -> None:
        """Show why the value is refused; an empty sentence hides the line."""
        _say(self._error, sentence)
        mark_invalid(self.entry, bool(sentence))

    def error(self) -> str:
        """Return the sentence that is shown, or nothing."""
        return self._error.text()


class FieldGrid(QWidget):
    """Rows under each other, labels in a column at the left."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(sizes.step * 3)
        self._layout.setVerticalSpacing(sizes.step * 2)
        self._layout.setColumnMinimumWidth(0, sizes.font * 7)
        self._layout.setColumnStretch(1, 1)
        self._rows: list[FieldRow] = []
        self._labels: dict[FieldRow, QLabel] = {}

    def add(self, name: str, title: str, control: QWidget, hint: str = "", *, buddy: QWidget | None = None) -> FieldRow:
        """Add a row; the control gets `name` as object name unless `buddy` is the widget that carries it."""
        target = buddy or control
        if buddy is None:
            control.setObjectName(name)
        target.setAccessibleName(title)
        guard_wheel(target)
        row = FieldRow(name, control, self)
        row.entry = target
        row.show_hint(hint)
        label = QLabel(title, self)
        label.setBuddy(target)
        label.setMinimumHeight(target.sizeHint().height())
        at = len(self._rows)
        self._layout.addWidget(label, at, 0, Qt.AlignmentFlag.AlignTop)
        self._layout.addWidget(row, at, 1)
        self._rows.append(row)
        self._labels[row] = label
        return row

    def set_label_width(self, pixels: int) -> None:
        """Give the labels at least so much room: in a narrow panel less than in a dialog."""
        self._layout.setColumnMinimumWidth(0, pixels)

    def show_row(self, row: FieldRow, *, shown: bool) -> None:
        """Show a row with its label, or take it out of the way."""
        row.setVisible(shown)
        self._labels[row].setVisible(shown)


def narrow(box: QComboBox) -> QComboBox:
    """Return the box, no longer as wide as its longest text: it takes the width there is."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)
    return box


def _line(role: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setProperty("role", role)
    label.hide()
    return label


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
