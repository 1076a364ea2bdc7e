"""What of a window a person can use: its widgets and actions, by object name."""

import re
from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QCalendarWidget,
    QComboBox,
    QDialog,
    QDockWidget,
    QFileDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMenuBar,
    QScrollBar,
    QTabBar,
    QWidget,
)

_WHOLE = (QComboBox, QAbstractSpinBox, QCalendarWidget, QFileDialog, QHeaderView, QLineEdit, QTabBar)
"""Controls whose parts are Qt's own."""

_CONTAINERS = (QMainWindow, QDialog, QDockWidget)
_USED = (QAbstractButton, QAbstractItemView, QComboBox, QAbstractSpinBox, QLineEdit)
_QT_OWN = (QHeaderView, QScrollBar, QTabBar, QMenu, QMenuBar)
"""Made by Qt inside a named widget: the widget's name is how one gets there."""


def usable_names(top: QWidget) -> set[str]:
    """Return the names of what can be used in a window or dialog, without the dialogs it opened; numbered ones as `-N`."""
    return {general(name) for name in _names(top)}


def nameless(top: QWidget) -> list[str]:
    """Return what can be used and has no name."""
    return [f"{type(widget).__name__} in {_place(widget)}" for widget in _usable(top) if not widget.objectName()]


def mute(top: QWidget) -> list[str]:
    """Return what can be used and says nothing to who cannot see it."""
    silent = []
    for widget in _usable(top):
        text = widget.accessibleName() or widget.windowTitle() or (widget.text() if isinstance(widget, QAbstractButton) else "")
        if not text:
            silent.append(f"{widget.objectName() or type(widget).__name__} in {_place(widget)}")
    return silent


def general(name: str) -> str:
    """Return `column-meaning-3` as `column-meaning-N`, and a parameter's field as `param-NAME`."""
    if name.startswith("param-"):
        return "param-NAME-reset" if name.endswith("-reset") else "param-NAME"
    return re.sub(r"^(column-meaning|field-symbols)-\d+$", r"\1-N", name)


def _names(top: QWidget) -> Iterator[str]:
    for widget in _usable(top):
        yield widget.objectName()
    for action in top.findChildren(QAction):
        if action.objectName().startswith("action-") and _owner(action, top) is top:
            yield action.objectName()


def _usable(top: QWidget) -> Iterator[QWidget]:
    for widget in (top, *top.findChildren(QWidget)):
        if _owner(widget, top) is top and not _is_part(widget, top) and _is_used(widget):
            yield widget


def _is_used(widget: QWidget) -> bool:
    # A label takes the focus only to let its text be selected.
    if isinstance(widget, (*_QT_OWN, QLabel)) or widget.objectName().startswith("qt_"):
        return False
    return isinstance(widget, _CONTAINERS + _USED) or bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _is_part(widget: QWidget, top: QWidget) -> bool:
    parent = None if widget is top else widget.parentWidget()
    while parent is not None:
        if isinstance(parent, _WHOLE):
            return True
        if isinstance(parent, QAbstractItemView) and not isinstance(widget, QComboBox):
            return True
        parent = None if parent is top else parent.parentWidget()
    return False


def _owner(thing: QWidget | QAction, top: QWidget) -> QWidget:
    """Return the dialog or window a thing belongs to: dialogs opened over `top` are not part of it."""
    parent = thing if isinstance(thing, QWidget) else thing.parent()
    while parent is not None and parent is not top:
        if isinstance(parent, QDialog):
            return parent
        parent = parent.parent()
    return top


def _place(widget: QWidget) -> str:
    names = []
    parent = widget.parentWidget()
    while parent is not None:
        names.append(parent.objectName() or type(parent).__name__)
        parent = parent.parentWidget()
    return " < ".join(names[:4])
