"""The new-run dialog in the modes paper and live."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton

from app.compose import compose_engine
from core.clock.realtime import SystemClock
from core.engine import Engine
from core.model.broker import AccountName
from core.model.desk import Desk as Workstation
from core.model.hand import TradingAccount
from core.model.risk import RiskLimits
from core.model.run import RunMode, RunStatus
from core.settings import Settings
from core.store.database import DatabaseStore
from tests.gui.dialogs.desk import Desk, Failures, child
from tests.gui.dialogs.test_new_run import opened
from ui.dialogs.new_run import NewRunDialog
from ui.tasks import TaskScope

REAL = TradingAccount(broker_id="alpaca", account=AccountName.LIVE, title="Alpaca live", is_real_money=True)
NO_KEYS = TradingAccount(broker_id="alpaca", account=AccountName.PAPER, title="Alpaca paper", is_real_money=False, error="It has no keys.")


def line(dialog: NewRunDialog, name: str) -> QLineEdit:
    found = child(dialog, name)
    assert isinstance(found, QLineEdit)
    return found


def shown(dialog: NewRunDialog, *names: str) -> list[bool]:
    return [child(dialog, f"field-{name}").isVisibleTo(dialog) for name in names]


async def trading(desk: Desk, mode: RunMode = RunMode.PAPER) -> NewRunDialog:
    dialog = await opened(desk)
    dialog.choose_strategy("sma-cross")
    dialog.strategies.choose_mode(mode)
    return dialog


async def test_paper_asks_for_an_account_and_limits_and_for_no_dates_and_costs(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    only_backtest, only_paper = ("start", "end", "source", "fees", "account"), ("broker", "max-order-value", "max-daily-loss")
    assert (shown(dialog, *only_backtest), shown(dialog, *only_paper)) == ([True] * 5, [False] * 3)
    dialog.strategies.choose_mode(RunMode.PAPER)
    assert (shown(dialog, *only_backtest), shown(dialog, *only_paper)) == ([False] * 5, [True] * 3)
    assert shown(dialog, "confirm", "cash") == [False, True]
    assert dialog.trading.broker.currentText() == "Simulated market"
    assert dialog.start_button.text() == "Start paper"
    assert dialog.start_button.property("stake") == "paper"
    dialog.strategies.choose_mode(RunMode.BACKTEST)
    assert (shown(dialog, *only_backtest), shown(dialog, *only_paper)) == ([True] * 5, [False] * 3)
    assert dialog.bars.symbols.symbols() == ("ABC",)
    assert dialog.start_button.text() == "Create and start"
    dialog.reject()


async def test_a_paper_run_is_created_of_what_was_entered_without_any_stored_bars(desk: Desk) -> None:
    dialog = await trading(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    assert dialog.bars.symbols.symbols() == ("DEMO",)
    dialog.bars.symbols.first().setCurrentText(" demo/usd ")
    dialog.bars.timeframe.setCurrentText("5m")
    dialog.account.cash.setText("25000")
    line(dialog, "field-max-order-value").setText("5,000")
    line(dialog, "field-max-drawdown").setText("10 %")
    line(dialog, "field-max-open-orders").setText("3")
    dialog.create_button.click()
    await desk.idle()
    run = await desk.engine.run(created[0])
    config = run.config
    assert run.status is RunStatus.PENDING
    assert (config.mode, config.broker, config.symbols, config.timeframe) == (RunMode.PAPER, "sim", ("DEMO/USD",), "5m")
    assert config.cash == 25_000
    limits = RiskLimits(max_order_value=Decimal(5000), max_drawdown=Decimal("0.1"), max_open_orders=3)
    assert config.limits == limits
    assert (config.start_ns, config.end_ns, config.source) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("max-order-value", "much", "it is not a number"),
        ("max-open-orders", "1.5", "it is a whole number"),
        ("max-drawdown", "-1", "a limit is above zero"),
        ("duplicate-window-s", "soon", "it is a number of seconds"),
    ],
)
async def test_a_limit_that_is_none_is_refused_at_its_field(desk: Desk, name: str, text: str, said: str) -> None:
    dialog = await trading(desk)
    line(dialog, f"field-{name}").setText(text)
    dialog.create_button.click()
    await desk.idle()
    error = child(dialog, f"field-{name}-error")
    assert isinstance(error, QLabel)
    assert said in error.text()
    assert await desk.engine.runs() == []
    dialog.reject()


async def test_real_money_starts_only_when_the_name_of_its_account_is_typed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def accounts(engine: Engine) -> list[TradingAccount]:
        return [NO_KEYS, REAL]

    async def name(engine: Engine, broker_id: str, account: AccountName) -> str:
        return "LV12345"

    monkeypatch.setattr(Engine, "trading_accounts", accounts)
    monkeypatch.setattr(Engine, "account_name", name)
    dialog = await trading(desk, RunMode.LIVE)
    assert not dialog.start_button.isEnabled()
    await desk.idle()
    dialog.bars.symbols.first().setCurrentText("SPY")
    assert dialog.start_button.property("stake") == "live"
    assert shown(dialog, "confirm") == [True]
    enabled = []
    for typed in ("", "LV1234", "Alpaca live", "lv12345"):
        dialog.trading.confirm.setText(typed)
        enabled.append(dialog.start_button.isEnabled())
    assert enabled == [False, False, False, True]
    assert dialog.create_button.isEnabled()
    dialog.strategies.choose_mode(RunMode.PAPER)
    dialog.strategies.choose_mode(RunMode.LIVE)
    assert not dialog.start_button.isEnabled()
    dialog.reject()


async def test_an_account_that_cannot_be_used_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def accounts(engine: Engine) -> list[TradingAccount]:
        return [NO_KEYS]

    monkeypatch.setattr(Engine, "trading_accounts", accounts)
    dialog = await trading(desk)
    error = child(dialog, "field-broker-error")
    assert isinstance(error, QLabel)
    assert error.text() == "It has no keys."
    assert not dialog.create_button.isEnabled()
    dialog.reject()


async def test_without_stored_bars_the_empty_page_leads_to_paper(desk: Desk) -> None:
    dialog = await opened(desk)
    assert not dialog.create_button.isVisibleTo(dialog)
    button = child(dialog, "button-empty-paper")
    assert hasattr(button, "click")
    button.click()
    assert dialog.create_button.isVisibleTo(dialog)
    assert dialog.strategies.chosen_mode() is RunMode.PAPER
    assert dialog.start_button.isEnabled()
    dialog.reject()


@asynccontextmanager
async def workstation(folder: Path, name: str) -> AsyncIterator[Desk]:
    """One of several on a database."""
    store = DatabaseStore(folder / "desk.db", SystemClock(), locks=folder / name, desk=Workstation(id=name, name=name))
    failures = Failures()
    engine = compose_engine(store, folder, Settings({}, {}), failures.take)
    await engine.open()
    tasks = TaskScope(name, failures.take)
    try:
        yield Desk(engine=engine, tasks=tasks, failures=failures)
    finally:
        await tasks.close()
        await engine.close()
    assert failures.errors == []


async def test_an_account_that_another_desk_has_is_said_to_be_and_nothing_is_created(tmp_path: Path) -> None:
    async with workstation(tmp_path, "Berlin") as berlin, workstation(tmp_path, "Rome") as rome:
        await berlin.engine.connect_account("paper", AccountName.PAPER)
        dialog = await trading(rome)
        dialog.trading.broker.setCurrentText("Paper account")
        dialog.start_button.click()
        await rome.idle()
        banner = child(dialog, "new-run-message")
        assert isinstance(banner, QLabel)
        assert "is in the hands of the desk Berlin. That desk has the account open" in banner.text()
        assert await rome.engine.runs() == []
        dialog.reject()


@pytest.mark.parametrize("button", ["button-create", "button-create-and-start"])
async def test_a_symbol_that_the_broker_does_not_trade_is_refused_at_its_field_and_nothing_is_made(desk: Desk, button: str) -> None:
    dialog = await trading(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    box = dialog.bars.symbols.first()
    box.setCurrentText("demo-x")
    pressed = child(dialog, button)
    assert isinstance(pressed, QPushButton)
    pressed.click()
    await desk.idle()
    error = child(dialog, "field-symbols-error")
    assert isinstance(error, QLabel)
    assert error.text() == "There is no symbol at Simulated market named 'DEMO-X'. Did you mean DEMO-B?"
    assert box.property("invalid") is True
    assert (created, await desk.engine.runs(), await desk.engine.events(pattern="run.*")) == ([], [], [])
    box.setCurrentText("DEMO-B")
    assert (error.text(), box.property("invalid")) == ("", False)
    dialog.create_button.click()
    await desk.idle()
    assert [run.config.symbols for run in await desk.engine.runs()] == [("DEMO-B",)]


async def test_of_several_symbols_the_one_that_is_refused_is_marked(desk: Desk) -> None:
    dialog = await trading(desk)
    info = next(one for one in desk.engine.strategies().values() if one.symbols == 2 and one.error is None)
    dialog.choose_strategy(info.id)
    dialog.bars.symbols.set_symbols(("DEMO", "NOPE"))
    dialog.create_button.click()
    await desk.idle()
    boxes = [child(dialog, name) for name in ("field-symbols", "field-symbols-2")]
    assert [box.property("invalid") for box in boxes] == [None, True]
    dialog.choose_strategy("sma-cross")  # the one that was marked is gone
    dialog.create_button.click()
    await desk.idle()
    assert len(await desk.engine.runs()) == 1
