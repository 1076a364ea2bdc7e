"""Keys that the broker refuses, at a broker over real HTTP: what a person sees, where, and what to do next."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QLabel, QLineEdit

from core.brokers.accounts import Accounts
from core.brokers.credentials import Credentials
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.clock.realtime import SystemClock
from core.model.broker import AccountName
from core.model.order import OrderStatus, OrderType
from core.model.run import RunMode
from tests.broker.bench import environment_of
from tests.broker.keyring_memory import MemoryKeyring, memory_keyring
from tests.broker.server import KEY, SECRET, FakeBroker
from tests.gui.dialogs.desk import child, until
from tests.gui.window.conftest import Desk, MakeDesk
from tests.strictness.log_guard import AllowLog
from ui.dialogs.account_keys import AccountKeysDialog
from ui.dialogs.new_run import NewRunDialog

WRONG = "sEcReT-that-was-taken-back-00000000000000"


@pytest.fixture
def keyring() -> Iterator[MemoryKeyring]:
    with memory_keyring() as made:
        yield made


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with FakeBroker().running() as made:
        yield made


def accounts_at(server: FakeBroker, secret: str) -> Accounts:
    """A person's accounts at the fake broker, paper and live, with the keys in the environment."""
    environment = {
        **environment_of(server),
        "ALPACA_PAPER_API_SECRET": secret,
        "ALPACA_LIVE_API_KEY": KEY,
        "ALPACA_LIVE_API_SECRET": secret,
        "ALPACA_LIVE_BASE_URL": server.url,
    }
    vault = KeyVault(environment, None)
    return Accounts(AdapterLoader(()), vault, environment, dict.fromkeys(AccountName, "alpaca"), SystemClock())


def choose(desk: Desk, title: str) -> None:
    """Choose an account in its panel."""
    trading = desk.window.trading
    titles = [account.title for account in trading.feed.accounts]
    trading.account.choice.setCurrentIndex(titles.index(title))


async def connected(desk: Desk) -> None:
    choose(desk, "Alpaca paper")
    desk.window.acts["connect-account"].trigger()
    await until(lambda: desk.window.trading.feed.view is not None and not desk.window.trading.feed.is_busy)


async def started(desk: Desk, symbol: str) -> NewRunDialog:
    """A paper run of that symbol, as far as its dialog lets it start."""
    desk.window.acts["new-run"].trigger()
    dialog = desk.window.findChild(NewRunDialog)
    assert dialog is not None
    await desk.window.settled()
    dialog.choose_strategy("sma-cross")
    dialog.strategies.choose_mode(RunMode.PAPER)
    dialog.trading.broker.setCurrentText("Alpaca paper")
    dialog.bars.symbols.first().setCurrentText(symbol)
    dialog.start_button.click()
    await desk.window.settled()
    return dialog


@pytest.mark.parametrize("title", ["Alpaca paper", "Alpaca live"])
async def test_wrong_keys_are_said_in_the_panel_with_what_to_do(
    make_desk: MakeDesk, server: FakeBroker, keyring: MemoryKeyring, title: str
) -> None:
    desk = await make_desk(accounts=accounts_at(server, WRONG))
    trading = desk.window.trading
    choose(desk, title)
    desk.window.acts["connect-account"].trigger()
    await until(lambda: bool(trading.account.message.text()) and not trading.feed.is_busy)
    said = trading.account.message.text()
    assert said.startswith(f"{title} is not connected. Reading the account: the broker does not accept the keys (401, 40110000).")
    assert said.endswith("*Keys* in the panel Account stores others; then connect it again.")
    assert desk.window.banner.text.text() == said
    assert trading.feed.view is None
    assert not desk.window.frame.isVisible()
    assert WRONG not in said
    await desk.quiet()


async def test_a_run_is_refused_at_the_account_and_nothing_is_made(make_desk: MakeDesk, server: FakeBroker, keyring: MemoryKeyring) -> None:
    desk = await make_desk(accounts=accounts_at(server, WRONG))
    dialog = await started(desk, "SPY")
    error = child(dialog, "field-broker-error")
    assert isinstance(error, QLabel)
    assert "the broker does not accept the keys" in error.text()
    assert dialog.trading.broker.property("invalid") is True
    assert await desk.engine.runs() == []
    dialog.reject()


async def test_a_symbol_that_the_broker_does_not_have_is_refused_at_its_field(
    make_desk: MakeDesk, server: FakeBroker, keyring: MemoryKeyring
) -> None:
    desk = await make_desk(accounts=accounts_at(server, SECRET))
    dialog = await started(desk, "APPL")
    error = child(dialog, "field-symbols-error")
    assert isinstance(error, QLabel)
    assert error.text() == "There is no symbol at Alpaca named 'APPL'. Did you mean AAPL?"
    assert await desk.engine.runs() == []
    dialog.reject()


