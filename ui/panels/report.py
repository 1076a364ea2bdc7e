"""The report of a finished run: cards, monthly returns, every statistic, and what was asked for."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QMenu, QScrollArea, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from core.model.report import Report
from core.model.result import RunResult
from core.model.run import Run, RunStatus
from core.model.statistics import STATISTICS
from ui.dialogs.empty_state import EmptyState
from ui.dialogs.look import Banner, role_sheet
from ui.dialogs.text_table import TextTableView
from ui.models.look import Look
from ui.panels.report_cards import Card, CardGrid
from ui.panels.report_details import ReportDetails, ReportFindings
from ui.panels.report_figures import CARDS, SPECS, facts, figure, figure_role, heading, period
from ui.panels.report_months import MonthlyReturns


class ReportPanel(QWidget):
    """Content of the report dock. Shows one run at a time; `clear` when none is chosen."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel-report")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._look = look
        self._shown: tuple[Run, RunResult | None] | None = None
        self._report: Report | None = None
        self._has_acts = False
        self._empty = EmptyState(
            "No report yet", "Choose a run in the list of runs: its figures, monthly returns and settings will be here.", look.sizes, self
        )
        self._empty.setObjectName("empty-report")
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self._make_report())
        self._stack.addWidget(self._empty)
        self.set_look(look)
        self.clear()

    def _make_report(self) -> QWidget:
        sizes = self._look.sizes
        content = QWidget(self)
        content.setObjectName("report-content")
        self._heading = _label("report-heading", "title", content)
        self._export = QToolButton(content)
        self._export.setObjectName("button-export-report")
        self._export.setText("Export")
        self._export.setAccessibleName("Export the report")
        self._export.setToolTip("Write the report to a file, or to a folder")
        self._export.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._export.hide()
        self._period = _label("report-period", "muted", content)
        beneath = QHBoxLayout()
        beneath.setSpacing(sizes.step * 2)
        beneath.addWidget(self._period, 1)
        beneath.addWidget(self._export, 0, Qt.AlignmentFlag.AlignTop)
        self._message = Banner("report-message", content)
        self._grid = CardGrid(self._look, content)
        self._cards: dict[str, Card] = {}
        for key in CARDS:
            spec = SPECS[key]
            card = Card(key, spec.title, self._look, self._grid)
            self._cards[key] = card
            self._grid.add(card)
        self._months_heading = _label("report-months-heading", "heading", content)
        self._months_heading.setText("Monthly returns, percent")
        self._months = MonthlyReturns(self._look, content)
        self._findings_heading = _label("report-findings-heading", "heading", content)
        self._findings_heading.setText("Before you believe it")
        self._findings = ReportFindings(content)
        self.details = ReportDetails(self._look, content)
        self._figures_heading = _label("report-statistics-heading", "heading", content)
        self._figures_heading.setText("All statistics")
        self.statistics = _FullTable("table-statistics", "Statistics of the run", self._look, content)
        facts_heading = _label("report-settings-heading", "heading", content)
        facts_heading.setText("What was run")
        self.settings = _FullTable("table-run-settings", "Settings of the run", self._look, content)
        layout = QVBoxLayout(content)
        layout.setContentsMargins(sizes.step * 3, sizes.step * 3, sizes.step * 3, sizes.step * 3)
        layout.setSpacing(sizes.step * 2)
        layout.addWidget(self._heading)
        layout.addLayout(beneath)
        for widget in (
            self._message,
            self._grid,
            self._findings_heading,
            self._findings,
            self._months_heading,
            self._months,
            self.details,
            self._figures_heading,
            self.statistics,
            facts_heading,
            self.settings,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("report-scroll")
        area.setAccessibleName("Report")
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        return area

    def offer_acts(self, acts: Sequence[QAction]) -> None:
        """Offer these acts behind the button beside the heading."""
        menu = QMenu(self._export)
        menu.setObjectName("menu-export-report")
        menu.addActions(list(acts))
        self._export.setMenu(menu)
        self._has_acts = bool(acts)

    def clear(self) -> None:
        """Show that there is no run."""
        self._shown = None
        self._report = None
        self._stack.setCurrentIndex(1)

    def show_result(self, run: Run, result: RunResult | None) -> None:
        """Show a run; `result` is None while it goes on, or when it left none."""
        for _ in self.showing_result(run, result):
            pass

    def showing_result(self, run: Run, result: RunResult | None) -> Iterator[None]:
        """Do what `show_result` does, a part at a time: laying out all of it in one turn would hold up the loop."""
        if self._report is not None and self._report.run_id != run.id:
            self._report = None
        self._shown = (run, result)
        self._stack.setCurrentIndex(0)
        self._heading.setText(heading(run))
        self._period.setText(period(run))
        self._message.say(*_message(run, result))
        self._show_shown(result is not None)
        stats = result.stats if result is not None else {}
        for key, card in self._cards.items():
            spec, value = SPECS[key], stats.get(key)
            card.show_figure(figure(spec, value), f"{spec.title}\n{spec.formula}", figure_role(spec, value))
        yield
        yield from self._showing_details(self._report if result is not None else None)
        self.statistics.show_pairs(
            [(spec.title, figure(spec, stats.get(spec.key))) for spec in STATISTICS],
            [f"{spec.title}\n{spec.formula}" for spec in STATISTICS],
        )
        yield
        rows = facts(run, result, self._look.zone)
        self.settings.show_pairs([(title, text) for title, text, _ in rows], [f"{title}: {whole}" for title, _, whole in rows])
        yield

    def _show_shown(self, has_result: bool) -> None:
        self._export.setVisible(has_result and self._has_acts)
        figures: tuple[QWidget, ...] = (self._grid, self._figures_heading, self.statistics)
        for widget in figures:
            widget.setVisible(has_result)

    def show_report(self, report: Report) -> None:
        """Show the rest of the run that is shown, now that it is computed; that of another run is ignored."""
        for _ in self.showing_report(report):
            pass

    def showing_report(self, report: Report) -> Iterator[None]:
        """Do what `show_report` does, a part at a time."""
        if self._shown is not None and self._shown[0].id == report.run_id and self._shown[1] is not None:
            self._report = report
            yield from self._showing_details(report)

    def _showing_details(self, report: Report | None) -> Iterator[None]:
        findings = () if report is None else report.findings
        self._findings.show_findings(findings, self._look)
        self._findings_heading.setVisible(bool(findings))
        years = () if report is None else report.years
        self._months.show_years(years)
        for widget in (self._months_heading, self._months):
            widget.setVisible(bool(years))
        yield
        self.details.setVisible(report is not None)
        if report is not None:
            yield from self.details.showing_report(report)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self._look = look
        theme = look.theme
        self.setStyleSheet(
            role_sheet(theme, look.sizes)
            + f"""
#report-content {{ background: {theme.panel}; }}
QLabel[role="figure"] {{ color: {theme.text}; font-weight: 600; font-size: {round(look.sizes.font * 1.3)}px; }}
QLabel[role="gain"] {{ color: {theme.up}; font-weight: 600; font-size: {round(look.sizes.font * 1.3)}px; }}
QLabel[role="loss"] {{ color: {theme.down}; font-weight: 600; font-size: {round(look.sizes.font * 1.3)}px; }}
"""
        )
        self._grid.set_look(look)
        self._months.set_look(look)
        self.details.set_look(look)
        if self._shown is not None:
            self.show_result(*self._shown)


class _FullTable(TextTableView):
    """Two columns, title and text; as tall as its rows, since the report scrolls as a whole."""

    def __init__(self, name: str, title: str, look: Look, parent: QWidget) -> None:
        super().__init__(name, title, look.sizes, parent)
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)

    def show_pairs(self, pairs: Sequence[tuple[str, str]], tips: Sequence[str]) -> None:
        self.table.show_rows(("", ""), pairs, right=(1,), tips=tips)
        # A long text is shortened inside the panel; a column as wide as its text would reach beyond the edge.
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.fit_rows()


def _label(name: str, role: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label


def _message(run: Run, result: RunResult | None) -> tuple[str, str]:
    if run.status is RunStatus.ERROR:
        return run.error or "The run failed.", "error"
    if run.status is RunStatus.INTERRUPTED:
        return run.error or "The program ended while this run went on. Run it again to see its result.", "doubt"
    if run.status is RunStatus.STOPPED:
        return run.error or "The run was stopped before its last bar.", "doubt"
    if result is not None:
        return "", "note"
    if run.status is RunStatus.PENDING:
        return "The run has not started yet. Start it, and its figures will be here.", "note"
    return "The run goes on; its figures will be here when it is over.", "note"
