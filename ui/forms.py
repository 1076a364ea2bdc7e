"""Form fields made from `ParamSpec`: a strategy's parameters and the settings are shown by the same code."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QLineEdit, QSpinBox, QToolButton, QVBoxLayout, QWidget

from core.errors import InvalidValue
from core.model.money import exact, plain
from core.model.plugin import ParamKind, ParamSpec, ParamValue
from ui.dialogs.look import mark_invalid
from ui.dialogs.wheel import guard_wheel
from ui.format import MINUS

_INT32: Final = 2**31 - 1
"""A spin box holds no more; larger whole numbers are typed into a line."""

Control = QCheckBox | QComboBox | QLineEdit | QSpinBox


class WholeNumberBox(QSpinBox):
    """A spin box whose arrows stay inside the bounds while a typed value may leave them, so that a sentence can say why not."""

    def __init__(self, spec: ParamSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(-_INT32, _INT32)
        self._low = -_INT32 if spec.minimum is None else int(spec.minimum)
        self._high = _INT32 if spec.maximum is None else int(spec.maximum)

    def stepBy(self, steps: int) -> None:
        self.setValue(max(self._low, min(self._high, self.value() + steps * self.singleStep())))


class ParamField(QWidget):
    """One value: its control, a button back to the default, the line that explains it and the sentence when it is refused.

    The control carries `object_name`; the button `<object_name>-reset`.
    """

    changed = Signal()

    def __init__(self, spec: ParamSpec, object_name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = msgspec.structs.replace(spec, name=title)
        self.control = _control(spec, self)
        guard_wheel(self.control)
        self.control.setObjectName(object_name)
        self.control.setAccessibleName(title)
        self.control.setAccessibleDescription(spec.help)
        self._reset = QToolButton(self)
        self._reset.setObjectName(f"{object_name}-reset")
        self._reset.setAccessibleName(f"Reset {title} to its default")
        self._reset.setToolTip(f"Back to {_said(spec.default)}")
        self._reset.setText("↺")
        self._reset.setAutoRaise(True)
        self._reset.clicked.connect(self.reset)
        self._error = QLabel(self)
        self._error.setObjectName(f"{object_name}-error")
        self._error.setProperty("role", "error")
        self._error.setWordWrap(True)
        self._error.hide()
        hint = " · ".join(part for part in (spec.help.strip().replace("`", ""), _bounds(spec)) if part)
        self.control.setToolTip(hint)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(4)
        layout.setVerticalSpacing(2)
        layout.addWidget(self.control, 0, 0)
        layout.addWidget(self._reset, 0, 1)
        layout.setColumnStretch(0, 1)
        if hint:
            help_line = QLabel(hint, self)
            help_line.setProperty("role", "muted")
            help_line.setWordWrap(True)
            layout.addWidget(help_line, 1, 0, 1, 2)
        layout.addWidget(self._error, 2, 0, 1, 2)
        self.set_value(spec.default)
        _connect(self.control, self._on_changed)
        self._on_changed()

    def line_height(self) -> int:
        """Return the height of the control's line, for a label beside it."""
        return max(self.control.sizeHint().height(), self._reset.sizeHint().height())

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through; the reset button is skipped while there is nothing to reset."""
        return [self.control, self._reset]

    def text(self) -> str:
        """Return what stands in the control, unchecked."""
        control = self.control
        if isinstance(control, QCheckBox):
            return "true" if control.isChecked() else "false"
        if isinstance(control, QComboBox):
            return control.currentText()
        return control.text()

    def value(self) -> ParamValue:
        """Return the value, checked. Raises InvalidValue with the field's title."""
        return self.spec.parse(self.text())

    def set_value(self, value: ParamValue) -> None:
        """Show `value`; it is not checked."""
        control = self.control
        if isinstance(control, QCheckBox):
            control.setChecked(bool(value))
        elif isinstance(control, QComboBox):
            control.setCurrentText(str(value))
        elif isinstance(control, QSpinBox):
            control.setValue(int(value))
        else:
            control.setText(_said(value))

    def reset(self) -> None:
        """Show the default."""
        self.set_value(self.spec.default)

    def check(self) -> ParamValue | None:
        """Return the value, or None after showing why it is refused."""
        try:
            value = self.value()
        except InvalidValue as error:
            self.show_error(str(error))
            return None
        self.show_error("")
        return value

    def show_error(self, sentence: str) -> None:
        """Show a sentence under the field; an empty one hides it."""
        self._error.setText(sentence)
        self._error.setVisible(bool(sentence))
        mark_invalid(self.control, bool(sentence))

    def error(self) -> str:
        """Return the sentence that is shown, or nothing."""
        return self._error.text()

    def _on_changed(self) -> None:
        value = self.check()
        self._reset.setEnabled(value != self.spec.default)
        self.changed.emit()


