"""The about dialog: the version, where the data is kept, and the names of the program's parts."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.dialogs.look import role_sheet
from ui.theme import Sizes, Theme

PARTS: Final = (
    ("GLaDOS", "starts, stops and supervises runs", "core/engine, core/runs, core/clock"),
    ("Veda", "orders, positions and risk", "core/trading"),
    ("Greta", "simulates the market in a backtest", "core/matching, core/backtest"),
    ("Marvin", "strategies: their interface, loading and running", "core/strategy"),
    ("WallE", "keeps everything: runs, orders, bars, events", "core/store"),
    ("Events", "what happened, in order, and why", "core/events"),
    ("Haro", "what you are looking at", "ui, core/views"),
)
"""Code name, what it does, where it is."""


class AboutDialog(QDialog):
    """Opened with `open()`. `where` says where the data is kept, in words."""

    def __init__(self, *, version: str, where: str, theme: Theme, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-about")
        self.setWindowTitle("About Weaver")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 6, sizes.step * 5, sizes.step * 6, sizes.step * 4)
        layout.setSpacing(sizes.step * 2)
        layout.addWidget(self._label(f"Weaver {version}", "title", "about-version"))
        layout.addWidget(self._label("Strategies as single Python files, backtested on your own prices.", "", "about-purpose"))
        layout.addWidget(self._label(f"Data: {where}", "muted", "about-where"))
        layout.addSpacing(sizes.step * 2)
        layout.addWidget(self._label("Its parts and their names", "heading", "about-parts-heading"))
        parts = QWidget(self)
        parts.setObjectName("about-parts")
        grid = QGridLayout(parts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(sizes.step * 4)
        grid.setVerticalSpacing(sizes.step)
        for row, (name, what, place) in enumerate(PARTS):
            grid.addWidget(self._label(name, "", f"about-part-{name.lower()}"), row, 0)
            grid.addWidget(self._label(what, "muted", ""), row, 1)
            grid.addWidget(self._label(place, "muted", ""), row, 2)
        grid.setColumnStretch(1, 1)
        layout.addWidget(parts)
        layout.addStretch(1)
        close = QPushButton("Close", self)
        close.setObjectName("button-close")
        close.setDefault(True)
        close.setProperty("role", "primary")
        close.clicked.connect(self.accept)
        footer = QHBoxLayout()
        footer.addStretch(1)
        footer.addWidget(close)
        layout.addSpacing(sizes.step * 2)
        layout.addLayout(footer)
        self.setMinimumWidth(sizes.font * 50)

    def _label(self, text: str, role: str, name: str) -> QLabel:
        label = QLabel(text, self)
        label.setObjectName(name)
        label.setProperty("role", role)
        label.setWordWrap(name == "about-where")
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label
