"""The import dialog, end to end on real files."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QTableView

from core.model.price_file import ImportReport
from tests.gui.dialogs.desk import BAD_DAILY, DAILY, LOOK, Desk, child, until
from ui.dialogs.import_data import ImportDataDialog


def made(desk: Desk, path: Path | None = None) -> ImportDataDialog:
    dialog = ImportDataDialog(
        engine=desk.engine, tasks=desk.tasks, theme=LOOK.theme, sizes=LOOK.sizes, path=None if path is None else str(path)
    )
    dialog.open()
    return dialog


async def opened(desk: Desk, path: Path) -> ImportDataDialog:
    dialog = made(desk, path)
    await desk.idle()
    return dialog


def written(folder: Path, text: str, name: str = "abc.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def text(dialog: ImportDataDialog, name: str) -> str:
    found = child(dialog, name)
    assert isinstance(found, QLabel)
    return found.text()


def cells(dialog: ImportDataDialog, name: str) -> list[list[str]]:
    table = child(dialog, name)
    assert isinstance(table, QTableView)
    model = table.model()
    return [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())]


async def reread(desk: Desk, dialog: ImportDataDialog) -> None:
    """Wait until a correction was looked at."""
    await until(lambda: not dialog.is_waiting_to_look)
    await desk.idle()


async def test_shows_what_was_guessed_and_imports_it(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    assert text(dialog, "import-said")
    assert dialog.fields.symbol.text() == "ABC"
    assert dialog.fields.timeframe.currentText() == "1d"
    assert [box.currentText() for box in dialog.fields.preview.boxes()] == ["time", "open", "high", "low", "close", "volume"]
    assert cells(dialog, "table-import-preview")[1] == ["2024-01-02", "10.0", "11.0", "9.5", "10.5", "1000"]
    reports: list[ImportReport] = []
    dialog.imported.connect(reports.append)
    dialog.import_button.click()
    await desk.idle()
    assert (reports[0].taken, reports[0].refused, reports[0].merge.added) == (6, 0, 6)
    assert text(dialog, "import-result-sentence") == "6 rows: 6 taken, 0 refused, 2024-01-02 to 2024-01-09."
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [6]
    dialog.reject()


async def test_importing_again_says_what_was_the_same_and_what_changed(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk, written(tmp_path, DAILY.replace("12.0,13.0,11.5,12.5", "12.0,13.0,11.5,12.6")))
    dialog.import_button.click()
    await desk.idle()
    assert text(dialog, "import-result-merge") == "Bars: 0 new, 5 the same as before, 1 changed."
    dialog.reject()


async def test_bad_rows_stop_the_import_are_listed_and_can_be_skipped(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, BAD_DAILY))
    dialog.import_button.click()
    await desk.idle()
    assert text(dialog, "import-result-title") == "Nothing was imported"
    assert [row[0] for row in cells(dialog, "table-import-bad-rows")] == ["8", "9"]
    assert sum(int(row[1]) for row in cells(dialog, "table-import-reasons")) == 2
    assert await desk.engine.bar_sets() == []
    dialog.skip_button.click()
    await desk.idle()
    assert text(dialog, "import-result-sentence").startswith("8 rows: 6 taken, 2 refused")
    assert [row[0] for row in cells(dialog, "table-import-bad-rows")] == ["8", "9"]
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [6]
    dialog.reject()


async def test_back_from_bad_rows_keeps_what_was_settled(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, BAD_DAILY))
    dialog.fields.source.setText("mine")
    dialog.import_button.click()
    await desk.idle()
    dialog.back_button.click()
    assert dialog.fields.isVisible()
    assert dialog.fields.source.text() == "mine"
    assert dialog.import_button.isEnabled()
    dialog.reject()


async def test_a_correction_is_looked_at_again(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    close = dialog.fields.preview.boxes()[4]
    volume = dialog.fields.preview.boxes()[5]
    close.setCurrentIndex(close.findData("volume"))
    volume.setCurrentIndex(volume.findData("close"))
    await reread(desk, dialog)
    assert [box.currentText() for box in dialog.fields.preview.boxes()] == ["time", "open", "high", "low", "volume", "close"]
    dialog.reject()


async def test_a_column_twice_is_explained(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    volume = dialog.fields.preview.boxes()[5]
    volume.setCurrentIndex(volume.findData("close"))
    await reread(desk, dialog)
    assert "close" in text(dialog, "import-message")
    assert await desk.engine.bar_sets() == []
    dialog.reject()


@pytest.mark.parametrize(
    ("field", "typed"), [("field-import-symbol", "no symbol"), ("field-import-source", ""), ("field-import-zone", "Mars/Olympus")]
)
async def test_a_refused_value_is_explained_at_its_field(desk: Desk, tmp_path: Path, field: str, typed: str) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    widget = child(dialog, field)
    if isinstance(widget, QComboBox):
        widget.setCurrentText(typed)
    else:
        widget.setProperty("text", typed)
    await reread(desk, dialog)
    dialog.import_button.click()
    await desk.idle()
    assert text(dialog, f"{field}-error")
    assert await desk.engine.bar_sets() == []
    dialog.reject()


@pytest.mark.parametrize(("content", "sentence"), [("", "empty"), ("hello\nworld\n", "prices")])
async def test_a_file_without_prices_is_refused_in_plain_words(desk: Desk, tmp_path: Path, content: str, sentence: str) -> None:
    dialog = await opened(desk, written(tmp_path, content))
    assert sentence in text(dialog, "import-message")
    assert not dialog.import_button.isEnabled()
    dialog.reject()


async def test_cancel_in_the_middle_stores_nothing_and_goes_back(desk: Desk, tmp_path: Path) -> None:
    rows = [f"{1_388_534_400_000 + minute * 60_000},10,11,9,10,1" for minute in range(200_000)]
    path = tmp_path / "btcusd-1m.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["time,open,high,low,close,volume", *rows]).encode()))
    dialog = await opened(desk, path)
    dialog.fields.symbol.setText("BTC/USD")
    dialog.import_button.click()
    assert dialog.progress.isVisible()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await desk.idle()
    assert "cancelled" in text(dialog, "import-message")
    assert dialog.fields.isVisible()
    assert await desk.engine.bar_sets() == []
    dialog.import_button.click()
    await desk.idle()
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [200_000]
    dialog.reject()


async def test_closing_the_dialog_cancels_the_import_and_closes_it_afterwards(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    dialog.import_button.click()
    dialog.close()
    await desk.idle()
    assert closed == [ImportDataDialog.DialogCode.Rejected.value]
    assert await desk.engine.bar_sets() == []


async def test_progress_moves(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    seen: list[int] = []
    dialog.progress.valueChanged.connect(seen.append)
    dialog.import_button.click()
    await desk.idle()
    assert seen
    assert seen == sorted(seen)
    dialog.reject()


async def test_a_dropped_file_is_looked_at(desk: Desk, tmp_path: Path) -> None:
    dialog = made(desk)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(written(tmp_path, DAILY)))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(dialog, QDragEnterEvent(QPoint(10, 10), copy, data, left, none))
    QApplication.sendEvent(dialog, QDropEvent(QPointF(10, 10), copy, data, left, none))
    await desk.idle()
    assert dialog.fields.symbol.text() == "ABC"
    dialog.reject()


async def test_another_file_starts_over(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    dialog.import_button.click()
    await desk.idle()
    dialog.another_button.click()
    assert dialog.path.text() == ""
    assert dialog.path.hasFocus() or dialog.focusWidget() is dialog.path
    dialog.look_at(str(written(tmp_path, DAILY.replace("2024-01", "2024-02"), "xyz.csv")))
    await desk.idle()
    assert dialog.fields.symbol.text() == "XYZ"
    dialog.reject()


async def test_the_chooser_is_opened_not_executed(desk: Desk) -> None:
    dialog = made(desk)
    button = child(dialog, "button-choose-file")
    assert isinstance(button, QPushButton)
    button.click()
    assert child(dialog, "dialog-choose-file").isVisible()
    child(dialog, "dialog-choose-file").close()
    dialog.reject()


async def test_the_real_file_with_two_closes(desk: Desk, shared_data: Callable[[str], Path]) -> None:
    dialog = await opened(desk, shared_data("spy-1d-yahoo.csv"))
    assert text(dialog, "import-doubts")
    dialog.import_button.click()
    await desk.idle()
    assert [row[0].replace("\u2009", "") for row in cells(dialog, "table-import-bad-rows")] == ["1808", "1825"]
    dialog.skip_button.click()
    await desk.idle()
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [2_517]
    dialog.reject()


async def test_another_delimiter_makes_other_columns_and_the_right_one_brings_them_back(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, DAILY))
    delimiter = dialog.fields.delimiter
    delimiter.setCurrentIndex(delimiter.findData(";"))
    await reread(desk, dialog)
    assert text(dialog, "import-message")
    assert not dialog.import_button.isEnabled()
    delimiter.setCurrentIndex(delimiter.findData(","))
    await reread(desk, dialog)
    assert text(dialog, "import-message") == ""
    assert dialog.fields.file_format().columns == ("time", "open", "high", "low", "close", "volume")
    assert dialog.import_button.isEnabled()
    dialog.reject()


async def test_what_is_wrong_with_a_row_is_read_without_scrolling_to_the_side(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk, written(tmp_path, BAD_DAILY))
    dialog.import_button.click()
    await desk.idle()
    table = dialog.result_page.rows
    assert sum(table.columnWidth(column) for column in range(3)) == table.viewport().width()
    one_line = table.rowHeight(0)
    table.horizontalHeader().sectionResized.emit(2, table.columnWidth(2), 260)
    assert table.rowHeight(0) == table.rowHeight(1) > 1.5 * one_line
    dialog.reject()