class ParamForm(QWidget):
    """The fields of several specs, one under the other. Field `name` has the object name `<prefix><name>`."""

    changed = Signal()

    def __init__(
        self,
        specs: Sequence[ParamSpec],
        *,
        prefix: str = "param-",
        titles: Mapping[str, str] | None = None,
        label_width: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._fields: dict[str, ParamField] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(12)
        layout.setColumnMinimumWidth(0, label_width)
        layout.setVerticalSpacing(10)
        layout.setColumnStretch(1, 1)
        for row, spec in enumerate(specs):
            title = (titles or {}).get(spec.name, spec.name)
            field = ParamField(spec, prefix + _object_name(spec.name), title, self)
            field.changed.connect(self.changed)
            label = QLabel(title, self)
            label.setBuddy(field.control)
            layout.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            label.setMinimumHeight(field.line_height())
            layout.addWidget(field, row, 1)
            self._fields[spec.name] = field

    def field(self, name: str) -> ParamField | None:
        """Return the field of a spec, if it has one."""
        return self._fields.get(name)

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through, from top to bottom."""
        return [widget for field in self._fields.values() for widget in field.tab_order()]

    def set_values(self, values: Mapping[str, ParamValue]) -> None:
        """Show these values; names without a field are ignored."""
        for name, value in values.items():
            if name in self._fields:
                self._fields[name].set_value(value)

    def reset(self) -> None:
        """Show every default."""
        for field in self._fields.values():
            field.reset()

    def check(self) -> dict[str, ParamValue] | None:
        """Return every value; or None after showing each refusal and moving the focus to the first."""
        values: dict[str, ParamValue] = {}
        refused: list[ParamField] = []
        for name, field in self._fields.items():
            value = field.check()
            if value is None:
                refused.append(field)
            else:
                values[name] = value
        if refused:
            refused[0].control.setFocus(Qt.FocusReason.OtherFocusReason)
            return None
        return values


class Section(QWidget):
    """A heading and what belongs under it, at the end of a column.

    Content is made with the section as its parent: a widget that changes its parent is styled anew, with all that is in it.
    """

    def __init__(self, title: str, column: QVBoxLayout, parent: QWidget) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._heading = QLabel(title, self)
        self._heading.setProperty("role", "heading")
        self._layout.addWidget(self._heading)
        column.addWidget(self)

    def set_title(self, title: str) -> None:
        """Change the heading."""
        self._heading.setText(title)

    def add(self, content: QWidget) -> None:
        """Put a child of this section at its end."""
        self._layout.addWidget(content)

    def replace(self, content: QWidget, by: QWidget) -> None:
        """Put a child of this section in the place of another, which goes."""
        self._layout.replaceWidget(content, by)
        content.setParent(None)
        content.deleteLater()
        by.show()


def _object_name(name: str) -> str:
    """A parameter keeps its name; a setting's key is written with dashes."""
    return name.replace(".", "-").replace("_", "-") if "." in name else name


def _control(spec: ParamSpec, parent: QWidget) -> Control:
    if spec.choices:
        combo = QComboBox(parent)
        combo.addItems(spec.choices)
        return combo
    if spec.kind is ParamKind.BOOL:
        return QCheckBox(parent)
    if spec.kind is ParamKind.INT and all(abs(limit) <= _INT32 for limit in (spec.minimum or 0, spec.maximum or 0, float(spec.default))):
        return WholeNumberBox(spec, parent)
    return QLineEdit(parent)


def _connect(control: Control, slot: object) -> None:
    signal = {
        QCheckBox: "toggled",
        QComboBox: "currentTextChanged",
        QLineEdit: "textChanged",
    }.get(type(control), "valueChanged")
    getattr(control, signal).connect(lambda *_: slot())  # type: ignore[operator]


def _bounds(spec: ParamSpec) -> str:
    low, high = (None if limit is None else _said(limit).replace("-", MINUS) for limit in (spec.minimum, spec.maximum))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    return "" if high is None else f"at most {high}"


def _said(value: ParamValue) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return plain(exact(value))
    return str(value)
