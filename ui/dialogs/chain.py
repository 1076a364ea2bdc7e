"""The dialog that answers “Why?”: what led to a fill, an order or a trade, step by step."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QDialog, QHBoxLayout, QHeaderView, QLabel, QPushButton, QVBoxLayout, QWidget

from core.errors import KnownError
from core.events.envelope import Envelope
from core.model.instants import iso
from core.views.chain import chain_steps
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.dialogs.text_table import TextTableView
from ui.format import number
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

ReadChain = Callable[[], Awaitable[Sequence[Envelope]]]
"""Reads the events of a chain, oldest first."""

_HEAD: Final = ("Step", "UTC", "Event", "What happened")
_READING: Final = "chain: reading"


class ChainDialog(QDialog):
    """Opened with `open()`; reads its chain when it opens. `heading` says what it is about."""

    def __init__(
        self, *, heading: str, read: ReadChain, tasks: TaskScope, theme: Theme, sizes: Sizes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-chain")
        self.setWindowTitle("Why?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self._read, self._tasks, self._room = read, tasks, sizes.step
        subject = QLabel(heading, self)
        subject.setObjectName("chain-subject")
        subject.setProperty("role", "title")
        subject.setWordWrap(True)
        about = QLabel("From the first cause to what came of it. Rows can be copied (Ctrl+C).", self)
        about.setProperty("role", "muted")
        self.table = TextTableView("table-chain", "What led to it, step by step", sizes, self)
        self.table.setWordWrap(True)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.horizontalHeader().sectionResized.connect(lambda column, _before, _now: self._fit_rows(column))
        self._banner = Banner("chain-message", self)
        close = QPushButton("Close", self)
        close.setObjectName("button-close")
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        footer = QHBoxLayout()
        footer.addStretch(1)
        footer.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addWidget(subject)
        layout.addWidget(about)
        layout.addWidget(self._banner)
        layout.addWidget(self.table, 1)
        layout.addLayout(footer)
        resize_to_screen(self, sizes.font * 66, sizes.font * 36)
        tasks.start(self._show(), what="reading what led to it", latest=_READING)

    async def _show(self) -> None:
        try:
            steps = chain_steps(await self._read())
        except KnownError as error:
            self._banner.say(str(error))
            return
        rows = [(step.title, iso(step.time_ns).removesuffix("Z").replace("T", " "), _seq(step.seq), step.sentence) for step in steps]
        self.table.table.show_rows(_HEAD, rows, right=(2,), tips=[step.type for step in steps])
        header = self.table.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(len(_HEAD) - 1, QHeaderView.ResizeMode.Stretch)
        self._fit_rows(len(_HEAD) - 1)
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _fit_rows(self, column: int) -> None:
        """Make each row as tall as its sentence: a chain is short, that takes no time."""
        if column == len(_HEAD) - 1:
            self.table.resizeRowsToContents()
            for row in range(self.table.table.rowCount()):
                self.table.setRowHeight(row, self.table.rowHeight(row) + 2 * self._room)

    def done(self, result: int) -> None:
        self._tasks.cancel(_READING)
        super().done(result)


def _seq(seq: int | None) -> str:
    return "" if seq is None else number(seq)