async def test_keys_that_are_revoked_let_the_account_go_and_say_what_became_of_the_order(
    make_desk: MakeDesk, server: FakeBroker, keyring: MemoryKeyring, allow_log: AllowLog
) -> None:
    allow_log("refused with 401")
    desk = await make_desk(accounts=accounts_at(server, SECRET))
    await connected(desk)
    window, trading = desk.window, desk.window.trading
    ticket = trading.ticket
    ticket.fields.symbol.setText("SPY")
    ticket.fields.choose_type(OrderType.LIMIT)
    ticket.fields.limit.setText("390")
    ticket.fields.amount.setText("10")
    await until(lambda: ticket.send.isEnabled())
    ticket.send.click()
    await until(lambda: ticket.sent.text() == "Buy 10 SPY works; the broker has it.")
    assert [row.order.status for row in trading.working.model.table.rows] == [OrderStatus.ACCEPTED]

    server.do(lambda: setattr(server, "revoked", True))
    ticket.fields.amount.setText("5")
    await until(lambda: ticket.send.isEnabled())
    ticket.send.click()
    await until(lambda: trading.feed.view is None and bool(trading.feed.failure))
    said = trading.account.message.text()
    assert said.startswith("Alpaca paper is no longer connected.")
    assert "the broker does not accept the keys" in said
    assert said.endswith("Orders that work at the broker work on there; connect it again to see them.")
    assert window.banner.text.text() == said
    on_its_way = "Buy 5 SPY was on its way when the connection ended."
    assert ticket.sent.text().startswith((on_its_way, "Buy 5 SPY was refused."))
    assert not window.frame.isVisible()

    server.do(lambda: setattr(server, "revoked", False))
    await connected(desk)
    assert window.banner.isHidden()
    # The broker had not taken it: it is looked up, and said.
    await until(lambda: ticket.sent.text().startswith("Buy 5 SPY was refused."))
    assert trading.account.message.text() == ""
    assert [row.order.request.qty for row in trading.working.model.table.rows if row.order.status is OrderStatus.ACCEPTED] == [10]
    await desk.quiet()


async def test_keys_are_stored_from_the_window_and_never_shown(make_desk: MakeDesk, server: FakeBroker, keyring: MemoryKeyring) -> None:
    accounts = accounts_at(server, WRONG)

    async def store(account: AccountName, key: str, secret: str) -> None:
        await accounts.store_keys(account, Credentials(key, secret))

    desk = await make_desk(
        accounts=accounts, services={"account_setups": accounts.setups, "store_keys": store, "forget_keys": accounts.forget_keys}
    )
    choose(desk, "Alpaca paper")
    desk.window.acts["account-keys"].trigger()
    dialog = desk.window.findChild(AccountKeysDialog)
    assert dialog is not None
    await desk.window.settled()
    assert dialog.name() is AccountName.PAPER
    hint = dialog._account_row._hint
    assert hint.text() == f"…{KEY[-4:]} at alpaca, from the environment. What is stored here takes their place."
    assert not dialog.forget_button.isEnabled()
    assert not dialog.store_button.isEnabled()
    assert dialog.secret.echoMode() is QLineEdit.EchoMode.Password
    dialog.key.setText(KEY)
    dialog.secret.setText(SECRET)
    dialog.store_button.click()
    await desk.window.settled()
    assert "are kept" in dialog.message.text()
    assert (dialog.key.text(), dialog.secret.text()) == ("", "")
    assert "from the keyring" in hint.text()
    assert SECRET not in "".join(label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()
    await connected(desk)
    desk.window.trading.feed.disconnect_now()
    await until(lambda: desk.window.trading.feed.view is None and not desk.window.trading.feed.is_busy)

    desk.window.acts["account-keys"].trigger()
    await desk.window.settled()
    dialog = next(one for one in desk.window.findChildren(AccountKeysDialog) if one.isVisible())
    dialog.forget_button.click()
    await desk.window.settled()
    assert dialog.message.text() == "The keys of the paper account are gone from the keyring."
    assert keyring.kept == {}
    keyring.locked = True
    dialog.key.setText(KEY)
    dialog.secret.setText(SECRET)
    dialog.store_button.click()
    await desk.window.settled()
    assert dialog.message.property("banner") == "error"
    assert SECRET not in dialog.message.text()
    dialog.reject()
    await desk.quiet()
