"""The rest of the report panel: findings, plots and tables of a run's report, computed beside the loop."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel, QTableView

from core.backtest.report.account import account_periods, account_totals
from core.model.instants import DAY_NS, parse_instant
from core.model.report import Finding, Report, Severity
from core.model.result import RunResult
from tests.gui.dialogs.desk import LOOK, Desk, child
from tests.gui.dialogs.test_report_panel import finished
from tests.unit.app.test_report_page import entries, made
from ui.format import THIN
from ui.panels.report import ReportPanel
from ui.panels.report_details import _lasted
from ui.panels.report_plots import BarPlot, LinePlot, axis_ticks, label_left, round_ticks
from ui.theme import LIGHT


@pytest.fixture
def panel(qapp: QApplication) -> Iterator[ReportPanel]:
    panel = ReportPanel(LOOK)
    panel.resize(320, 2_600)
    panel.show()
    yield panel
    panel.close()
    panel.deleteLater()


async def shown(desk: Desk, folder: Path, panel: ReportPanel) -> Report:
    run, result = await finished(desk, folder)
    panel.show_result(run, result)
    report = await desk.engine.report(run.id)
    panel.show_report(report)
    return report


def rows(panel: ReportPanel, name: str) -> list[list[str]]:
    table = child(panel, name)
    assert isinstance(table, QTableView)
    model = table.model()
    return [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())]


async def test_the_report_of_a_real_run_fills_the_parts(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    report = await shown(desk, tmp_path, panel)
    findings = child(panel, "report-findings")
    assert isinstance(findings, QLabel)
    assert findings.isVisible()
    assert all(finding.sentence in findings.accessibleName() for finding in report.findings)
    assert len(rows(panel, "table-drawdowns")) == len(report.drawdowns[:5])
    assert [row[0] for row in rows(panel, "table-trade-groups")] == (["ABC", "long"] if report.trades else [])
    assert [row[0] for row in rows(panel, "table-benchmark")][:2] == ["Its total return", "Its max drawdown"]
    # Bars of a day have no hour, and some days no rolling figures: these parts are not there.
    assert not child(panel, "report-hours").isVisible()
    assert child(panel, "report-rolling-sharpe").isVisible() == (report.rolling is not None)
    assert child(panel, "report-weekdays").isVisible() == bool(report.trades)


async def test_a_report_comes_after_the_result_and_only_for_the_run_that_is_shown(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    run, result = await finished(desk, tmp_path)
    panel.show_result(run, result)
    assert not panel.details.isVisible()
    report = await desk.engine.report(run.id)
    panel.show_report(replace(report, run_id="another"))
    assert not panel.details.isVisible()
    panel.show_report(report)
    assert panel.details.isVisible()
    panel.show_result(run, None)
    assert not panel.details.isVisible()
    assert not child(panel, "report-findings").isVisible()
    panel.show_result(run, result)
    assert panel.details.isVisible()
    panel.clear()
    panel.show_report(report)
    assert not panel.details.isVisible()


async def test_what_happened_to_the_account_has_its_tables(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    report = await shown(desk, tmp_path, panel)
    assert not child(panel, "table-account-events").isVisible()
    account = entries()
    made = replace(report, account_totals=account_totals(account, ("SPY",)), account_periods=account_periods(account))
    panel.show_report(made)
    assert child(panel, "table-account-events").isVisible()
    assert rows(panel, "table-account-events") == [
        ["SPY dividend received", "1", f"1{THIN}250"], ["SPY borrow charged", "1", "−3.25"], ["Margin call", "1", "–"],
    ]  # fmt: skip
    assert rows(panel, "table-account-over-time") == [
        ["2024-01-01", "1", f"1{THIN}250"], ["2024-01-02", "1", "−3.25"], ["2024-01-03", "1", "0.00"],
    ]  # fmt: skip
    table = child(panel, "table-account-events")
    assert isinstance(table, QTableView)
    assert table.model().index(1, 0).data(Qt.ItemDataRole.ToolTipRole) == "SPY borrow charged: 1, 3.25 went out"
    assert table.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == f"SPY dividend received: 1, 1{THIN}250.50 came in"
    panel.show_report(report)
    assert not child(panel, "table-account-over-time").isVisible()


async def test_findings_are_escaped_and_coloured_by_weight(desk: Desk, tmp_path: Path, panel: ReportPanel) -> None:
    report = await shown(desk, tmp_path, panel)
    panel.show_report(replace(report, findings=(Finding(code="x", severity=Severity.ALARM, sentence="a <b> & c", figures={}),)))
    label = child(panel, "report-findings")
    assert isinstance(label, QLabel)
    assert "a &lt;b&gt; &amp; c" in label.text()
    assert LOOK.theme.danger in label.text()
    panel.show_report(replace(report, findings=()))
    assert not label.isVisible()
    assert not child(panel, "report-findings-heading").isVisible()


def test_the_parts_follow_the_theme_and_stay_inside(panel: ReportPanel) -> None:
    run, report = made(points=24 * 20, pairs=100)
    panel.show_result(run, _result_of(report))
    panel.show_report(report)
    assert [row[0] for row in rows(panel, "table-trade-groups")] == ["BTC/USD", "long"]
    panel.set_look(replace(LOOK, theme=LIGHT))
    image = panel.details.weekdays.grab().toImage()
    colours = {QColor(image.pixel(x, y)).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert {LIGHT.up, LIGHT.down} & colours
    for name in ("table-drawdowns", "table-trade-groups", "table-benchmark", "report-weekdays"):
        part = child(panel, name)
        assert part.width() <= panel.width()
    for name in ("table-drawdowns", "table-trade-groups", "table-benchmark"):
        table = child(panel, name)
        assert isinstance(table, QTableView)
        assert table.verticalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        assert table.viewport().height() >= sum(table.rowHeight(row) for row in range(table.model().rowCount()))


def test_a_long_run_fills_all_plots(panel: ReportPanel) -> None:
    run, report = made(points=24 * 120, pairs=400)
    panel.show_result(run, _result_of(report))
    panel.show_report(report)
    details = panel.details
    for plot in (details.sharpe, details.volatility, details.returns, details.trade_returns, details.hours, details.weekdays):
        assert plot.isVisible()
        assert not plot.grab().isNull()
        assert plot.text_at(plot.area().center().x()) != ""
    assert "trades" in details.hours.text_at(details.hours.area().left() + 2)
    assert details.hours.text_at(0) == ""


def _result_of(report: Report) -> RunResult:
    return RunResult(run_id=report.run_id, stats=report.stats, equity_ns=report.equity_ns, equity=report.equity, trades=report.trades)


def test_a_line_that_is_long_is_thinned_and_one_without_values_is_empty(qapp: QApplication) -> None:
    plot = LinePlot("a", "A", LOOK, str, "accent")
    start = parse_instant("2024-01-01")
    plot.resize(300, 100)
    plot.show_line(start + DAY_NS * np.arange(100_000), np.arange(100_000.0))
    assert plot.text_at(plot.area().left()) == "2024-01-01: 0.0"
    assert not plot.grab().isNull()
    plot.show_line(np.arange(3, dtype=np.int64), np.full(3, np.nan))
    assert plot.text_at(50) == ""
    assert not plot.grab().isNull()
    plot.deleteLater()


def test_bars_without_values_are_empty(qapp: QApplication) -> None:
    plot = BarPlot("a", "A", LOOK, str)
    assert not plot.grab().isNull()
    plot.show_bars(["x"], [0.0], ["x: 0"])
    assert not plot.grab().isNull()
    assert plot.accessibleDescription() == "x: 0"
    plot.deleteLater()


def test_round_ticks() -> None:
    assert round_ticks(-7, 93, 3) == [0, 50]
    assert round_ticks(1, 1, 3) == []


def test_an_axis_has_two_numbers_at_least() -> None:
    assert round_ticks(-3.6, 4.1, 3) == [0]
    assert axis_ticks(-3.6, 4.1) == [-2, 0, 2, 4]
    assert axis_ticks(-7, 93) == [0, 50]
    assert axis_ticks(1, 1) == []


def test_a_label_stands_under_its_bar_and_is_moved_only_where_it_would_be_cut_off() -> None:
    assert label_left(100, 20, 300) == 90
    assert label_left(285, 20, 300) == 275
    assert label_left(299, 20, 300) == 280
    assert label_left(3, 20, 300) == 0
    assert label_left(3, 400, 300) == 0


def test_a_long_drawdown_is_told_in_days() -> None:
    assert _lasted(78 * 86_400 + 23 * 3_600) == "79 d"
    assert _lasted(3 * 86_400 + 4 * 3_600) == "3 d 4 h"
