"""Trading by hand in the real window, at the simulated market."""

from decimal import Decimal

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPushButton

from core.clock import calendar
from core.engine import Engine
from core.model.broker import AccountName
from core.model.hand import HandOrder, OrderTerms, TradingAccount
from core.model.order import OrderSide, OrderStatus, OrderType
from core.model.risk import SwitchLevel
from core.model.run import RunMode
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import Desk, MakeDesk
from tests.gui.window.test_modes import paper_run
from ui.dialogs.change_order import ChangeOrderDialog
from ui.dialogs.close_position import ClosePositionDialog
from ui.theme import DARK
from ui.trading_view import TradingView

REAL = TradingAccount(broker_id="alpaca", account=AccountName.LIVE, title="Alpaca live", is_real_money=True)


async def connected(desk: Desk) -> TradingView:
    """Connect the simulated market by its act."""
    trading = desk.window.trading
    await until(desk.window.acts["connect-account"].isEnabled)  # one that is let go is gone first
    desk.window.acts["connect-account"].trigger()
    await until(lambda: trading.feed.view is not None and not trading.feed.is_busy and not trading.is_showing)
    return trading


async def previewed(desk: Desk, symbol: str, size: str, side: OrderSide = OrderSide.BUY, limit: str = "") -> None:
    """Fill the ticket in and wait until it says what the order would come to."""
    ticket = desk.window.trading.ticket
    ticket.fields.symbol.setText(symbol)
    ticket.fields.choose_side(side)
    ticket.fields.choose_type(OrderType.LIMIT if limit else OrderType.MARKET)
    ticket.fields.limit.setText(limit)
    ticket.fields.amount.setText(size)
    await until(lambda: ticket._preview is not None)


async def sent(desk: Desk, symbol: str, size: str, side: OrderSide = OrderSide.BUY, limit: str = "") -> None:
    """Send an order from the ticket and wait until the account shows what became of it."""
    await previewed(desk, symbol, size, side, limit)
    trading = desk.window.trading
    ticket = trading.ticket
    ticket.send.click()
    await until(lambda: not ticket._sending and ticket.sent.isVisibleTo(ticket))
    if limit:
        await until(lambda: any(row.order.status is OrderStatus.ACCEPTED for row in trading.working.model.table.rows))
    else:
        await until(lambda: any(row.symbol == symbol for row in trading.holdings.model.table.rows))


def answer(desk: Desk, name: str = "dialog-confirm") -> tuple[str, str]:
    """Say yes to the dialog that is open; return its heading and what it says follows."""
    dialog = desk.window.findChild(QDialog, name)
    assert dialog is not None
    heading, sentence = (dialog.findChild(QLabel, f"{name.removeprefix('dialog-')}-{part}") for part in ("heading", "sentence"))
    assert heading is not None
    assert sentence is not None
    words = heading.text(), sentence.text()
    dialog.accept()
    return words


