"""Writing the report of the run that is looked at to a place that the person chooses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QDir, QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

if TYPE_CHECKING:
    from core.model.run import Run
    from ui.actions import Actions
    from ui.run_loader import LoadedRun
    from ui.services import Services
    from ui.tasks import TaskScope


class ReportExport(QObject):
    """Binds the two acts: one page, or a folder with the page and all tables. An error goes to the scope's handler."""

    said = Signal(str)
    """What was written, and where."""
    progressed = Signal(str)
    """What is being done, in words; empty when it is over."""

    def __init__(self, *, acts: Actions, services: Services, tasks: TaskScope, parent: QWidget) -> None:
        super().__init__(parent)
        self._acts, self._services, self._tasks, self._window = acts, services, tasks, parent
        self._run: Run | None = None
        self._folder = QDir.homePath()
        acts.bind("export-report", self.choose_page, enabled=False)
        acts.bind("export-report-files", self.choose_folder, enabled=False)

    def offer(self, loaded: LoadedRun | None) -> None:
        """Take the run whose report is shown; without a result there is nothing to write."""
        self._run = None if loaded is None or loaded.result is None else loaded.run
        for name in ("export-report", "export-report-files"):
            self._acts[name].setEnabled(self._run is not None)

    def choose_page(self) -> None:
        """Ask for a file, and write the report to it as one page."""
        if self._run is None:
            return
        chooser = self._chooser("dialog-export-report", "Export the report as one page", QFileDialog.FileMode.AnyFile)
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setNameFilter("Web page (*.html)")
        chooser.setDefaultSuffix("html")
        chooser.selectFile(file_name(self._run))
        chooser.open()

    def choose_folder(self) -> None:
        """Ask for a folder, and write the report to it as a page with its tables in files of their own."""
        if self._run is None:
            return
        chooser = self._chooser("dialog-export-report-files", "Choose a folder for the report's files", QFileDialog.FileMode.Directory)
        chooser.setOption(QFileDialog.Option.ShowDirsOnly)
        chooser.setLabelText(QFileDialog.DialogLabel.Accept, "Export here")
        chooser.open()

    def _chooser(self, name: str, title: str, mode: QFileDialog.FileMode) -> QFileDialog:
        run = self._run
        assert run is not None
        chooser = QFileDialog(self._window, title, self._folder)
        chooser.setObjectName(name)
        chooser.setFileMode(mode)
        # Qt's own question would nest the loop; what is no report of ours is refused, with the file's name.
        chooser.setOption(QFileDialog.Option.DontConfirmOverwrite)
        chooser.fileSelected.connect(lambda path: self.write(run, Path(path)))
        chooser.finished.connect(chooser.deleteLater)
        return chooser

    def write(self, run: Run, path: Path) -> None:
        """Write the report of a run to a page or a folder."""
        self._folder = str(path.parent)
        self._tasks.start(self._write(run, path), what="exporting the report", latest="export-report")

    async def _write(self, run: Run, path: Path) -> None:
        self.progressed.emit("Writing the report …")
        try:
            files = await self._services.export_report(run.id, path)
        finally:
            self.progressed.emit("")
        what = f"The report of {run.config.strategy_id} on {', '.join(run.config.symbols)}"
        self.said.emit(f"{what} is written to {path}." if len(files) == 1 else f"{what} is written: {len(files)} files in {path}.")


def file_name(run: Run) -> str:
    """Return a name for the page: `sma-cross-btc-usd-1m-a81f3c.html`."""
    words = (run.config.strategy_id, *run.config.symbols[:3], run.config.timeframe, run.id[-6:])
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-") + ".html"
