"""The new-run dialog on the real engine."""

from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtCore import QDate, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QSpinBox

from core.errors import RunNotStartable
from core.model.instants import parse_instant
from core.model.market import Adjustment
from core.model.run import AccountKind, AccountTerms, PathModel, Run, RunConfig, RunMode, RunStatus
from tests.gui.dialogs.desk import LOOK, Desk, child
from ui.dialogs.new_run import NewRunDialog
from ui.dialogs.new_run_memory import NewRunMemory


async def opened(desk: Desk, memory: NewRunMemory | None = None) -> NewRunDialog:
    dialog = NewRunDialog(engine=desk.engine, tasks=desk.tasks, theme=LOOK.theme, sizes=LOOK.sizes, memory=memory or NewRunMemory())
    dialog.open()
    await desk.idle()
    return dialog


def combo(dialog: NewRunDialog, name: str) -> QComboBox:
    found = child(dialog, name)
    assert isinstance(found, QComboBox)
    return found


def text(dialog: NewRunDialog, name: str) -> str:
    found = child(dialog, name)
    assert isinstance(found, QLabel)
    return found.text()


def line(dialog: NewRunDialog, name: str) -> QLineEdit:
    found = child(dialog, name)
    assert isinstance(found, QLineEdit)
    return found


def box(dialog: NewRunDialog, name: str) -> QCheckBox:
    found = child(dialog, name)
    assert isinstance(found, QCheckBox)
    return found


