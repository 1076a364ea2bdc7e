"""The dialog of splits and dividends on the real engine."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton

from tests.gui.dialogs.desk import LOOK, Desk, child
from ui.dialogs.corporate_actions import CorporateActionsDialog
from ui.dialogs.text_table import TextTableView

ACTIONS = "symbol,date,type,value\nAAPL,2020-08-31,split,4:1\nAAPL,2020-11-06,dividend,0.205\nTSLA,2020-08-31,split,5\n"


class Questions:
    """Takes the questions; each is answered with yes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def confirm(self, heading: str, consequence: str, verb: str, then: Callable[[], object]) -> None:
        self.asked.append((heading, consequence, verb))
        then()


async def opened(desk: Desk, questions: Questions | None = None) -> CorporateActionsDialog:
    dialog = CorporateActionsDialog(
        engine=desk.engine, tasks=desk.tasks, theme=LOOK.theme, sizes=LOOK.sizes, confirm=(questions or Questions()).confirm
    )
    dialog.open()
    await desk.idle()
    return dialog


def rows(table: TextTableView) -> list[list[object]]:
    model = table.table
    return [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())]


def said(dialog: CorporateActionsDialog, name: str) -> str:
    label = child(dialog, name)
    assert isinstance(label, QLabel)
    return label.text()


def file_of(folder: Path, text: str) -> str:
    path = folder / "actions.csv"
    path.write_text(text)
    return str(path)


async def test_a_file_comes_in_and_is_listed(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk)
    assert said(dialog, "corporate-actions-count") == "None are stored yet"
    dialog.import_file(file_of(tmp_path, ACTIONS))
    await desk.idle()
    assert rows(dialog.table) == [
        ["AAPL", "2020-08-31", "split", "4"],
        ["AAPL", "2020-11-06", "dividend", "0.205"],
        ["TSLA", "2020-08-31", "split", "5"],
    ]
    assert said(dialog, "corporate-actions-message") == "3 new, 0 the same as before, 0 changed."
    assert said(dialog, "corporate-actions-count") == "3 stored, of 2 symbols"
    assert not dialog.bad_rows.isVisible()
    dialog.reject()


async def test_bad_rows_stop_the_import_and_are_skipped_when_that_is_chosen(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk)
    path = file_of(tmp_path, ACTIONS + "AAPL,2020-13-01,dividend,0.2\n")
    dialog.import_file(path)
    await desk.idle()
    assert said(dialog, "corporate-actions-message").startswith("Nothing was imported: 1 × bad date.")
    assert rows(dialog.bad_rows) == [["5", "bad date", "The date, '2020-13-01', cannot be read; write it like 2020-08-31."]]
    assert await desk.engine.corporate_actions() == ()
    ways = child(dialog, "field-actions-on-bad")
    assert isinstance(ways, QComboBox)
    ways.setCurrentIndex(ways.findData("skip"))
    dialog.import_file(path)
    await desk.idle()
    assert said(dialog, "corporate-actions-message") == "3 new, 0 the same as before, 0 changed. Refused: 1 × bad date."
    assert len(rows(dialog.table)) == 3
    dialog.reject()


async def test_a_symbol_stands_beside_a_file_that_names_none(desk: Desk, tmp_path: Path) -> None:
    dialog = await opened(desk)
    path = file_of(tmp_path, "date,splits\n2020-08-31,4\n")
    dialog.import_file(path)
    await desk.idle()
    assert "does not name the symbols" in said(dialog, "corporate-actions-message")
    symbol = child(dialog, "field-actions-symbol")
    assert isinstance(symbol, QLineEdit)
    symbol.setText("A B")
    dialog.import_file(path)
    assert "symbol cannot be 'A B'" in said(dialog, "field-actions-symbol-error")
    symbol.setText("aapl")
    dialog.import_file(path)
    await desk.idle()
    assert rows(dialog.table) == [["AAPL", "2020-08-31", "split", "4"]]
    dialog.reject()


async def test_those_of_the_selected_symbol_go_after_a_question(desk: Desk, tmp_path: Path) -> None:
    questions = Questions()
    dialog = await opened(desk, questions)
    dialog.import_file(file_of(tmp_path, ACTIONS))
    await desk.idle()
    delete = child(dialog, "button-actions-delete")
    assert isinstance(delete, QPushButton)
    assert not delete.isEnabled()
    dialog.table.selectRow(1)
    assert delete.text() == "Delete those of AAPL…"
    delete.click()
    await desk.idle()
    assert [heading for heading, _, _ in questions.asked] == ["Delete the splits and dividends of AAPL?"]
    assert rows(dialog.table) == [["TSLA", "2020-08-31", "split", "5"]]
    assert not delete.isEnabled()
    dialog.reject()
