"""The tables of the window: sorting by value, filtering, copying, empty states, and a place that stays."""

from decimal import Decimal

import pytest
from PySide6.QtCore import QAbstractItemModel, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest

from core.events.payloads import OrderCreated
from tests.gui.window.conftest import MakeDesk
from tests.unit.views.events import Events
from ui.format import THIN

TABLES = ("runs", "orders", "fills", "positions", "trades", "activity")


def watch(model: QAbstractItemModel) -> QAbstractItemModelTester:
    """Let Qt check the model at every signal; a broken rule is a Qt warning, which fails the test."""
    return QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning, model)


@pytest.mark.parametrize("name", TABLES)
async def test_each_model_keeps_qts_rules(make_desk: MakeDesk, name: str) -> None:
    desk = await make_desk()
    model: QAbstractItemModel = desk.window.tables[name].model
    tester = watch(model)
    await desk.finished_run()
    await desk.finished_run("ETH/USD")
    assert tester.model() is model


async def test_models_keep_qts_rules_while_rows_come_leave_and_are_sorted(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.pending_run()
    window, events = desk.window, Events(str(desk.window.views.selected))
    model = window.tables["orders"].model
    tester = watch(model)
    for number in range(6):
        window.views.fold(events.order(f"o{number}", qty=str(10 - number)))
        model.flush()
        model.sort(4, Qt.SortOrder.AscendingOrder if number % 2 else Qt.SortOrder.DescendingOrder)
    window.views.fold(events.rejected("o3"))
    window.views.orders.remove("o1")
    model.flush()
    assert model.rowCount() == 5
    assert tester.model() is model


async def test_numbers_sort_by_value(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.pending_run()
    window, events = desk.window, Events(str(desk.window.views.selected))
    for number, qty in enumerate(("10", "9", "100", "0.5")):
        window.views.fold(events.order(f"o{number}", qty=qty))
    panel = window.tables["orders"]
    panel.model.flush()
    column = [each.key for each in panel.model.columns].index("qty")
    panel.table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert [panel.model.row_at(row).request.qty for row in range(4)] == [Decimal("0.5"), 9, 10, 100]
    assert panel.model.index(0, column).data() == "0.5"
    assert panel.model.index(3, column).data() == "100.0"


async def test_big_tables_are_sorted_in_slices(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.models.table_model.BIG", 4)
    desk = await make_desk()
    await desk.finished_run()
    panel = desk.window.tables["trades"]
    column = [each.key for each in panel.model.columns].index("pnl")
    panel.table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    await desk.window.settled()
    profits = [panel.model.row_at(row).pnl for row in range(panel.model.rowCount())]
    assert profits == sorted(profits)
    assert len(profits) > 4


async def test_the_filter_takes_all_words_and_escape_clears_it(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    window.docks["orders"].raise_()
    panel = window.tables["orders"]
    everything = panel.model.rowCount()
    panel.focus_filter()
    assert window.focusWidget() is panel.filter
    QTest.keyClicks(panel.filter, "sell btc")
    panel._start_filter()
    await window.settled()
    shown = [panel.model.row_at(row) for row in range(panel.model.rowCount())]
    assert {order.request.side.value for order in shown} == {"sell"}
    assert 0 < len(shown) < everything
    assert panel.count.text() == f"{len(shown)} of {everything} orders"
    panel._leave_filter()
    panel._start_filter()
    await window.settled()
    assert panel.model.rowCount() == everything
    assert window.focusWidget() is panel.table


async def test_copying_gives_what_is_selected_as_a_spreadsheet_takes_it(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    panel = desk.window.tables["fills"]
    panel.table.selectRow(0)
    panel.table.copy_selection()
    header, line = QGuiApplication.clipboard().text().split("\n")
    cells = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    fill = panel.model.row_at(0)
    assert cells["Order"] == fill.order_id
    assert Decimal(cells["Price"]) == fill.price
    assert cells["Time (UTC)"].startswith("2014-07-")
    assert "Fill" not in cells


async def test_empty_tables_say_what_will_be_there(make_desk: MakeDesk) -> None:
    window = (await make_desk(with_bars=False)).window
    for name in TABLES:
        panel = window.tables[name]
        assert panel._stack.currentWidget() is panel.empty_state
        assert panel.count.text() == ""


async def test_new_rows_do_not_move_what_is_read(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.pending_run()
    window, events = desk.window, Events(str(desk.window.views.selected))
    window.docks["orders"].raise_()
    panel = window.tables["orders"]
    for number in range(200):
        window.views.fold(events.order(f"o{number}"))
    panel.model.flush()
    await window.settled()
    bar = panel.table.verticalScrollBar()
    bar.setValue(50)
    top = panel.model.row_at(panel.table.rowAt(0))
    for number in range(200, 230):
        window.views.fold(events.order(f"o{number}"))
    panel.model.flush()
    assert panel.model.row_at(panel.table.rowAt(0)) == top
    bar.setValue(0)
    window.views.fold(events.order("newest"))
    panel.model.flush()
    assert panel.model.row_at(panel.table.rowAt(0)).id == "newest"


async def test_a_selected_row_stays_selected_while_rows_come_and_are_sorted(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.pending_run()
    window, events = desk.window, Events(str(desk.window.views.selected))
    panel = window.tables["orders"]
    for number in range(5):
        window.views.fold(events.order(f"o{number}", qty=str(number + 1)))
    panel.model.flush()
    assert panel.table.select_key("o2")
    window.views.fold(events.order("o9", qty="3.5"))
    panel.model.flush()
    panel.table.sortByColumn(4, Qt.SortOrder.AscendingOrder)
    assert [order.id for order in panel.table.selected_rows()] == ["o2"]  # type: ignore[attr-defined]


async def test_cells_are_written_for_a_person_and_for_a_screen_reader(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    model = desk.window.tables["orders"].model
    column = {each.key: place for place, each in enumerate(model.columns)}
    order = model.row_at(0)
    assert model.index(0, column["id"]).data() == f"{order.id[:5]}…{order.id[-6:]}" or len(order.id) <= 12
    assert model.index(0, column["id"]).data(Qt.ItemDataRole.ToolTipRole) == order.id
    assert model.index(0, column["status"]).data(Qt.ItemDataRole.AccessibleTextRole) == "Status Filled"
    assert model.index(0, column["limit"]).data() == "–"
    assert model.headerData(column["created"], Qt.Orientation.Horizontal) == "Decided (UTC)"
    assert THIN not in desk.window.tables["orders"].model.index(0, column["qty"]).data()


async def test_many_order_events_at_once_do_not_lose_one(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.pending_run()
    events = Events(run.id)
    told = [events.wrap(OrderCreated(order=event.payload.order)) for event in (events.order(f"o{n}") for n in range(2_000))]  # type: ignore[attr-defined]
    desk.store.log.announce(told)
    await desk.window.settled()
    assert desk.window.tables["orders"].model.rowCount() == 2_000


async def test_columns_can_be_hidden_by_the_header_menu(make_desk: MakeDesk) -> None:
    from PySide6.QtWidgets import QMenu

    window = (await make_desk()).window
    table = window.tables["orders"].table
    menu = QMenu(window)
    table.fill_columns_menu(menu)
    symbol = next(action for action in menu.actions() if action.text() == "Symbol")
    assert symbol.isChecked()
    symbol.trigger()
    assert table.isColumnHidden(1)
    reset = next(action for action in menu.actions() if action.text() == "Reset columns")
    reset.trigger()
    assert not table.isColumnHidden(1)


async def test_a_changed_value_flashes_once_unless_it_is_turned_off(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.pending_run()
    window, events = desk.window, Events(str(desk.window.views.selected))
    table, model = window.tables["orders"].table, window.tables["orders"].model
    window.docks["orders"].raise_()
    column = [each.key for each in model.columns].index("status")
    window.views.fold(events.order("o1"))
    model.flush()
    status = model.index(0, column)
    assert status.data() == "Created"
    window.views.fold(events.accepted("o1"))
    model.flush()
    assert status.data(Qt.ItemDataRole.BackgroundRole) is not None
    corner = table.visualRect(status).topRight() - QPoint(3, -3)
    assert table.viewport().grab().toImage().pixelColor(corner).name() != window.theme.panel
    assert model.index(0, 0).data(Qt.ItemDataRole.BackgroundRole) is None
    model._flash_timer.timeout.emit()
    assert table.viewport().grab().toImage().pixelColor(corner).name() == window.theme.panel
    assert status.data(Qt.ItemDataRole.BackgroundRole) is None
    window.take_settings(window.settings.with_value("window.flash", False))
    assert status.data() == "Accepted"
    window.views.fold(events.rejected("o1"))
    model.flush()
    assert status.data(Qt.ItemDataRole.BackgroundRole) is None
