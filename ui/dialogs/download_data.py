"""The download dialog: bars from a broker, only what is missing. It is not modal: the window can be used while it works."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QLabel, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, InvalidValue, KnownError
from core.model.broker import AccountName
from core.model.download import Downloaded, DownloadPlan, usual_end
from core.model.instants import DAY_NS, day_of, from_ns, parse_instant
from core.model.market import USUAL_TIMEFRAMES, Adjustment, Timeframe, parse_symbol
from core.model.result import Progress
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.dialogs.text_table import TextTableView
from ui.format import number
from ui.services import FetchBars
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

_ADJUSTMENTS: Final = {
    Adjustment.RAW: "raw – prices as traded",
    Adjustment.SPLIT: "split – splits taken out",
    Adjustment.ALL: "all – splits and dividends taken out",
}
_FEEDS: Final = {"iex": "iex – one exchange, for every account", "sip": "sip – all exchanges; recent bars need a data plan"}
_ACCOUNTS: Final = {AccountName.PAPER: "paper", AccountName.LIVE: "live"}
_HEAD: Final = ("Symbol", "Fetched", "New", "Changed", "Stored", "Missing")
_FIRST_DAYS: Final = 30


class DownloadDataDialog(QDialog):
    """Opened with `show()`. Closing it, or Stop, ends the download; what was stored stays."""

    def __init__(
        self, *, fetch: FetchBars, now_ns: Callable[[], int], tasks: TaskScope, theme: Theme, sizes: Sizes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-download-data")
        self.setWindowTitle("Download data")
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self._fetch, self._now_ns, self._tasks, self._sizes = fetch, now_ns, tasks, sizes
        self._rows: dict[str, FieldRow] = {}
        self._work: asyncio.Task[None] | None = None
        self._closing = False
        about = QLabel("Bars from your broker. Only what is missing is fetched; stopped, it goes on where it was.", self)
        about.setProperty("role", "muted")
        about.setWordWrap(True)
        self._doing = QLabel(self)
        self._doing.setObjectName("download-progress-text")
        self.progress = QProgressBar(self)
        self.progress.setObjectName("download-progress")
        self.progress.setAccessibleName("Progress of the download")
        self.progress.setRange(0, 1_000)
        self.progress.setTextVisible(False)
        self.banner = Banner("download-message", self)
        self.results = TextTableView("table-download-results", "What was fetched of each symbol", sizes, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addWidget(about)
        self._grid = self._make_grid()
        for widget in (self._grid, self._doing, self.progress, self.banner):
            layout.addWidget(widget)
        layout.addWidget(self.results, 1)
        layout.addStretch(0)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 50, sizes.font * 48)
        self.results.hide()
        self._show_working(False)

    # --- what is shown ---

    def _make_grid(self) -> FieldGrid:
        grid = FieldGrid(self._sizes, self)
        self.symbols = QLineEdit(grid)
        self.symbols.setPlaceholderText("SPY, AAPL, BTC/USD")
        self.timeframe = narrow(QComboBox(grid))
        self.timeframe.setEditable(True)
        self.timeframe.addItems(list(USUAL_TIMEFRAMES))
        self.start = QLineEdit(day_of(self._now_ns() - _FIRST_DAYS * DAY_NS).isoformat(), grid)
        self.end = QLineEdit(grid)
        self.end.setPlaceholderText("now")
        self.adjustment, self.feed, self.account = (_choices(words, grid) for words in (_ADJUSTMENTS, _FEEDS, _ACCOUNTS))
        for name, title, control, hint in (
            ("symbol", "Symbols", self.symbols, ""),
            ("timeframe", "Timeframe", self.timeframe, ""),
            ("start", "Start", self.start, "A date, or a date and a time, in UTC."),
            ("end", "End", self.end, "Not included."),
            ("adjustment", "Adjusted", self.adjustment, ""),
            ("feed", "Feed", self.feed, "Of equities. Bars of different feeds are kept apart."),
            ("account", "Account", self.account, ""),
        ):
            plural = "symbols" if name == "symbol" else name
            self._rows[name] = grid.add(f"field-download-{plural}", title, control, hint)
        for edit in (self.symbols, self.start, self.end):
            edit.textEdited.connect(lambda _text: self._clear_errors())
        self.timeframe.currentTextChanged.connect(lambda _text: self._clear_errors())
        return grid

    def _make_footer(self) -> QHBoxLayout:
        self.cancel_button = self._button("Close", "button-cancel", self.reject)
        self.download_button = self._button("Download", "button-download", self._clicked)
        self.download_button.setProperty("role", "primary")
        self.download_button.setDefault(True)
        footer = QHBoxLayout()
        footer.setSpacing(self._sizes.step * 2)
        footer.addStretch(1)
        footer.addWidget(self.cancel_button)
        footer.addWidget(self.download_button)
        return footer

    def _button(self, text: str, name: str, slot: Callable[[], object]) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: slot())
        return button

    def _show_working(self, working: bool) -> None:
        self._grid.setEnabled(not working)
        self.download_button.setEnabled(not working)
        self.cancel_button.setText("Stop" if working else "Close")
        self._doing.setVisible(working)
        self.progress.setVisible(working)

    def _clear_errors(self) -> None:
        for row in self._rows.values():
            row.show_error("")

    # --- what is done ---

    def plan(self) -> DownloadPlan:
        """Return what stands in the fields. Raises InvalidValue."""
        feed = str(self.feed.currentData())
        end = self.end.text().strip()
        return DownloadPlan(
            symbols=tuple(parse_symbol(text) for text in re.split(r"[,;\s]+", self.symbols.text()) if text),
            timeframe=str(Timeframe.parse(self.timeframe.currentText())),
            start_ns=parse_instant(self.start.text(), field="start"),
            end_ns=parse_instant(end, field="end") if end else usual_end(self._now_ns(), feed),
            adjustment=Adjustment(self.adjustment.currentData()),
            feed=feed,
        )

    def _clicked(self) -> None:
        if self._work is not None:
            return
        self._clear_errors()
        self.banner.say("")
        self.results.hide()
        try:
            plan = self.plan()
        except InvalidValue as error:
            self._refuse(error)
            return
        self._doing.setText("Asking the broker")
        self.progress.setValue(0)
        self._show_working(True)
        self._work = self._tasks.start(self._download(plan), what=f"downloading {', '.join(plan.symbols)}")
        self._work.add_done_callback(self._after_work)

    async def _download(self, plan: DownloadPlan) -> None:
        try:
            done = await self._fetch(plan, AccountName(self.account.currentData()), self._on_progress)
        except Cancelled:
            self._say_stopped()
        except InvalidValue as error:
            self._refuse(error)
        except KnownError as error:
            self.banner.say(str(error))
        else:
            self._show_results(done)

    def _on_progress(self, progress: Progress) -> None:
        self._doing.setText(progress.what)
        self.progress.setValue(progress.done * 1_000 // max(1, progress.total))

    def _after_work(self, work: asyncio.Task[None]) -> None:
        self._work = None
        if self._closing:
            super().reject()
            return
        if work.cancelled():
            self._say_stopped()
        self._show_working(False)

    def _say_stopped(self) -> None:
        self.banner.say("The download was stopped. What was stored stays; Download goes on from there.", "note")

    def _refuse(self, error: InvalidValue) -> None:
        row = self._rows.get(error.field.removeprefix("--"))
        if row is None:
            self.banner.say(str(error))
            return
        row.show_error(str(error))
        row.control.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_results(self, done: Sequence[Downloaded]) -> None:
        self.results.table.show_rows(_HEAD, [_cells(item) for item in done], right=range(1, len(_HEAD)))
        self.results.fit_rows(8)
        self.results.show()
        fetched, changed = sum(item.fetched for item in done), sum(item.merge.changed for item in done)
        said = f"{number(fetched)} bars fetched." if fetched else "Nothing was missing."
        if changed:
            first = next(start_ns for item in done for start_ns in item.merge.changed_examples)
            said += f" The broker has corrected {number(changed)} since, the first at {from_ns(first):%Y-%m-%d %H:%M} UTC."
        refused = sum(item.refused for item in done)
        if refused:
            said += f" {number(refused)} contradict themselves and were left out."
        empty = [item.key.symbol for item in done if not item.stored]
        if empty:
            said += f" The broker has no bars of {', '.join(empty)} there."
        self.banner.say(said, "doubt" if empty or changed or refused else "good")

    # --- closing ---

    def reject(self) -> None:
        """Stop the download while it goes on; otherwise close."""
        if self._work is not None:
            self._work.cancel()
            return
        super().reject()

    def closeEvent(self, event: object) -> None:
        if self._work is not None:
            self._closing = True
        super().closeEvent(event)  # type: ignore[arg-type]


def _choices(words: dict[AccountName, str] | dict[Adjustment, str] | dict[str, str], parent: QWidget) -> QComboBox:
    box = narrow(QComboBox(parent))
    for value, text in words.items():
        box.addItem(text, str(value))
    return box


def _cells(item: Downloaded) -> tuple[str, ...]:
    merge = item.merge
    counts = (item.fetched, merge.added, merge.changed, item.stored, sum(gap.missing for gap in item.gaps))
    return (item.key.symbol, *(number(count) for count in counts))
