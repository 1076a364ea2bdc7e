"""The window as a whole: what is in it, how it looks, how its layout is kept, how it closes."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent, QImage
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QDialog, QDockWidget, QLineEdit, QTableView, QWidget

from core.engine import Engine
from core.errors import StoreReadOnly, UnknownName
from core.model.hand import TradingAccount
from core.model.market import BarSetKey
from tests.gui.window.conftest import MakeDesk
from ui.actions import ACTS
from ui.theme import DARK, LIGHT
from ui.window import MainWindow

DOCKS = "runs chart orders fills positions trades activity report data log watchlist ticket account".split()
TABLES = "runs orders positions activity fills trades".split()
ACTIONS = "new-run start-run stop-run import-data settings kill-switch reset-layout command-palette".split()


async def test_everything_has_its_name(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    assert window.objectName() == "main-window"
    assert {dock.objectName() for dock in window.findChildren(QDockWidget)} == {f"dock-{name}" for name in DOCKS}
    tables = {table.objectName() for table in window.findChildren(QTableView)}
    assert {f"table-{name}" for name in TABLES} <= tables
    actions = {action.objectName() for action in window.findChildren(QAction)}
    assert {f"action-{name}" for name in ACTIONS} <= actions


async def test_every_widget_a_person_can_use_has_a_name_and_says_what_it_is(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    unnamed: list[QObject] = []
    for widget in window.findChildren(QWidget):
        usable = isinstance(widget, (QAbstractButton, QLineEdit, QComboBox, QTableView, QAbstractSpinBox))
        if not usable or widget.objectName().startswith("qt_") or type(widget).__name__ == "QTableCornerButton":
            continue
        inside = isinstance(widget.parent(), (QLineEdit, QTableView)) or widget.metaObject().className().startswith(
            ("QDockWidgetTitle", "QTabBar")
        )
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not inside and not (widget.objectName() and (widget.accessibleName() or text)):
            unnamed.append(widget)
    assert [f"{widget.metaObject().className()} in {widget.parent()}" for widget in unnamed if not _is_private(widget)] == []


def _is_private(widget: QObject) -> bool:
    return widget.metaObject().className() in {"QTableCornerButton", "CloseButton", "QToolBarExtension", "QLineEditIconButton"}


async def test_accounts_are_asked_for_once_the_chart_is_there(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    on_chart: list[BarSetKey | None] = []
    accounts, load = Engine.trading_accounts, MainWindow.open

    async def asked(engine: Engine) -> list[TradingAccount]:
        on_chart.append(opened[0].feed.key)
        return await accounts(engine)

    opened: list[MainWindow] = []

    async def open_(window: MainWindow) -> None:
        opened.append(window)
        await load(window)

    monkeypatch.setattr(Engine, "trading_accounts", asked)
    monkeypatch.setattr(MainWindow, "open", open_)
    desk = await make_desk()
    assert on_chart == [desk.window.feed.key]
    assert on_chart != [None]


async def test_layout_at_the_first_start(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    place = {name: window.docks[name].geometry() for name in DOCKS}
    assert place["runs"].right() < place["chart"].left()
    assert place["chart"].right() < place["report"].left()
    assert place["chart"].bottom() < place["trades"].top()
    assert place["data"].top() > place["runs"].bottom()
    assert place["chart"].width() > window.width() * 0.45
    assert {dock.objectName() for dock in window.tabifiedDockWidgets(window.docks["orders"])} == {
        f"dock-{name}" for name in ("fills", "positions", "trades", "activity", "log")
    }


async def test_ticket_and_account_lie_beside_the_report_and_the_watchlist_beside_the_data(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window

    def beside(name: str) -> set[str]:
        return {dock.objectName() for dock in window.tabifiedDockWidgets(window.docks[name])}

    assert beside("report") == {"dock-ticket", "dock-account"}
    assert beside("data") == {"dock-watchlist"}


async def test_a_layout_from_before_the_ticket_is_kept_and_the_new_panels_have_their_places(make_desk: MakeDesk) -> None:
    from PySide6.QtWidgets import QMainWindow

    from ui.services import MemoryLayout

    former = QMainWindow()
    docks = {}
    for name in DOCKS[:10]:
        docks[name] = QDockWidget(name, former)
        docks[name].setObjectName(f"dock-{name}")
        former.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks[name])
    former.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, docks["report"])
    former.tabifyDockWidget(docks["runs"], docks["chart"])
    docks["log"].hide()
    layout = MemoryLayout()
    layout.save("window-layout", bytes(former.saveState(1).data()))
    window = (await make_desk(layout=layout)).window
    assert window.docks["log"].isHidden()
    assert window.docks["chart"] in window.tabifiedDockWidgets(window.docks["runs"])
    assert window.docks["ticket"] in window.tabifiedDockWidgets(window.docks["report"])
    assert window.docks["watchlist"] in window.tabifiedDockWidgets(window.docks["data"])
    assert not window.docks["account"].isHidden()
    former.deleteLater()


async def test_the_theme_can_be_switched_and_follows_the_desktop(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    assert window.theme == DARK
    window.acts["theme-light"].trigger()
    assert window.theme == LIGHT
    assert LIGHT.panel in window.styleSheet()
    assert window.tables["orders"].model.look.theme == LIGHT
    assert window.acts["theme-light"].isChecked()
    window.acts["theme-system"].trigger()
    assert window.settings.text("window.theme") == "system"


async def test_the_colour_blind_palette_changes_up_and_down(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    window.take_settings(window.settings.with_value("window.colour_blind", True))
    assert window.theme.up == DARK.for_colour_blind().up


async def test_layout_is_kept_restored_and_reset(make_desk: MakeDesk) -> None:
    first = await make_desk()
    first.window.docks["report"].close()
    first.window.tables["orders"].table.setColumnWidth(1, 222)
    first.window.tables["orders"].table.setColumnHidden(2, True)
    first.window.data.sets.table.setColumnWidth(1, 222)
    assert await first.window.shut_down() == []
    second = (await make_desk(layout=first.layout)).window
    orders = second.tables["orders"].table
    assert second.docks["report"].isHidden()
    assert orders.columnWidth(1) == 222
    assert orders.isColumnHidden(2)
    assert second.data.sets.table.columnWidth(1) == 222
    second.acts["reset-layout"].trigger()
    assert not second.docks["report"].isHidden()
    assert orders.columnWidth(1) != 222
    assert not orders.isColumnHidden(2)
    assert second.data.sets.table.columnWidth(1) != 222


async def test_the_log_button_follows_the_menu_of_the_chart(make_desk: MakeDesk) -> None:
    panel = (await make_desk()).window.chart
    menu = next(action for action in panel.chart.findChildren(QAction) if action.objectName() == "chart-log-scale")
    menu.trigger()
    assert panel.log.isChecked()
    assert panel.chart.scene.log
    panel.log.click()
    assert not menu.isChecked()
    assert not panel.chart.scene.log


async def test_a_layout_that_does_not_fit_gives_the_first_one(make_desk: MakeDesk) -> None:
    from ui.services import MemoryLayout

    broken = MemoryLayout()
    broken.save("window-layout", b"\x00\x01nonsense")
    broken.save("window-geometry", b"nonsense")
    broken.save("columns-orders", b"nonsense")
    window = (await make_desk(layout=broken)).window
    assert not window.docks["report"].isHidden()
    assert not window.tables["orders"].table.isColumnHidden(0)


async def test_closing_asks_and_then_closes(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    desk.window.close()
    assert desk.window.isVisible()
    assert desk.quits == ["asked"]
    assert await desk.window.shut_down() == []
    desk.window.close_now()
    assert not desk.window.isVisible()


async def test_f6_goes_through_the_panels_and_back(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    window.activateWindow()
    visited = []
    for _ in DOCKS:
        focus = window.focusWidget()
        visited.append(next(name for name in DOCKS if window.docks[name].isAncestorOf(focus)))
        window.acts["next-panel"].trigger()
    assert sorted(visited) == sorted(DOCKS)
    here = window.focusWidget()
    window.acts["next-panel"].trigger()
    window.acts["previous-panel"].trigger()
    assert window.focusWidget() is here


async def test_every_act_stands_in_a_menu_with_its_words_and_can_be_found(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    names = {action.objectName() for action in window.acts.all()}
    assert {f"action-{act.name}" for act in ACTS} <= names
    assert {f"action-show-{name}" for name in DOCKS} <= names
    for action in window.acts.all():
        assert action.text()
        shortcut = action.shortcut().toString()
        if shortcut and action.objectName().removeprefix("action-") in {act.name for act in ACTS if act.shortcut}:
            assert f"({action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)})" in action.toolTip()


async def test_no_two_acts_share_a_shortcut(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    everywhere = [action for action in window.acts.all() if action.shortcutContext() is not Qt.ShortcutContext.WidgetShortcut]
    shortcuts = [action.shortcut().toString() for action in everywhere if not action.shortcut().isEmpty()]
    assert len(shortcuts) == len(set(shortcuts))


async def test_a_picture_of_the_window_and_of_one_panel(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk = await make_desk()
    await desk.finished_run()
    await desk.window.grab_to(tmp_path / "window.png", (1280, 800))
    image = QImage(str(tmp_path / "window.png"))
    assert (image.width(), image.height()) == (1280, 800)
    assert len({image.pixelColor(x, y).name() for x in range(0, 1280, 16) for y in range(0, 800, 16)}) > 8
    await desk.window.grab_to(tmp_path / "chart.png", panel="chart")
    assert QImage(str(tmp_path / "chart.png")).width() < 1280
    with pytest.raises(UnknownName, match="orders"):
        await desk.window.grab_to(tmp_path / "x.png", panel="oders")
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        await desk.window.grab_to(tmp_path / "nowhere" / "x.png")


async def test_the_status_line_tells_where_how_quick_and_when(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    assert "memory" in window.status.database.text()
    assert window.status.loop.text().endswith(" ms")
    assert window.status.clock.text().startswith("UTC ")
    assert "New York" in window.status.clock.text()


@pytest.mark.parametrize(
    ("act", "dialog"),
    [
        ("new-run", "dialog-new-run"),
        ("import-data", "dialog-import-data"),
        ("settings", "dialog-settings"),
        ("command-palette", "dialog-command-palette"),
        ("about", "dialog-about"),
    ],
)
async def test_acts_open_their_dialogs_without_holding_up_the_loop(make_desk: MakeDesk, act: str, dialog: str) -> None:
    window = (await make_desk()).window
    window.acts[act].trigger()
    opened = window.findChild(QDialog, dialog)
    assert opened is not None
    assert opened.isVisible()
    await window.settled()
    opened.reject()
    assert not opened.isVisible()


async def test_a_price_file_dropped_on_the_window_opens_the_import(make_desk: MakeDesk, tmp_path: Path) -> None:
    window = (await make_desk()).window
    file = tmp_path / "spy.csv"
    file.write_text("Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1.5,2,1,1.8,10\n")
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(file))])
    where, act = QPointF(10, 10), Qt.DropAction.CopyAction
    window.dropEvent(QDropEvent(where, act, dropped, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier))
    dialog = window.findChild(QDialog, "dialog-import-data")
    assert dialog is not None
    await window.settled()
    dialog.reject()


async def test_gaps_of_crypto_are_drawn_as_the_settings_say(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    before = window.chart.chart.scene.data
    window.take_settings(window.settings.with_value("chart.gaps_crypto", False))
    await window.settled()
    after = window.chart.chart.scene.data
    assert before is not None
    assert after is not None
    assert (before.timeline.compress_gaps, after.timeline.compress_gaps) == (False, True)
