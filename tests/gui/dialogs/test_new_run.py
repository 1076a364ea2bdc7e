"""The new-run dialog on the real engine."""

from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtCore import QDate, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QSpinBox

from core.errors import RunNotStartable
from core.model.instants import parse_instant
from core.model.market import Adjustment
from core.model.run import PathModel, Run, RunMode, RunStatus
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
    names = "strategy mode symbols timeframe start end cash source fees slippage path".split()
    for name in [f"field-{name}" for name in names] + ["param-fast", "param-slow", "param-qty", "button-create", "button-create-and-start"]:
        assert child(dialog, name).accessibleName() or child(dialog, name).property("text"), name
    dialog.reject()


async def test_paper_and_live_are_listed_and_cannot_be_chosen(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    model = combo(dialog, "field-mode").model()
    assert isinstance(model, QStandardItemModel)
    assert [model.item(row).isEnabled() for row in range(3)] == [True, False, False]
    assert "broker connection" in model.item(1).toolTip()
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
    dialog.cash.setText("5,000.50")
    dialog.fees.setCurrentText("bps:10")
    dialog.slippage.setCurrentText("bps:5")
    dialog.path.setCurrentIndex(dialog.path.findData("ohlc"))
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


async def test_create_and_start_by_the_keyboard_alone(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    dialog.cash.setFocus()
    dialog.cash.selectAll()
    QTest.keyClicks(dialog.cash, "2500")
    QTest.keyClick(dialog.cash, Qt.Key.Key_Return)
    await desk.idle()
    run = await desk.engine.wait_for_run(created[0])
    assert run.status is RunStatus.COMPLETED
    assert run.config.cash == Decimal(2500)


async def test_tab_reaches_every_field_and_button(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)
    dialog.choose_strategy("sma-cross")
    dialog.strategy.setFocus()
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
    dialog.cash.setText("777")
    child(dialog, "field-start").setProperty("date", QDate(2024, 1, 4))
    dialog.create_button.click()
    await desk.idle()
    again = await opened(desk, memory)
    fast = child(again, "param-fast")
    assert isinstance(fast, QSpinBox)
    assert (fast.value(), again.cash.text()) == (7, "777")
    assert child(again, "field-start").property("date") == QDate(2024, 1, 4)
    again.reject()


async def test_a_run_that_cannot_start_is_announced_and_the_reason_shown(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.store(tmp_path)
    dialog = await opened(desk)

    async def refuse(run_id: str) -> Run:
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