async def test_offers_what_is_stored_and_says_how_much_it_is(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    assert combo(dialog, "field-symbols").currentText() == "ABC"
    assert combo(dialog, "field-timeframe").currentText() == "1d"
    assert combo(dialog, "field-source").currentText() == "file · raw prices"
    assert text(dialog, "new-run-preview").startswith("6 bars · 2024-01-02 to 2024-01-09 · gaps: 0")
    dialog.reject()


async def test_every_field_of_the_contract_is_there(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    assert dialog.objectName() == "dialog-new-run"
    dialog.choose_strategy("sma-cross")
    names = "strategy mode symbols timeframe start end cash source fees slippage path account borrow-rate debit-rate credit-rate".split()
    names += "hard-to-borrow volume-cap trade-through close-at-end corporate-actions".split()
    for name in [f"field-{name}" for name in names] + ["param-fast", "param-slow", "param-qty", "button-create", "button-create-and-start"]:
        assert child(dialog, name).accessibleName() or child(dialog, name).property("text"), name
    dialog.reject()


async def test_a_broken_strategy_is_listed_with_its_error(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    strategies = combo(dialog, "field-strategy")
    model = strategies.model()
    assert isinstance(model, QStandardItemModel)
    broken = next(model.item(row) for row in range(model.rowCount()) if "half" in model.item(row).text())
    assert not broken.isEnabled()
    assert "half_done.py" in text(dialog, "new-run-broken-strategies")
    dialog.choose_strategy(str(broken.data(Qt.ItemDataRole.UserRole)))
    assert "half" not in strategies.currentText()
    dialog.reject()


async def test_create_makes_a_pending_run_of_what_was_entered(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.choose_strategy("sma-cross")
    fast = child(dialog, "param-fast")
    assert isinstance(fast, QSpinBox)
    fast.setValue(2)
    dialog.account.cash.setText("5,000.50")
    dialog.costs.fees.setCurrentText("bps:10")
    dialog.costs.slippage.setCurrentText("bps:5")
    dialog.costs.path.setCurrentIndex(dialog.costs.path.findData("ohlc"))
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    dialog.create_button.click()
    await desk.idle()
    assert closed == [NewRunDialog.DialogCode.Accepted.value]
    run = await desk.engine.run(created[0])
    assert run.status is RunStatus.PENDING
    config = run.config
    assert (config.strategy_id, config.symbols, config.timeframe, config.mode) == ("sma-cross", ("ABC",), "1d", RunMode.BACKTEST)
    assert (config.params["fast"], config.params["slow"]) == (2, 30)
    assert (config.cash, config.fees, config.slippage, config.path) == (Decimal("5000.50"), "bps:10", "bps:5", PathModel.OHLC)
    assert (config.source, config.adjustment, config.start_ns, config.end_ns) == ("file", Adjustment.RAW, None, None)


async def test_costs_and_account_go_into_the_run_as_they_were_entered(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    combo(dialog, "field-account").setCurrentIndex(combo(dialog, "field-account").findData("margin"))
    typed = {"volume-cap": "10 %", "borrow-rate": "0.03", "debit-rate": "5%", "credit-rate": "", "hard-to-borrow": "abc"}
    for name, value in typed.items():
        line(dialog, f"field-{name}").setText(value)
    combo(dialog, "field-fees").setCurrentText("per-share:0.005:1")
    combo(dialog, "field-slippage").setCurrentText("volume:0.2")
    combo(dialog, "field-path").setCurrentIndex(combo(dialog, "field-path").findData("pessimistic"))
    for name in ("trade-through", "close-at-end", "corporate-actions"):
        box(dialog, f"field-{name}").click()
    dialog.create_button.click()
    await desk.idle()
    config = (await desk.engine.run(created[0])).config
    assert config.account == AccountTerms(
        kind=AccountKind.MARGIN, borrow_rate=Decimal("0.03"), debit_rate=Decimal("0.05"), hard_to_borrow=("ABC",)
    )
    assert (config.fees, config.slippage, config.path) == ("per-share:0.005:1", "volume:0.2", PathModel.PESSIMISTIC)
    assert (config.volume_cap, config.trade_through, config.close_at_end, config.corporate_actions) == (Decimal("0.1"), True, True, False)


async def test_a_seed_goes_into_the_run(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    line(dialog, "field-seed").setText(" 42 ")
    dialog.start_button.click()
    await desk.idle()
    run = await desk.engine.wait_for_run(created[0])
    assert run.config.seed == 42
    assert run.manifest is not None
    assert run.manifest.seed == 42


@pytest.mark.parametrize("typed", ["-1", "1.5", "x", "\u0663"])
async def test_what_is_no_seed_is_refused_at_its_field(desk: Desk, tmp_path: Path, typed: str) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    line(dialog, "field-seed").setText(typed)
    dialog.create_button.click()
    await desk.idle()
    assert await desk.engine.runs() == []
    assert text(dialog, "field-seed-error") == f"seed cannot be {typed}: it is a whole number from 0 on."
    dialog.reject()


async def test_without_a_touch_the_terms_are_the_defaults(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.create_button.click()
    await desk.idle()
    config = (await desk.engine.run(created[0])).config
    defaults = RunConfig(strategy_id=config.strategy_id, symbols=config.symbols, timeframe=config.timeframe)
    for name in ("fees", "slippage", "path", "account", "volume_cap", "trade_through", "close_at_end", "corporate_actions", "cash", "seed"):
        assert getattr(config, name) == getattr(defaults, name), name


async def test_rates_of_a_margin_account_are_for_a_margin_account(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    of_margin = [line(dialog, f"field-{name}") for name in ("borrow-rate", "debit-rate", "hard-to-borrow")]
    assert [field.isEnabled() for field in of_margin] == [False, False, False]
    assert line(dialog, "field-credit-rate").isEnabled()
    combo(dialog, "field-account").setCurrentIndex(1)
    assert [field.isEnabled() for field in of_margin] == [True, True, True]
    of_margin[2].setText("XYZ")
    dialog.create_button.click()
    await desk.idle()
    assert text(dialog, "field-hard-to-borrow-error") == "hard to borrow cannot be XYZ: the run does not trade it; it trades ABC."
    combo(dialog, "field-account").setCurrentIndex(0)
    dialog.create_button.click()
    await desk.idle()
    assert len(await desk.engine.runs()) == 1


async def test_a_model_of_costs_is_explained_while_it_is_typed(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    fees = combo(dialog, "field-fees")
    shown = []
    for form in ("bps:1", "per-share:0.005:1", "per-", "plugin"):
        fees.setCurrentText(form)
        shown.append(fees.accessibleDescription())
    assert shown == [
        "0.01 % of the money traded.",
        "0.005 per unit, at least 1 per order.",
        "Write none, bps:N[:min], per-share:X[:min[:max]], per-trade:X, alpaca or plugin.",
        "The strategy's own model; it must have one.",
    ]
    edit = fees.lineEdit()
    assert edit is not None
    edit.selectAll()
    QTest.keyClicks(edit, "bps:1")
    assert fees.currentText() == "bps:1"
    dialog.reject()


async def test_a_dialog_closed_while_it_opens_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = NewRunDialog(engine=desk.engine, tasks=desk.tasks, theme=LOOK.theme, sizes=LOOK.sizes, memory=NewRunMemory())
    dialog.open()
    dialog.start_button.click()
    dialog.reject()
    await desk.idle()
    assert await desk.engine.runs() == []


async def test_create_and_start_by_the_keyboard_alone(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.account.cash.setFocus()
    dialog.account.cash.selectAll()
    QTest.keyClicks(dialog.account.cash, "2500")
    QTest.keyClick(dialog.account.cash, Qt.Key.Key_Return)
    await desk.idle()
    run = await desk.engine.wait_for_run(created[0])
    assert run.status is RunStatus.COMPLETED
    assert run.config.cash == Decimal(2500)


async def test_tab_reaches_every_field_and_button(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    dialog.choose_strategy("sma-cross")
    dialog.strategies.strategy.setFocus()
    seen = set()
    for _ in range(60):
        focused = dialog.focusWidget()
        assert focused is not None
        # The line inside a spin box or an editable list is the control's own part.
        parent = focused.parentWidget()
        assert parent is not None
        seen |= {focused.objectName(), parent.objectName()}
        dialog.focusNextChild()
    wanted = {"field-strategy", "field-mode", "field-symbols", "field-timeframe", "field-source", "field-start", "field-end"}
    wanted |= {"param-fast", "param-slow", "param-qty", "field-cash", "field-fees", "field-slippage", "field-path"}
    wanted |= {"field-volume-cap", "field-trade-through", "field-account", "field-credit-rate", "field-close-at-end"}
    wanted |= {"field-corporate-actions"}
    assert wanted | {"button-create", "button-create-and-start", "button-cancel"} <= seen
    dialog.reject()


async def test_a_shorter_period_is_counted_and_ends_with_its_last_day(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    start, end = child(dialog, "field-start"), child(dialog, "field-end")
    start.setProperty("date", QDate(2024, 1, 3))
    end.setProperty("date", QDate(2024, 1, 8))
    await desk.idle()
    assert text(dialog, "new-run-preview").startswith("4 bars · 2024-01-03 to 2024-01-08")
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.create_button.click()
    await desk.idle()
    config = (await desk.engine.run(created[0])).config
    assert (config.start_ns, config.end_ns) == (parse_instant("2024-01-03"), parse_instant("2024-01-09"))


async def test_an_end_before_the_start_is_refused_at_the_field(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    child(dialog, "field-start").setProperty("date", QDate(2024, 1, 8))
    child(dialog, "field-end").setProperty("date", QDate(2024, 1, 3))
    dialog.create_button.click()
    await desk.idle()
    assert "must be after the start" in text(dialog, "field-end-error")
    assert await desk.engine.runs() == []
    dialog.reject()


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("field-cash", "0", "above zero"),
        ("field-cash", "lots", "not a number"),
        ("field-fees", "bps:ten", "fees"),
        ("field-slippage", "nothing", "slippage"),
        ("field-fees", "per-shares:0.01", "Did you mean per-share"),
        ("field-volume-cap", "10", "volume cap cannot be 10: a share of the bar's volume is above 0 and at most 1, or 100 %."),
        ("field-volume-cap", "some", "volume cap cannot be 'some': it is not a number."),
        ("field-credit-rate", "-1", "credit rate cannot be -1: a rate is a fraction a year"),
    ],
)
async def test_a_refused_value_is_explained_at_its_field(desk: Desk, tmp_path: Path, field: str, typed: str, sentence: str) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    widget = child(dialog, field)
    if isinstance(widget, QComboBox):
        widget.setCurrentText(typed)
    else:
        assert isinstance(widget, QLineEdit)
        widget.setText(typed)
    dialog.start_button.click()
    await desk.idle()
    assert sentence in text(dialog, f"{field}-error")
    assert dialog.isVisible()
    assert await desk.engine.runs() == []
    dialog.reject()


async def test_a_parameter_out_of_its_bounds_is_explained_and_nothing_is_created(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    dialog.choose_strategy("sma-cross")
    fast = child(dialog, "param-fast")
    assert isinstance(fast, QSpinBox)
    fast.setValue(0)
    dialog.start_button.click()
    await desk.idle()
    assert "at least 1" in text(dialog, "param-fast-error")
    assert await desk.engine.runs() == []
    dialog.reject()


async def test_two_symbols_are_chosen_apart_and_from_those_that_run_together(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path, "ABC")
    await desk.store(tmp_path, "XYZ", source="other")
    await desk.store(tmp_path, "XYZ")
    dialog = await opened(desk)
    pair = next(info.id for info in desk.engine.strategies().values() if info.symbols == 2)
    dialog.choose_strategy(pair)
    await desk.idle()
    assert combo(dialog, "field-symbols").currentText() == "ABC"
    assert combo(dialog, "field-symbols-2").currentText() == "XYZ"
    assert combo(dialog, "field-source").currentText() == "file · raw prices"
    combo(dialog, "field-symbols-2").setCurrentText("ABC")
    dialog.create_button.click()
    await desk.idle()
    assert "named twice" in text(dialog, "field-symbols-error")
    dialog.reject()


async def test_several_sources_are_offered_by_name(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path, source="yahoo")
    await desk.store(tmp_path, source="broker")
    dialog = await opened(desk)
    sources = combo(dialog, "field-source")
    assert [sources.itemText(row) for row in range(sources.count())] == ["broker · raw prices", "yahoo · raw prices"]
    sources.setCurrentIndex(1)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.create_button.click()
    await desk.idle()
    assert (await desk.engine.run(created[0])).config.source == "yahoo"


async def test_without_bars_it_says_how_to_get_some(desk: Desk) -> None:
    dialog = await opened(desk)
    asked: list[str] = []
    dialog.import_requested.connect(lambda: asked.append("import"))
    dialog.demo_requested.connect(lambda: asked.append("demo"))
    assert not child(dialog, "button-create").isVisible()
    QTest.mouseClick(child(dialog, "button-empty-import"), Qt.MouseButton.LeftButton)
    assert asked == ["import"]


async def test_the_last_values_of_a_strategy_come_back(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    memory = NewRunMemory()
    dialog = await opened(desk, memory)
    dialog.choose_strategy("sma-cross")
    fast = child(dialog, "param-fast")
    assert isinstance(fast, QSpinBox)
    fast.setValue(7)
    dialog.account.cash.setText("777")
    child(dialog, "field-start").setProperty("date", QDate(2024, 1, 4))
    combo(dialog, "field-account").setCurrentIndex(1)
    line(dialog, "field-borrow-rate").setText("3 %")
    combo(dialog, "field-fees").setCurrentText("alpaca")
    box(dialog, "field-close-at-end").setChecked(True)
    line(dialog, "field-seed").setText("11")
    dialog.create_button.click()
    await desk.idle()
    again = await opened(desk, memory)
    fast = child(again, "param-fast")
    assert isinstance(fast, QSpinBox)
    assert (fast.value(), again.account.cash.text()) == (7, "777")
    assert child(again, "field-start").property("date") == QDate(2024, 1, 4)
    assert combo(again, "field-account").currentData() == "margin"
    assert (line(again, "field-borrow-rate").text(), combo(again, "field-fees").currentText()) == ("3 %", "alpaca")
    assert box(again, "field-close-at-end").isChecked()
    assert line(again, "field-seed").text() == "11"
    again.reject()


async def test_a_run_that_cannot_start_is_announced_and_the_reason_shown(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)

    async def refuse(run_id: str, confirm: str = "") -> Run:
        raise RunNotStartable(f"Run {run_id} cannot be started.", "Try again.")

    monkeypatch.setattr(desk.engine, "start_run", refuse)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.start_button.click()
    await desk.idle()
    assert len(created) == 1
    assert "cannot be started. Try again." in text(dialog, "new-run-message")
    assert dialog.isVisible()
    dialog.reject()
