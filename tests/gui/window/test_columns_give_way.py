"""Where a panel is too narrow for all columns the less important ones are left out, and come back; nobody's choice is changed by it."""

from PySide6.QtWidgets import QApplication

from tests.gui.window.conftest import MakeDesk
from ui.panels.dense_table import DenseTable
from ui.style import selection_colour


def shown(table: DenseTable) -> list[str]:
    """The columns on the screen, by key."""
    return [column.key for place, column in enumerate(table.table_model.columns) if not table.isColumnHidden(place)]


def place_of(table: DenseTable, key: str) -> int:
    return [column.key for column in table.table_model.columns].index(key)


def narrowed(table: DenseTable, width: int) -> None:
    """Give the table this width, as a splitter does."""
    table.resize(width, table.height())
    QApplication.sendPostedEvents()


async def test_the_less_important_columns_go_first_and_come_back(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    table = desk.window.data.sets.table
    narrowed(table, 500)
    assert shown(table) == ["symbol", "timeframe", "source", "bars", "period", "state"]
    narrowed(table, 400)
    assert shown(table) == ["symbol", "timeframe", "source", "bars", "period"]
    assert not table.horizontalScrollBar().maximum()
    narrowed(table, 320)
    assert shown(table) == ["symbol", "timeframe", "bars", "period"]
    narrowed(table, 200)
    assert shown(table) == ["symbol", "timeframe", "bars", "period"]
    assert table.horizontalScrollBar().maximum()
    narrowed(table, 500)
    assert shown(table) == ["symbol", "timeframe", "source", "bars", "period", "state"]


async def test_who_switches_a_column_on_keeps_it(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    table = desk.window.data.sets.table
    narrowed(table, 400)
    table.show_column(place_of(table, "state"), True)
    assert "state" in shown(table)
    assert "source" not in shown(table)
    table.show_column(place_of(table, "state"), False)
    narrowed(table, 800)
    assert "state" not in shown(table)
    table.reset_columns()
    assert "state" in shown(table)


async def test_what_had_to_give_way_is_not_remembered_as_a_wish(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    table = desk.window.tables["runs"].table
    narrowed(table, 380)
    assert "spark" not in shown(table)
    assert not table.horizontalScrollBar().maximum()
    state = table.columns_state()
    assert "spark" not in shown(table)
    narrowed(table, 600)
    table.show_column(place_of(table, "mode"), False)
    assert table.restore_columns(state)
    assert {"spark", "mode"} <= set(shown(table))


async def test_the_highlight_of_a_row_reaches_the_panels_edge_where_the_last_column_is_a_number(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    table = desk.window.tables["runs"].table
    narrowed(table, 600)
    table.show_column(place_of(table, "spark"), False)
    view = table.viewport()
    assert table.horizontalHeader().length() < view.width()
    table.selectRow(0)
    row = table.rowViewportPosition(0) + 2
    picture = view.grab().toImage()
    inside, beyond, below = (
        picture.pixelColor(x, y) for x, y in ((2, row), (view.width() - 2, row), (view.width() - 2, row + table.rowHeight(0)))
    )
    assert beyond == inside == selection_colour(table.table_model.look.theme)
    assert below != beyond
    table.clearSelection()
    assert view.grab().toImage().pixelColor(view.width() - 2, row) == below
