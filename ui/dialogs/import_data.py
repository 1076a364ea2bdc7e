"""The import dialog: choose a price file, look at what was guessed, correct it, import, and read what came of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.errors import BadRows, Cancelled, InvalidValue, KnownError, UnknownName
from core.model.price_file import BadRow, FileGuess, ImportPlan, ImportReport
from core.model.result import Progress
from ui.dialogs.empty_state import EmptyState
from ui.dialogs.import_format import ImportFields
from ui.dialogs.import_result import ImportResultPage
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

if TYPE_CHECKING:
    from core.engine import Engine

_INSPECT = "import: looking at the file"
_DEBOUNCE_MS = 250
_FILES = "Price files (*.csv *.txt *.tsv *.gz *.zip *.zst *.parquet);;All files (*)"
_EMPTY, _SETTLE, _WORK, _RESULT = range(4)


class ImportDataDialog(QDialog):
    """Opened with `open()`. With `path`, that file is looked at right away. A file can also be dropped on it."""

    imported = Signal(object)
    """The ImportReport of a finished import."""

    def __init__(
        self, *, engine: Engine, tasks: TaskScope, theme: Theme, sizes: Sizes, path: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-import-data")
        self.setWindowTitle("Import data")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self.setStyleSheet(role_sheet(theme, sizes))
        self._engine, self._tasks, self._sizes = engine, tasks, sizes
        self._guess: FileGuess | None = None
        self._looked_at = ""
        self._work: asyncio.Task[None] | None = None
        self._closing = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_DEBOUNCE_MS)
        self._later.timeout.connect(self._inspect_again)
        self.path = QLineEdit(self)
        self.path.setObjectName("field-import-path")
        self.path.setAccessibleName("File")
        self.path.setPlaceholderText("CSV (also .gz, .zip, .zst) or Parquet")
        self.path.editingFinished.connect(self._inspect_path)
        self._browse = browse = QPushButton("Choose file…", self)
        browse.setObjectName("button-choose-file")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._choose)
        top = QHBoxLayout()
        top.setSpacing(sizes.step * 2)
        top.addWidget(self.path, 1)
        top.addWidget(browse)
        self._banner = Banner("import-message", self)
        self.fields = ImportFields(sizes, self)
        self.fields.format_changed.connect(self._later.start)
        self.result_page = ImportResultPage(sizes, self)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._make_empty())
        self._pages.addWidget(self._make_settle())
        self._pages.addWidget(self._make_work())
        self._pages.addWidget(self.result_page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addLayout(top)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._banner)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 66, sizes.font * 52)
        self._show_page(_EMPTY)
        if path:
            self.look_at(path)

    # --- what is shown ---

    def _make_empty(self) -> QWidget:
        return EmptyState(
            "Drop a price file here",
            "CSV, also as .gz, .zip or .zst, or Parquet. Its layout is guessed and shown before anything is stored.",
            self._sizes,
            self,
        )

    def _make_settle(self) -> QWidget:
        content = QWidget(self)
        self._said = QLabel(content)
        self._said.setObjectName("import-said")
        self._said.setProperty("role", "muted")
        self._said.setWordWrap(True)
        self._doubts = QLabel(content)
        self._doubts.setObjectName("import-doubts")
        self._doubts.setProperty("role", "doubt")
        self._doubts.setWordWrap(True)
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, self._sizes.step, 0)
        layout.setSpacing(self._sizes.step * 2)
        layout.addWidget(self._said)
        layout.addWidget(self._doubts)
        layout.addWidget(self.fields, 1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        return area

    def _make_work(self) -> QWidget:
        page = QWidget(self)
        self._doing = QLabel(page)
        self._doing.setObjectName("import-progress-text")
        self.progress = QProgressBar(page)
        self.progress.setObjectName("import-progress")
        self.progress.setAccessibleName("Progress of the import")
        self.progress.setRange(0, 1_000)
        layout = QVBoxLayout(page)
        layout.addStretch(1)
        layout.addWidget(self._doing)
        layout.addWidget(self.progress)
        layout.addStretch(1)
        return page

    def _make_footer(self) -> QHBoxLayout:
        self.import_button = self._button("Import", "button-import", self._import_clicked)
        self.import_button.setProperty("role", "primary")
        self.import_button.setDefault(True)
        self.skip_button = self._button("Skip these rows", "button-skip-bad-rows", self._skip_clicked)
        self.back_button = self._button("Back", "button-back", lambda: self._show_page(_SETTLE))
        self.another_button = self._button("Import another file", "button-import-another", self._start_over)
        self.cancel_button = self._button("Cancel", "button-cancel", self.reject)
        footer = QHBoxLayout()
        footer.setSpacing(self._sizes.step * 2)
        footer.addStretch(1)
        for button in (self.back_button, self.another_button, self.cancel_button, self.skip_button, self.import_button):
            footer.addWidget(button)
        return footer

    def _button(self, text: str, name: str, slot: object) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setAutoDefault(False)
        button.clicked.connect(slot)
        return button

    def _show_page(self, page: int, *, stopped: bool = False) -> None:
        """Show a page and its buttons; `stopped`: the result page tells of rows that stopped the import."""
        self._pages.setCurrentIndex(page)
        done = page == _RESULT and not stopped
        self.import_button.setVisible(page in {_EMPTY, _SETTLE})
        self.import_button.setEnabled(page == _SETTLE)
        self.skip_button.setVisible(page == _RESULT and stopped)
        self.skip_button.setDefault(page == _RESULT and stopped)
        self.back_button.setVisible(page == _RESULT and stopped)
        self.another_button.setVisible(done)
        self.cancel_button.setText("Close" if done else "Cancel")
        self.cancel_button.setDefault(done)
        self.import_button.setDefault(page == _SETTLE)
        for widget in (self.path, self._browse):
            widget.setEnabled(page in {_EMPTY, _SETTLE})

    # --- looking at the file ---

    def look_at(self, path: str) -> None:
        """Look at this file, with nothing settled yet."""
        self.path.setText(path)
        self._looked_at = ""
        self._inspect_path()

    def _choose(self) -> None:
        chooser = QFileDialog(self, "Choose a price file", str(Path(self.path.text()).parent) if self.path.text() else "", _FILES)
        chooser.setObjectName("dialog-choose-file")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.setFileMode(QFileDialog.FileMode.ExistingFile)
        chooser.fileSelected.connect(self.look_at)
        chooser.open()

    def _inspect_path(self) -> None:
        path = self.path.text().strip()
        # Leaving the field also ends editing: a path that was looked at is not looked at again.
        if not path or path == self._looked_at:
            return
        self._looked_at = path
        self._guess = None
        self.import_button.setEnabled(False)
        self._tasks.start(self._inspect(path, again=False), what=f"reading {Path(path).name}", latest=_INSPECT)

    @property
    def is_waiting_to_look(self) -> bool:
        """Whether a correction will be looked at in a moment."""
        return self._later.isActive()

    def _inspect_again(self) -> None:
        if self._guess is not None:
            self.import_button.setEnabled(False)
            self._tasks.start(self._inspect(self._guess.path, again=True), what=f"reading {Path(self._guess.path).name}", latest=_INSPECT)

    async def _inspect(self, path: str, *, again: bool) -> None:
        file_format = self.fields.file_format() if again else None
        symbol = self.fields.symbol_text() if again else None
        try:
            guess = await self._engine.inspect_file(Path(path), file_format, symbol)
        except KnownError as error:
            if again:
                self._refuse(error)
            else:
                self._banner.say(str(error))
                self._show_page(_EMPTY)
            return
        self._guess = guess
        self._banner.say("")
        self._show_page(_SETTLE)
        self._said.setText(" ".join(guess.said))
        self._said.setVisible(bool(guess.said))
        self._doubts.setText("\n".join(guess.doubts))
        self._doubts.setVisible(bool(guess.doubts))
        self.fields.show_guess(guess, first=not again)

    # --- importing ---

    def _import_clicked(self) -> None:
        if self._guess is None or self._work is not None:
            return
        try:
            plan = self.fields.plan(self._guess.path)
        except InvalidValue as error:
            self._refuse(error)
            return
        self._later.stop()
        self._tasks.cancel(_INSPECT)
        self._banner.say("")
        self._doing.setText(f"Reading {Path(plan.path).name}")
        self.progress.setValue(0)
        self._show_page(_WORK)
        self._work = self._tasks.start(self._import(plan), what=f"importing {Path(plan.path).name}")
        self._work.add_done_callback(self._after_work)

    def _skip_clicked(self) -> None:
        self.fields.skip_bad_rows()
        self._import_clicked()

    async def _import(self, plan: ImportPlan) -> None:
        try:
            report = await self._engine.import_file(plan, self._on_progress)
        except Cancelled:
            self._after_cancel()
        except BadRows as error:
            self._show_bad_rows(error)
        except KnownError as error:
            self._show_page(_SETTLE)
            self._refuse(error)
        else:
            self._show_report(report)

    def _after_work(self, work: asyncio.Task[None]) -> None:
        self._work = None
        if work.cancelled():
            self._after_cancel()
        elif self._pages.currentIndex() == _WORK:
            # A bug of ours, which the owner of the task has reported.
            self._show_page(_SETTLE)

    def _on_progress(self, progress: Progress) -> None:
        self._doing.setText(progress.what)
        self.progress.setValue(progress.done * 1_000 // max(1, progress.total))

    def _after_cancel(self) -> None:
        if self._closing:
            super().reject()
            return
        self._show_page(_SETTLE)
        self._banner.say("The import was cancelled; nothing was changed.", "note")

    def _show_bad_rows(self, error: BadRows) -> None:
        rows = [row for row in error.bad_rows if isinstance(row, BadRow)]
        self.result_page.show_refusal(error.refused_by_reason, rows)
        self._show_page(_RESULT, stopped=True)
        self.skip_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_report(self, report: ImportReport) -> None:
        self.result_page.show_report(report)
        self._show_page(_RESULT)
        self.cancel_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.imported.emit(report)

    def _refuse(self, error: KnownError) -> None:
        field = error.field if isinstance(error, InvalidValue) else error.kind if isinstance(error, UnknownName) else ""
        row = self.fields.rows().get(field)
        if row is None:
            self._banner.say(str(error))
            return
        row.show_error(str(error))
        row.control.setFocus(Qt.FocusReason.OtherFocusReason)

    def _start_over(self) -> None:
        self._guess = None
        self._looked_at = ""
        self.path.clear()
        self._banner.say("")
        self._show_page(_EMPTY)
        self.path.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- closing and dropping ---

    def reject(self) -> None:
        """Cancel the import while it goes on; otherwise close."""
        if self._work is not None:
            self._work.cancel()
            return
        super().reject()

    def closeEvent(self, event: object) -> None:
        if self._work is not None:
            self._closing = True
        super().closeEvent(event)  # type: ignore[arg-type]

    def done(self, result: int) -> None:
        self._later.stop()
        self._tasks.cancel(_INSPECT)
        super().done(result)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if files:
            event.acceptProposedAction()
            self.look_at(files[0])