async def test_an_account_is_connected_shown_framed_and_let_go(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    assert not window.trading.orders.is_connected
    assert not window.acts["disconnect-account"].isEnabled()
    window.docks.show(window.docks["account"])
    trading = await connected(desk)
    assert trading.feed.view is not None
    number = trading.feed.view.key.partition(":")[2]
    assert trading.account.mode.text() == "PAPER  Simulated market"
    assert trading.account.figures.text("equity") == "1\u2009000\u2009000.00"
    assert trading.account.figures.text("number") == number
    assert window.frame.colour == DARK.paper
    assert window.frame.isVisible()
    assert window.windowTitle() == f"PAPER – Simulated market {number} – Weaver"
    assert window.toolbar.account.text() == "Simulated market ▾ PAPER"
    assert DARK.up in window.toolbar.feed.text()
    assert trading.ticket.send.property("stake") == "paper"
    assert trading.orders.is_of_account
    assert [row.run.config.strategy_id for row in window.views.runs.rows] == []
    window.acts["disconnect-account"].trigger()
    await until(lambda: trading.feed.view is None and not trading.feed.is_busy and not trading.is_showing)
    assert not window.frame.isVisible()
    assert trading.orders.run_button.isChecked()
    assert trading.ticket.mode.text() == "No account"
    assert window.toolbar.account.text() == "Account ▾"
    await desk.quiet()


async def test_an_order_is_previewed_sent_and_told_of(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    ticket = trading.ticket
    assert (ticket.send.text(), ticket.send.isEnabled(), ticket.why.text()) == ("Buy", False, "Name a symbol and a size.")
    await previewed(desk, "demo", "10")
    assert (ticket.send.text(), ticket.send.isEnabled()) == ("Buy 10 DEMO", True)
    preview = ticket._preview
    assert preview is not None
    assert preview.cost is not None
    assert ticket.figures.text("cost").replace("\u2009", "") == f"{preview.cost:.2f}"
    assert ticket.figures.text("position-after") == "+10"
    await sent(desk, "DEMO", "10")
    await until(lambda: ticket.sent.text().startswith("Bought 10 DEMO at "))
    assert not ticket.send.isEnabled()
    held = trading.holdings.model.table.rows[0]
    assert (held.symbol, held.qty, held.owner) == ("DEMO", Decimal(10), "By hand")
    await desk.window.settled()
    texts = [row.text for row in desk.window.views.activity.rows if row.source == "by hand"]
    assert any(text.startswith("Bought 10 DEMO at ") for text in texts)
    ticket.fields.amount.setText("1")
    assert not ticket.sent.isVisibleTo(ticket)
    await desk.quiet()


async def test_the_ticket_that_stands_filled_in_follows_what_the_account_buys_meanwhile(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    place = trading.feed.place
    assert place is not None
    await previewed(desk, "demo", "10")
    figures, power = trading.ticket.figures, trading.ticket.figures.text("power-after")
    await desk.engine.place_order(*place, HandOrder(symbol="DEMO", side=OrderSide.BUY, qty=Decimal(7)))
    await until(lambda: figures.text("position-after") == "+17" and figures.text("power-after") != power)
    assert trading.ticket.send.isEnabled()
    await desk.quiet()


async def test_enter_sends_from_the_button_only(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    await previewed(desk, "DEMO", "10", limit="1")
    QTest.keyClick(trading.ticket.fields.amount, Qt.Key.Key_Return)
    await desk.window.settled()
    assert trading.working.model.table.rows == []
    assert not trading.ticket.sent.isVisibleTo(trading.ticket)
    QTest.keyClick(trading.ticket.send, Qt.Key.Key_Return)
    await until(lambda: len(trading.working.model.table.rows) == 1)
    await desk.quiet()


async def test_what_is_no_order_is_said_at_its_field_and_cannot_be_sent(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    ticket = trading.ticket
    await previewed(desk, "DEMO", "10")
    ticket.fields.amount.setText("ten")
    await until(lambda: ticket.fields.rows()["size"].error() != "")
    assert not ticket.send.isEnabled()
    ticket.fields.amount.setText("10")
    await until(lambda: ticket.send.isEnabled())
    assert ticket.fields.rows()["size"].error() == ""
    ticket.fields.exits.setChecked(True)
    target, stop_loss = (ticket.fields._lines[name] for name in ("target", "stop_loss"))
    target.setText("10")
    stop_loss.setText("20")
    await until(lambda: ticket.fields.rows()["target"].error() != "")
    assert not ticket.send.isEnabled()
    await desk.quiet()


async def test_the_kill_switch_disables_the_button_with_its_sentence(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    await previewed(desk, "DEMO", "10")
    desk.window.docks.show(desk.window.docks["account"])
    desk.window.acts["switch-halt"].trigger()
    await until(lambda: not trading.ticket.send.isEnabled() and trading.ticket._preview is not None)
    assert "kill switch" in trading.ticket.why.text()
    await until(lambda: trading.account.figures.text("switch") == "halt")
    await desk.engine.throw_switch(SwitchLevel.OFF, "test")
    await until(lambda: trading.ticket.send.isEnabled())
    await desk.quiet()


async def test_orders_are_cancelled_by_key_and_all_of_them_after_a_question(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    for limit in ("1", "2", "3"):
        await sent(desk, "DEMO", "5", limit=limit)
    table, rows = trading.working.table, trading.working.model.table.rows
    await until(lambda: len(rows) == 3)
    desk.window.docks.show(desk.window.docks["orders"])
    table.selectRow(0)
    chosen = trading.working.model.row_at(0).order.id
    desk.window.activateWindow()
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Delete)
    await until(lambda: len(trading.working.model.table.rows) == 2)
    assert chosen not in trading.working.model.table
    desk.window.acts["cancel-all"].trigger()
    heading, consequence = answer(desk)
    assert heading == "Cancel 2 working orders at Simulated market?"
    assert "exits that protect a position" in consequence
    await until(lambda: trading.working.model.table.rows == [])
    assert not desk.window.acts["cancel-all"].isEnabled()
    await desk.quiet()


async def test_enter_gives_a_working_order_other_terms(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    await sent(desk, "DEMO", "5", limit="2")
    table = trading.working.table
    desk.window.docks.show(desk.window.docks["orders"])
    desk.window.activateWindow()
    table.selectRow(0)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Return)
    dialog = desk.window.findChild(ChangeOrderDialog)
    assert dialog is not None
    assert {name: line.text() for name, line in dialog.lines.items()} == {"qty": "5", "limit_price": "2"}
    assert not dialog.change_button.isEnabled()
    dialog.lines["limit_price"].setText("low")
    assert not dialog.change_button.isEnabled()
    dialog.lines["limit_price"].setText("2.5")
    dialog.lines["qty"].setText("7")
    assert dialog.terms() == OrderTerms(qty=Decimal(7), limit_price=Decimal("2.5"))
    dialog.change_button.click()
    rows = trading.working.model.table
    await until(lambda: any(row.order.request.limit_price == Decimal("2.5") for row in rows.rows))
    assert [row.order.request.qty for row in rows.rows] == [7]
    await desk.window.settled()
    assert desk.window.findChild(ChangeOrderDialog) is None
    await desk.quiet()


async def test_a_position_is_closed_in_parts_or_whole_after_a_question_that_names_it(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    await sent(desk, "DEMO", "11")
    assert not desk.window.acts["close-position"].isEnabled()
    trading.holdings.table.selectRow(0)
    assert desk.window.acts["close-position"].isEnabled()
    desk.window.acts["close-position"].trigger()
    dialog = desk.window.findChild(ClosePositionDialog)
    assert dialog is not None
    heading, sentence = (dialog.findChild(QLabel, f"close-position-{part}") for part in ("heading", "sentence"))
    assert heading is not None
    assert sentence is not None
    assert heading.text() == "Close 11 DEMO (By hand)?"
    words = "Sells at market at Simulated market. Orders that would close it are cancelled first, or made smaller."
    assert sentence.text() == words
    ready = []
    for typed in ("0", "12", "few", "11", "4"):
        dialog.qty.setText(typed)
        ready.append(dialog.close_button.isEnabled())
    assert ready == [False, False, False, True, True]
    dialog.half_button.click()
    assert (dialog.qty.text(), dialog.close_button.text(), dialog.close_button.property("stake")) == ("5", "Close 5 DEMO", "paper")
    QTest.keyClick(dialog.qty, Qt.Key.Key_Return)
    await until(lambda: [row.qty for row in trading.holdings.model.table.rows] == [6])
    trading.holdings.table.selectRow(0)
    trading.holdings.table.setFocus()
    desk.window.acts["close-position"].trigger()
    whole = next(one for one in desk.window.findChildren(ClosePositionDialog) if one.isVisible())
    assert whole.close_button.text() == "Close DEMO"
    whole.close_button.click()
    await until(lambda: trading.holdings.model.table.rows == [])
    await desk.quiet()


async def test_reversing_says_what_is_sent_and_why_it_cannot_be(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await paper_run(desk)
    trading = await connected(desk)
    assert trading.feed.view is not None
    assert desk.window.windowTitle().startswith("PAPER – Simulated market SIM")
    await sent(desk, "DEMO", "10")
    trading.holdings.table.selectRow(0)
    desk.window.acts["reverse-position"].trigger()
    heading, consequence = answer(desk)
    assert heading == "Reverse 10 DEMO (By hand)?"
    assert consequence == "Sells 20 DEMO at market at Simulated market: the position becomes short."
    # The simulated account is one that cannot sell short: the window says so, and nothing changes.
    await until(lambda: not desk.window.banner.isHidden())
    assert "cannot be turned around: this account cannot sell short; close the position instead." in desk.window.banner.text.text()
    assert trading.holdings.model.table.rows[0].qty == 10
    await desk.quiet()


async def test_real_money_is_connected_only_when_its_name_is_typed(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await make_desk()
    asked: list[tuple[str, AccountName, str]] = []

    async def accounts(engine: Engine) -> list[TradingAccount]:
        return [REAL]

    async def name(engine: Engine, broker_id: str, account: AccountName) -> str:
        return "LV12345"

    monkeypatch.setattr(Engine, "trading_accounts", accounts)
    monkeypatch.setattr(Engine, "account_name", name)
    await desk.window.trading.feed.load()
    monkeypatch.setattr(desk.window.trading.feed, "connect_to", lambda one, typed="": asked.append((one.broker_id, one.account, typed)))
    desk.window.acts["connect-account"].trigger()
    await desk.window.settled()
    dialog = desk.window.findChild(QDialog, "dialog-connect-account")
    assert dialog is not None
    line, button = dialog.findChild(QLineEdit, "field-connect-confirm"), dialog.findChild(QPushButton, "button-connect")
    assert line is not None
    assert button is not None
    assert button.property("stake") == "live"
    enabled = []
    for typed in ("", "Alpaca live", "lv12345"):
        line.setText(typed)
        enabled.append(button.isEnabled())
    assert enabled == [False, False, True]
    button.click()
    assert asked == [("alpaca", AccountName.LIVE, "lv12345")]
    await desk.quiet()


async def test_an_account_that_cannot_be_connected_says_why_and_nothing_is_framed(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = desk.window.trading
    trading.feed.connect_to(msgspec.structs.replace(REAL, broker_id="nobody", is_real_money=False))
    await until(lambda: bool(trading.account.message.text()) and not trading.feed.is_busy)
    await desk.window.settled()
    assert "nobody" in trading.account.message.text()
    assert "nobody" in desk.window.banner.text.text()
    assert trading.feed.view is None
    assert not desk.window.frame.isVisible()
    assert desk.window.acts["connect-account"].isEnabled()
    await desk.quiet()


async def test_a_live_account_frames_the_window_in_its_colour_and_is_named(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window, trading = desk.window, await connected(desk)
    assert trading.feed.view is not None
    trading.feed._timer.stop()
    trading.feed._take(msgspec.structs.replace(trading.feed.view, is_real_money=True, account=AccountName.LIVE, title="Alpaca live"))
    assert window.frame.mode is RunMode.LIVE
    assert window.frame.colour == DARK.live
    assert window.windowTitle().startswith("LIVE – Alpaca live SIM")
    assert trading.ticket.mode.text() == "LIVE  Alpaca live"
    assert trading.ticket.send.property("stake") == "live"
    assert window.toolbar.account.text() == "Alpaca live ▾ LIVE"
    picture = window.grab().toImage()
    assert picture.pixelColor(1, picture.height() // 2).name() == DARK.live
    trading.feed._take(msgspec.structs.replace(trading.feed.view, is_real_money=False, account=AccountName.PAPER))
    await desk.quiet()


async def test_the_watchlist_is_priced_by_the_feed_and_remembered(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    table = window.trading.watchlist.panel.model.table
    assert [(row.symbol, row.origin) for row in table.rows] == [("BTC/USD", "test"), ("ETH/USD", "test")]
    window.trading.watchlist.add.setText("demo")
    QTest.keyClick(window.trading.watchlist.add, Qt.Key.Key_Return)
    await window.settled()
    assert [row.symbol for row in table.rows] == ["BTC/USD", "ETH/USD", "DEMO"]
    assert table.rows[2].last is None
    window.docks.show(window.docks["watchlist"])
    await connected(desk)
    window.trading.watchlist.look_now()
    await until(lambda: table.rows[2].last is not None)
    assert (table.rows[2].origin, table.rows[0].origin) == ("sim", "test")
    window.trading.watchlist.panel.table.select_key("ETH/USD")
    window.trading.watchlist.remove_action.trigger()
    window.trading.watchlist.panel.row_chosen.emit(table.rows[0])
    await window.settled()
    assert window.trading.ticket.fields.symbol.text() == "BTC/USD"
    await desk.quiet()
    assert await window.shut_down() == []
    later = await make_desk(layout=desk.layout)
    assert [row.symbol for row in later.window.trading.watchlist.panel.model.table.rows] == ["BTC/USD", "DEMO"]


async def test_tab_goes_through_the_ticket_to_its_button_and_on(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await connected(desk)
    await previewed(desk, "DEMO/USD", "1", OrderSide.BUY, "50000")
    window = desk.window
    window.docks.show(window.docks["ticket"])
    passed: list[str] = []
    for _ in range(40):
        widget = window.focusWidget()
        assert widget is not None
        passed.append(widget.objectName())
        QTest.keyClick(widget, Qt.Key.Key_Tab)
    ticket = passed.index("field-ticket-symbol"), passed.index("field-ticket-limit"), passed.index("button-send-order")
    assert ticket == tuple(sorted(ticket))
    assert "button-menu" in passed  # out of the ticket, and around the window
    assert passed.count("field-ticket-symbol") <= 2
    await desk.quiet()


async def test_f9_goes_to_the_ticket(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    desk.window.docks["ticket"].close()
    desk.window.acts["order-ticket"].trigger()
    assert desk.window.docks["ticket"].isVisible()
    assert desk.window.acts["order-ticket"].shortcut().toString() == "F9"


async def test_what_became_of_the_order_is_said_under_the_button_until_another_is_begun(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    ticket = trading.ticket
    await sent(desk, "DEMO", "3", limit="2")
    await until(lambda: ticket.sent.text() == "Buy 3 DEMO works; the broker has it.")
    trading.working.table.selectRow(0)
    desk.window.acts["cancel-order"].trigger()
    await until(lambda: ticket.sent.text().startswith("Buy 3 DEMO was cancelled."))
    await sent(desk, "DEMO", "3")
    await until(lambda: ticket.sent.text().startswith("Bought 3 DEMO at "))
    assert ticket.sent.property("role") == "good"
    await until(lambda: desk.window.status.currentMessage() == ticket.sent.text())
    await desk.quiet()


async def test_the_first_order_for_shares_does_not_wait_for_the_exchanges_calendar(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    calendar._table.clear()
    await connected(desk)
    assert calendar._table  # made in a thread, before an order needs it in the loop
    await desk.quiet()
