"""What differs from the broker's books and nothing heals is said in the panel Account, and taken there for a reason."""

from decimal import Decimal

import msgspec
import pytest

from core.brokers.inside import InsideAccount
from core.events.live_payloads import DifferenceAccepted
from core.model.broker import BrokerPosition
from core.model.hand import OUTSIDE
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import Desk, MakeDesk
from tests.gui.window.test_trading import connected, sent
from ui.dialogs.accept_difference import AcceptDifferenceDialog

SPEED = 600.0
"""What may be the broker's lag counts after a few hundredths of a second."""


async def split_in_two(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Hold 10, and let the broker split them in two without telling of it."""
    desk = await make_desk(speed=SPEED)
    await connected(desk)
    desk.window.docks.show(desk.window.docks["account"])
    await sent(desk, "DEMO", "10")
    real = InsideAccount.positions

    async def positions(account: InsideAccount) -> list[BrokerPosition]:
        return [msgspec.structs.replace(one, qty=one.qty * 2) for one in await real(account)]

    monkeypatch.setattr(InsideAccount, "positions", positions)
    return desk


async def test_a_split_is_accepted_with_a_reason_that_is_kept(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await split_in_two(make_desk, monkeypatch)
    window, trading = desk.window, desk.window.trading
    button = trading.account._buttons["accept-difference"]
    assert not button.isVisibleTo(trading.account)
    window.acts["reconcile"].trigger()
    await until(lambda: button.isVisibleTo(trading.account))
    said = "Our books and the broker's differ, and nothing heals it: The account holds 20 DEMO, and all fills together make 10."
    assert trading.account.message.text() == said
    await until(lambda: "*Accept difference* in the panel Account" in window.banner.text.text())

    window.acts["accept-difference"].trigger()
    await until(lambda: window.findChild(AcceptDifferenceDialog) is not None)
    dialog = window.findChild(AcceptDifferenceDialog)
    assert dialog is not None
    assert dialog.windowTitle() == "Take Simulated market as the broker has it?"
    assert (dialog.accept_button.isEnabled(), dialog.accept_button.property("stake")) == (False, "paper")
    dialog.reason.setText("  2-for-1 split  ")
    dialog.accept_button.click()
    await until(lambda: not trading.feed.differences)
    (event,) = await desk.engine.events(pattern=DifferenceAccepted.wire)
    payload = event.payload
    assert isinstance(payload, DifferenceAccepted)
    assert (payload.symbol, payload.qty, payload.reason) == ("DEMO", Decimal(10), "2-for-1 split")
    await until(lambda: any(row.owner_id == OUTSIDE and row.qty == 10 for row in trading.holdings.model.table.rows))
    await until(lambda: not button.isVisibleTo(trading.account))
    assert trading.account.message.text() == ""
    monkeypatch.undo()
    await desk.quiet()


async def test_where_nothing_differs_there_is_nothing_to_accept(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    await connected(desk)
    desk.window.acts["accept-difference"].trigger()
    await until(lambda: "nothing is left to accept" in desk.window.status.currentMessage())
    assert desk.window.findChild(AcceptDifferenceDialog) is None
    await desk.quiet()
