"""A day of trading by hand at a fast market, from the keyboard: at its end the account, the tables and the store say the same."""

from decimal import Decimal

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit

from core.model.broker import AccountName
from core.model.order import OrderSide, OrderStatus, OrderType
from core.model.risk import SwitchLevel
from core.model.run import RunStatus
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import Desk, MakeDesk
from tests.gui.window.test_modes import paper_run
from tests.gui.window.test_trading import answer, connected
from ui.dialogs.change_order import ChangeOrderDialog
from ui.dialogs.close_position import ClosePositionDialog
from ui.panels.dense_table import DenseTable

SPEED = 600.0
"""A minute of the market in a tenth of a second."""


def typed(line: QLineEdit, text: str) -> None:
    """Type over what stands in a line."""
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)


async def sent(desk: Desk, symbol: str, size: str, side: OrderSide = OrderSide.BUY, **prices: str) -> None:
    """Go to the ticket by F9, fill it in, and send it with Enter on its button."""
    ticket = desk.window.trading.ticket
    fields = ticket.fields
    desk.window.acts["order-ticket"].trigger()
    assert desk.window.focusWidget() is fields.symbol
    kinds = {"limit": OrderType.LIMIT, "stop": OrderType.STOP, "trail": OrderType.TRAILING_STOP}
    fields.choose_type(next((kinds[name] for name in prices if name in kinds), OrderType.MARKET))
    fields.choose_side(side)
    fields.exits.setChecked("target" in prices)
    typed(fields.symbol, symbol)
    for name, line in (("limit", fields.limit), ("stop", fields.stop), ("trail", fields.trail), *fields._lines.items()):
        if name in prices:
            typed(line, prices[name])
    typed(fields.amount, size)
    await until(lambda: ticket.send.isEnabled())
    ticket.send.setFocus()
    QTest.keyClick(ticket.send, Qt.Key.Key_Return)
    await until(lambda: not ticket._sending and not ticket.sent.isHidden())


def row_of(table: DenseTable, wanted: str) -> int:
    """The row on the screen in which a text stands."""
    model = table.table_model
    return next(
        row for row in range(model.rowCount()) if any(model.index(row, column).data() == wanted for column in range(model.columnCount()))
    )


async def key_on(table: DenseTable, row: int, key: Qt.Key, *, shift: bool = False) -> None:
    """Press a key on a row, once no dialog has the keys any more."""
    table.window().activateWindow()  # no desktop does it here
    await until(table.window().isActiveWindow)
    table.selectRow(row)
    table.setFocus()
    QTest.keyClick(table, key, Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier)
    # Qt goes by the last key that it saw: with Shift held, selecting a row somewhere else would select up to it.
    QTest.keyRelease(table.window(), Qt.Key.Key_Shift)
    assert QGuiApplication.keyboardModifiers() is Qt.KeyboardModifier.NoModifier


async def test_a_day_by_hand(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    window, trading = desk.window, desk.window.trading
    await connected(desk)
    run = await paper_run(desk)
    window.activateWindow()
    at = {name: trade.price for name, trade in (await desk.engine.last_trades("sim", AccountName.PAPER, ["DEMO", "DEMO-B"])).items()}

    def price(symbol: str, factor: str) -> str:
        return str((at[symbol] * Decimal(factor)).quantize(Decimal("0.01")))

    held, working = trading.holdings.model.table, trading.working.model.table

    def has(symbol: str, qty: int) -> bool:
        return any((row.symbol, row.owner, row.qty) == (symbol, "By hand", qty) for row in held.rows)

    # At market, at a limit, with a target and a stop loss, and with a trailing stop on what is held.
    await sent(desk, "demo", "100")
    await until(lambda: has("DEMO", 100))
    await sent(desk, "demo-b", "50", limit=price("DEMO-B", "0.5"))
    await sent(desk, "demo", "40", limit=price("DEMO", "1.2"), target=price("DEMO", "2"), stop_loss=price("DEMO", "0.5"))
    await until(lambda: has("DEMO", 140) and len(working.rows) == 3)
    await sent(desk, "demo", "60", OrderSide.SELL, trail="40 %")
    await until(lambda: sum(row.order.status is OrderStatus.ACCEPTED for row in working.rows) == 4)

    # Enter changes an order, Delete cancels it.
    window.docks.show(window.docks["orders"])
    await key_on(trading.working.table, row_of(trading.working.table, "DEMO-B"), Qt.Key.Key_Return)
    dialog = window.findChild(ChangeOrderDialog)
    assert dialog is not None
    await until(dialog.isActiveWindow)  # before, keys belong to the window below
    typed(dialog.lines["qty"], "30")
    QTest.keyClick(dialog.lines["qty"], Qt.Key.Key_Return)
    await until(lambda: any(row.order.request.qty == 30 for row in working.rows))
    await key_on(trading.working.table, row_of(trading.working.table, "DEMO-B"), Qt.Key.Key_Delete)
    await until(lambda: all(row.order.request.symbol == "DEMO" for row in working.rows))

    # Delete closes a part: what its exits are over becomes smaller, so that none is over more than is held.
    window.docks.show(window.docks["positions"])
    await key_on(trading.holdings.table, row_of(trading.holdings.table, "By hand"), Qt.Key.Key_Delete)
    part = window.findChild(ClosePositionDialog)
    assert part is not None
    await until(part.isActiveWindow)
    typed(part.qty, "90")
    QTest.keyClick(part.qty, Qt.Key.Key_Return)
    await until(lambda: has("DEMO", 50))

    # This account cannot be short: turning around is refused with the reason, and the position stays.
    await key_on(trading.holdings.table, row_of(trading.holdings.table, "By hand"), Qt.Key.Key_Delete, shift=True)
    assert answer(desk)[0] == "Reverse 50 DEMO (By hand)?"
    await until(lambda: "this account cannot sell short" in window.banner.text.text())
    assert has("DEMO", 50)

    # Cancel all, flatten, and HALT.
    window.acts["cancel-all"].trigger()
    answer(desk)
    await until(lambda: not working.rows)
    window.acts["switch-flatten"].trigger()
    answer(desk)
    await until(lambda: not held.rows)
    window.acts["kill-switch"].trigger()
    await until(lambda: window.tables["runs"].model.index(0, 0).data() == "Stopped")
    assert window.views.switches.level() is not SwitchLevel.OFF
    await window.settled()
    assert not trading.ticket.send.isEnabled()
    assert window.findChildren(QDialog, "dialog-error") == []

    view = await desk.engine.account_view("sim", AccountName.PAPER)
    orders, fills = await desk.engine.orders(view.hand_run_id), await desk.engine.fills(view.hand_run_id)
    assert (view.positions, view.working) == ((), ())
    assert all(order.status.is_final for order in orders)
    assert sum((fill.qty * fill.side.sign for fill in fills), Decimal(0)) == 0
    assert {fill.id for fill in fills} == {fill.id for fill in window.views.by_hand_fills.rows}
    assert (await desk.engine.run(run.id)).status is RunStatus.STOPPED
    await desk.quiet()
