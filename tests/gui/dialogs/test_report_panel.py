"""The report panel: cards, monthly returns, statistics and what was run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea, QTableView

from core.model.report import YearReturns
from core.model.result import RunResult
from core.model.run import Run, RunConfig, RunStatus
from core.model.statistics import STATISTICS
from tests.gui.dialogs.desk import LOOK, Desk, child
from ui.panels.report import ReportPanel
from ui.panels.report_months import MonthlyReturns
from ui.theme import LIGHT


@pytest.fixture
def panel(qapp: QApplication) -> Iterator[ReportPanel]:
    made = ReportPanel(LOOK)
    made.resize(320, 900)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def pairs(panel: ReportPanel, name: str) -> dict[str, str]:
    table = child(panel, name)
    assert isinstance(table, QTableView)
    model = table.model()
    return {model.index(row, 0).data(): model.index(row, 1).data() for row in range(model.rowCount())}


def value(panel: ReportPanel, key: str) -> str:
    label = child(panel, f"card-{key}-value")
    assert isinstance(label, QLabel)
    return label.text()


async def finished(desk: Desk, folder: Path) -> tuple[Run, RunResult]:
    await desk.store(folder)
    config = RunConfig(
        strategy_id="sma-cross", symbols=("ABC",), timeframe="1d", params={"fast": 1, "slow": 2}, fees="bps:10", source="file", seed=5
    )
    run = await desk.engine.create_run(config)
    await desk.engine.start_run(run.id)
    run = await desk.engine.wait_for_run(run.id)
    result = await desk.engine.result(run.id)
    assert result is not None
    return run, result


async def test_shows_what_a_run_left(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, result)
    statistics = pairs(panel, "table-statistics")
    assert list(statistics) == [spec.title for spec in STATISTICS]
    assert statistics["Start equity"] == "100\u2009000.00"
    assert value(panel, "trades") == str(len(result.trades))
    settings = pairs(panel, "table-run-settings")
    assert settings["Seed"] == str(run.config.seed)
    assert settings["Parameters"].startswith("fast 1, slow 2")
    assert (settings["Symbols"], settings["Fees"], settings["Status"]) == ("ABC", "bps:10", "Completed")
    assert run.manifest is not None
    assert settings["Bars"] != run.manifest.bars_sha256
    assert settings["Bars"].startswith(run.manifest.bars_sha256[:5])


async def test_a_figure_that_is_undefined_or_absent_is_a_dash(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, replace(result, stats={"sharpe": None, "total_return": -0.0123, "trades": 0.0}))
    assert (value(panel, "sharpe"), value(panel, "win-rate"), value(panel, "trades")) == ("–", "–", "0")
    assert value(panel, "total-return") == "−1.23\u2009%"
    assert child(panel, "card-total-return-value").property("role") == "loss"
    assert child(panel, "card-sharpe-value").property("role") == "figure"


async def test_the_formula_is_on_hover(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, result)
    assert "End equity ÷ start equity − 1." in child(panel, "card-total-return").toolTip()
    table = child(panel, "table-statistics")
    assert isinstance(table, QTableView)
    tips = [table.model().index(row, 0).data(Qt.ItemDataRole.ToolTipRole) for row in range(table.model().rowCount())]
    assert tips == [f"{spec.title}\n{spec.formula}" for spec in STATISTICS]


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (RunStatus.PENDING, None, "has not started yet"),
        (RunStatus.RUNNING, None, "goes on"),
        (RunStatus.ERROR, "The strategy failed at its third bar.", "The strategy failed at its third bar."),
        (RunStatus.INTERRUPTED, None, "ended while this run went on"),
    ],
)
def test_a_run_without_a_result_says_why(panel: ReportPanel, status: RunStatus, error: str | None, sentence: str) -> None:
    config = RunConfig(strategy_id="sma-cross", symbols=("ABC",), timeframe="1d")
    panel.show_result(Run(id="run-1", config=config, status=status, created_ns=0, error=error), None)
    message = child(panel, "report-message")
    assert isinstance(message, QLabel)
    assert sentence in message.text()
    assert not child(panel, "table-statistics").isVisible()


async def test_clear_shows_what_will_be_here(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    assert child(panel, "empty-report").isVisible()
    panel.show_result(*await finished(desk, tmp_path))
    assert not child(panel, "empty-report").isVisible()
    panel.clear()
    assert child(panel, "empty-report").isVisible()


@pytest.mark.parametrize("width", [260, 300, 420, 900])
async def test_nothing_sticks_out_at_any_width(desk: Desk, tmp_path: Path, panel: ReportPanel, width: int) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, result)
    panel.show_report(await desk.engine.report(run.id))
    panel.resize(width, 700)
    QApplication.sendPostedEvents()
    area = child(panel, "report-scroll")
    assert isinstance(area, QScrollArea)
    content = area.widget()
    assert content is not None
    assert content.width() <= area.viewport().width()
    for card in ("card-total-return", "card-fees", "report-months"):
        widget = child(panel, card)
        assert widget.mapTo(content, widget.rect().topRight()).x() <= content.width()


async def test_the_theme_changes_at_once(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    panel.show_result(*await finished(desk, tmp_path))
    panel.set_look(replace(LOOK, theme=LIGHT))
    assert panel.grab().toImage().pixelColor(4, 60) == QColor(LIGHT.panel)


async def test_the_months_are_those_of_the_report(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, result)
    months = child(panel, "report-months")
    assert isinstance(months, MonthlyReturns)
    assert not months.isVisible()
    report = await desk.engine.report(run.id)
    panel.show_report(report)
    assert months.isVisible()
    assert months.years == report.years != ()
    panel.show_result(structs.replace(run, id="another"), result)
    assert not months.isVisible()


async def test_a_result_is_shown_a_part_at_a_time_and_comes_out_the_same(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    report = await desk.engine.report(run.id)
    steps = [*panel.showing_result(run, result), *panel.showing_report(report)]
    assert len(steps) > 6
    sliced = pairs(panel, "table-statistics"), pairs(panel, "table-run-settings"), value(panel, "total-return")
    panel.clear()
    panel.show_result(run, result)
    panel.show_report(report)
    assert sliced == (pairs(panel, "table-statistics"), pairs(panel, "table-run-settings"), value(panel, "total-return"))
    assert child(panel, "report-details").isVisible()


@pytest.mark.parametrize("width", [240, 700])
def test_each_month_is_told_on_hover_and_stays_inside(qapp: QApplication, width: int) -> None:
    months = MonthlyReturns(LOOK)
    months.show_years([YearReturns(2024, (0.01, None, *[-0.02] * 10), 0.5)])
    months.resize(width, months.height())
    months.show()
    told = {months.text_at(QPoint(x, y)) for x in range(0, width, 4) for y in range(0, months.height(), 4)}
    assert {"Jan 2024: +1.00\u2009%", "Feb 2024: –", "Dec 2024: −2.00\u2009%", "2024: +50.00\u2009%"} <= told
    assert len(told - {""}) == 13
    months.close()
    months.deleteLater()


def test_a_run_on_the_simulated_market_is_called_so(panel: ReportPanel) -> None:
    config = RunConfig(strategy_id="sma-cross", symbols=("DEMO",), timeframe="1m")
    label = child(panel, "report-period")
    assert isinstance(label, QLabel)
    panel.show_result(Run(id="run-1", config=config, status=RunStatus.PENDING, created_ns=0, demo=True), None)
    assert label.text().endswith("simulated market")
    panel.show_result(Run(id="run-1", config=config, status=RunStatus.PENDING, created_ns=0), None)
    assert "simulated" not in label.text()


async def test_no_text_reaches_beyond_the_edge(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(
        structs.replace(run, config=structs.replace(run.config, params={"a_parameter_with_a_long_name": 1.25, "and_another": 2.5})), result
    )
    for name in ("table-statistics", "table-run-settings"):
        table = child(panel, name)
        assert isinstance(table, QTableView)
        table.doItemsLayout()
        assert table.horizontalHeader().length() <= table.viewport().width(), name


async def test_a_message_keeps_its_distance_from_its_border(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, _ = await finished(desk, tmp_path)
    panel.show_result(structs.replace(run, status=RunStatus.RUNNING, bars=2, bars_total=6), None)
    message = child(panel, "report-message")
    assert isinstance(message, QLabel)
    assert message.contentsRect().left() >= LOOK.sizes.step * 2
    assert message.contentsRect().top() >= LOOK.sizes.step


async def test_a_run_that_goes_on_does_not_tell_figures_that_are_old(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, _ = await finished(desk, tmp_path)
    panel.show_result(structs.replace(run, status=RunStatus.RUNNING, bars=2, bars_total=6, elapsed_s=0.01), None)
    period = child(panel, "report-period")
    assert isinstance(period, QLabel)
    assert period.text() == "6 bars to go through"
