"""Where Tab goes in the window: through what is seen, in the order in which it is seen.

Qt's own order is that in which widgets were made, and a panel behind a tab counts as visible for it.
"""

from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

_COLUMN_PX: Final = 32
"""Parts whose left edges differ by less stand one under the other."""


def after(window: QMainWindow, here: QWidget | None, *, forward: bool) -> QWidget | None:
    """Return what Tab goes to from `here`, around the window; None when nothing can be gone to."""
    stops = tab_round(window)
    if not stops:
        return None
    if here in stops:
        return stops[(stops.index(here) + (1 if forward else -1)) % len(stops)]
    if here is not None:  # an empty panel has the focus itself: go on from where it stands
        place = _place(window, _part(window, here))
        before = [stop for stop in stops if _place(window, _part(window, stop)) < place]
        beyond = [stop for stop in stops if _place(window, _part(window, stop)) >= place]
        if forward:
            return (beyond or stops)[0]
        return (before or stops)[-1]
    return stops[0] if forward else stops[-1]


def tab_round(window: QMainWindow) -> list[QWidget]:
    """Return what Tab goes through: the toolbar, then column by column from left to right and from top to bottom."""
    stops = [widget for widget in _chain(window) if _is_stop(window, widget)]
    return sorted(stops, key=lambda stop: _place(window, _part(window, stop)))  # stable: within a part, the panel's own order


def _chain(window: QMainWindow) -> Iterator[QWidget]:
    widget = window.nextInFocusChain()
    while widget is not None and widget is not window:
        yield widget
        widget = widget.nextInFocusChain()


def _is_stop(window: QMainWindow, widget: QWidget) -> bool:
    takes_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
    is_there = widget.isEnabled() and widget.isVisible() and widget.window() is window
    if not takes_tab or not is_there or widget.focusProxy() is not None:
        return False
    # A dock behind a tab lies outside of the window.
    return _part(window, widget).geometry().intersects(window.rect())


def _part(window: QMainWindow, widget: QWidget) -> QWidget:
    """Return the part of the window that a widget lies in: a dock, a row of tabs, the toolbar."""
    while (parent := widget.parentWidget()) is not None and parent is not window:
        widget = parent
    return widget


def _place(window: QMainWindow, part: QWidget) -> tuple[bool, int, int]:
    return not isinstance(part, QToolBar), part.x() // _COLUMN_PX, part.y()
