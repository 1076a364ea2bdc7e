"""Looking at runs: selecting, starting, stopping, deleting, and going places on the chart."""

import asyncio
from itertools import count
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel

from core.events.payloads import RunProgressed, RunStarted, RunStopped
from core.model.instants import MINUTE_NS
from core.model.risk import SwitchLevel
from core.model.run import Manifest, RunConfig, RunMode, RunStatus
from core.views.desk import DeskViews
from tests.gui.window.conftest import OTHER, START_NS, MakeDesk, bars
from tests.unit.views.events import Events
from ui.bridge import EventBridge
from ui.run_loader import RunLoader


async def test_a_finished_run_fills_every_panel(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    window = desk.window
    fills = await desk.engine.fills(run.id)
    assert len(fills) > 10
    assert window.tables["fills"].model.rowCount() == len(fills)
    assert window.tables["orders"].model.rowCount() == len(await desk.engine.orders(run.id))
    result = await desk.engine.result(run.id)
    assert result is not None
    assert window.tables["trades"].model.rowCount() == len(result.trades)
    assert window.tables["positions"].model.rowCount() == 1
    assert window.chart.chart.scene.title == "BTC/USD · 1m"
    assert window.chart.chart.scene.equity is not None
    assert [line.name for line in window.chart.chart.scene.lines] == [plot.name for plot in result.plots]
    heading = window.report.findChild(QLabel, "report-heading")
    assert heading is not None
    assert "sma-cross" in heading.text()
    row = window.views.runs.rows[0]
    assert row.run.status is RunStatus.COMPLETED
    assert row.equity == result.equity[-1]


async def test_live_folding_equals_loading(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    first = await desk.finished_run()
    kept = {name: list(desk.window.tables[name].model.table.rows) for name in ("orders", "fills", "positions", "trades")}
    await desk.finished_run(params={"slow": 50})
    desk.window.show_run(first.id)
    await desk.window.settled()
    for name, rows in kept.items():
        assert desk.window.tables[name].model.table.rows == rows, name


async def test_selecting_another_run_shows_the_other(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    first = await desk.finished_run()
    second = await desk.finished_run("ETH/USD")
    window = desk.window
    assert window.views.selected == second.id
    table = window.tables["runs"].table
    for row in range(2):
        if window.tables["runs"].model.row_at(row).run.id == first.id:
            table.selectionModel().setCurrentIndex(
                table.model().index(row, 0), QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            )
    await window.settled()
    assert window.views.selected == first.id
    assert {order.run_id for order in window.views.orders.rows} == {first.id}
    assert window.chart.chart.scene.title == "BTC/USD · 1m"


async def test_quick_selecting_ends_with_the_last(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    first = await desk.finished_run()
    second = await desk.finished_run("ETH/USD")
    for run in (first, second, first, second, first):
        desk.window.show_run(run.id)
        await asyncio.sleep(0)
    await desk.window.settled()
    assert {fill.run_id for fill in desk.window.views.fills.rows} == {first.id}
    assert desk.window.chart.chart.scene.title == "BTC/USD · 1m"


async def test_acts_follow_the_state_of_the_run(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    acts = desk.window.acts
    names = ("start-run", "stop-run", "run-again", "delete-run")
    assert [acts[name].isEnabled() for name in names] == [False, False, False, False]
    run = await desk.pending_run()
    assert [acts[name].isEnabled() for name in names] == [True, False, False, True]
    acts["start-run"].trigger()
    await desk.window.settled()
    await desk.engine.wait_for_run(run.id)
    await desk.window.settled()
    assert [acts[name].isEnabled() for name in names] == [False, False, True, True]


async def test_run_again_makes_a_new_run_and_looks_at_it(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    desk.window.acts["run-again"].trigger()
    await desk.window.settled()
    again = next(item for item in await desk.engine.runs() if item.id != run.id)
    await desk.engine.wait_for_run(again.id)
    await desk.window.settled()
    assert desk.window.views.selected == again.id
    assert len(desk.window.views.fills.rows) == len(await desk.engine.fills(again.id))


async def test_deleting_asks_and_then_the_run_is_gone(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    desk.window.acts["delete-run"].trigger()
    dialog = desk.window.findChild(QDialog, "dialog-confirm")
    assert dialog is not None
    dialog.accept()
    await desk.window.settled()
    assert await desk.engine.runs() == []
    assert run.id not in desk.window.views.runs
    assert desk.window.views.selected is None
    assert desk.window.tables["runs"].model.rowCount() == 0
    assert desk.window.tables["orders"].model.rowCount() == 0


async def test_halt_says_what_it_did(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    desk.window.acts["kill-switch"].trigger()
    await desk.window.settled()
    assert desk.window.views.activity.rows[-1].text == "HALT: no run was going on."


async def test_halt_throws_the_switch_where_a_paper_run_goes_on(make_desk: MakeDesk) -> None:
    desk = await make_desk(with_bars=False)
    config = RunConfig(strategy_id="sma-cross", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker="sim")
    run = await desk.engine.create_run(config)
    began = asyncio.Event()
    with desk.engine.subscribe(RunStarted.wire, lambda _: began.set(), owner="test"):
        await desk.engine.start_run(run.id)
        await began.wait()
    await desk.window.settled()
    assert desk.window.views.runs.rows[0].progress is None  # it has no end that could come nearer
    desk.window.acts["kill-switch"].trigger()
    await desk.window.settled()
    assert (await desk.engine.run(run.id)).status is RunStatus.STOPPED
    assert await desk.engine.switches() == {None: SwitchLevel.CANCEL_ALL}
    told = [row.text for row in desk.window.views.activity.rows]
    said = "The kill switch is thrown, here and elsewhere: orders are cancelled, and nothing new leaves until it is taken back."
    assert f"HALT stopped 1 run. {said}" in told
    assert "Kill switch: cancel all. HALT was pressed." in told


async def test_a_known_error_is_said_without_a_dialog(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    desk.window.tasks.start(desk.engine.start_run(run.id), what="starting it")
    await desk.window.settled()
    assert "cannot be started" in desk.window.banner.text.text()
    assert not desk.window.banner.isHidden()
    assert "run_not_startable" in desk.window.banner.details.toPlainText()
    assert len(desk.errors) == 1
    desk.errors.clear()


async def test_clicking_a_trade_moves_the_chart(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    table = window.tables["trades"].table
    window.docks["trades"].raise_()
    await asyncio.sleep(0)
    before = window.chart.chart.visible_ns()
    last = table.model().rowCount() - 1
    table.scrollToBottom()
    index = table.model().index(last, 0)
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, table.visualRect(index).center())
    await window.settled()
    trade = window.tables["trades"].model.row_at(last)
    shown = window.chart.chart.visible_ns()
    assert shown != before
    assert shown is not None
    assert shown[0] <= trade.entry_ns <= shown[1]


async def test_clicking_a_trade_on_the_chart_selects_its_row(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    desk.window.chart.chart.trade_clicked.emit(3)
    rows = desk.window.tables["trades"].table.selected_rows()
    assert rows == [desk.window.views.trades.rows[3]]


async def test_without_a_run_the_newest_bars_are_shown(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    assert not desk.window.chart.is_empty
    assert desk.window.chart.chart.scene.title in {"BTC/USD · 1m", "ETH/USD · 1m"}
    assert desk.window.chart.choice.count() == 2


async def test_without_bars_the_card_says_how_to_begin_and_does_it(make_desk: MakeDesk) -> None:
    desk = await make_desk(with_bars=False)
    chart = desk.window.chart
    empty = [chart.is_empty]
    desk.window.acts["open-demo"].trigger()
    await desk.window.settled()
    empty.append(chart.is_empty)
    assert empty == [True, False]
    assert desk.window.views.runs.rows[0].run.demo
    assert desk.window.views.selected == desk.window.views.runs.rows[0].run.id
    assert desk.window.acts["open-demo"].isEnabled()


async def test_progress_is_shown_while_a_run_goes_on(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.pending_run()
    seen: list[float] = []
    desk.window.tables["runs"].model.rows_published.connect(
        lambda: seen.extend(row.progress for row in desk.window.views.runs.rows if row.progress is not None)
    )
    await desk.engine.start_run(run.id)
    await desk.engine.wait_for_run(run.id)
    await desk.window.settled()
    assert all(0 <= share <= 1 for share in seen)
    assert desk.window.views.runs.rows[0].run.bars == 3_000


async def test_a_run_that_outruns_the_screen_is_loaded_when_it_is_over(make_desk: MakeDesk, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("ui.bridge.MOST_WAITING", 5)
    desk = await make_desk()
    run = await desk.finished_run()
    assert desk.window.tables["fills"].model.rowCount() == len(await desk.engine.fills(run.id))


async def test_positions_are_valued_at_the_last_close_of_the_run(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    result = await desk.engine.result(run.id)
    assert result is not None
    position = desk.window.views.positions.rows[0]
    assert position.last == bars("BTC/USD").close[-1]
    assert position.qty == (result.open_positions[0].qty if result.open_positions else 0)
    value = float(run.config.cash) + float(position.realised_pnl - position.fees) + (position.open_pnl or 0)
    assert abs(value - result.equity[-1]) < 1e-6


async def test_stored_bars_can_be_shown_alone_and_a_click_on_the_run_brings_its_chart_back(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    other = next(item for item in await desk.engine.bar_sets() if item.key == OTHER)
    window.data.set_chosen.emit(other)
    await window.settled()
    assert window.chart.chart.scene.title == "ETH/USD · 1m"
    assert window.chart.chart.scene.equity is None
    table = window.tables["runs"].table
    table.clicked.emit(table.model().index(0, 0))
    await window.settled()
    assert window.chart.chart.scene.title == "BTC/USD · 1m"
    assert window.chart.chart.scene.equity is not None


async def test_a_line_of_the_journal_leads_to_its_run(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    first = await desk.finished_run()
    await desk.finished_run("ETH/USD")
    line = next(row for row in desk.window.views.activity.rows if row.run_id == first.id and row.type == "run.Completed")
    desk.window.tables["activity"].row_chosen.emit(line)
    await desk.window.settled()
    assert desk.window.views.selected == first.id


async def test_runs_and_journal_of_earlier_starts_are_there(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    again = RunLoader(desk.engine, views := DeskViews(), EventBridge(desk.engine, views))
    await again.load_desk()
    assert [row.run.id for row in views.runs.rows] == [run.id]
    assert views.runs.rows[0].equity == desk.window.views.runs.rows[0].equity
    assert [row.type for row in views.activity.rows if row.run_id] == ["run.Created", "run.Started", "run.Completed"]


async def test_a_run_that_fails_says_why(make_desk: MakeDesk, tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir(exist_ok=True)
    (folder / "breaks.py").write_text(
        "from core.strategy.api import Bar, BarStrategy\n\n\nclass Breaks(BarStrategy):\n"
        '    """Breaks on its first bar."""\n\n    id = "breaks"\n\n'
        "    def on_bar(self, bar: Bar) -> None:\n        raise ZeroDivisionError('by design')\n"
    )
    desk = await make_desk()
    run = await desk.engine.create_run(RunConfig(strategy_id="breaks", symbols=("BTC/USD",), timeframe="1m"))
    desk.window.show_run(run.id)
    await desk.window.settled()
    await desk.engine.start_run(run.id)
    done = await desk.engine.wait_for_run(run.id)
    await desk.window.settled()
    assert done.status is RunStatus.ERROR
    assert done.error is not None
    assert done.error in desk.window.banner.text.text()
    status = desk.window.tables["runs"].model.index(0, 0)
    assert status.data() == "Error"
    assert status.data(Qt.ItemDataRole.ToolTipRole) == done.error


async def test_a_burst_is_folded_in_slices_of_time(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await make_desk()
    run = await desk.pending_run()
    events = Events(run.id)
    desk.store.log.announce([events.order(f"o{number}") for number in range(1_000)])
    readings = count()
    with monkeypatch.context() as clock:
        clock.setattr("ui.bridge.perf_counter", lambda: next(readings) * 0.001)
        desk.window.bridge.flush()
    left = desk.window.bridge.backlog
    assert 900 < left < 1_000
    assert desk.window.tables["orders"].model.rowCount() == 1_000 - left
    await desk.window.settled()
    assert desk.window.tables["orders"].model.rowCount() == 1_000


async def test_the_report_follows_a_run_from_pending_to_running(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.pending_run()
    events = Events(run.id)
    manifest = Manifest(strategy_sha256="a", bars_sha256="b", engine="1")
    told = (
        RunStarted(manifest=manifest, bars_total=3_000),
        RunProgressed(bars=1_500, bars_total=3_000, time_ns=START_NS + 1_500 * MINUTE_NS, equity=101_000.0, elapsed_s=0.1),
    )
    desk.store.log.announce([events.wrap(payload, seq=False) for payload in told])
    await desk.window.settled()
    row = desk.window.views.runs.rows[0]
    assert row.progress == 0.5
    assert desk.window.report._shown is not None
    assert desk.window.report._shown[0].status is RunStatus.RUNNING
    assert desk.window.acts["stop-run"].isEnabled()
    curve = desk.window.chart.chart.scene.equity
    assert curve is not None
    assert len(curve) == 1


async def test_the_return_of_a_stopped_run_is_left_to_its_report(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.pending_run()
    said: list[str] = []
    desk.window.run_view.said.connect(said.append)
    events = Events(run.id)
    told = (
        RunStarted(manifest=Manifest(strategy_sha256="a", bars_sha256="b", engine="1"), bars_total=3_000),
        RunProgressed(bars=1_500, bars_total=3_000, time_ns=START_NS + 1_500 * MINUTE_NS, equity=101_000.0, elapsed_s=0.1),
        RunStopped(bars=2_000, reason="It was stopped."),
    )
    desk.store.log.announce([events.wrap(payload, seq=False) for payload in told])
    await desk.window.settled()
    assert said[-1].endswith(": stopped")
