"""What the report shows beside cards and statistics: findings, drawdowns, rolling figures, distributions, groups and the benchmark."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QLabel, QVBoxLayout, QWidget

from core.model.instants import day_of
from core.model.report import AccountPeriod, AccountTotal, BenchmarkComparison, Finding, Histogram, Report, Severity, TradeGroup
from ui.dialogs.text_table import TextTableView
from ui.format import duration, number, percent
from ui.models.look import Look
from ui.panels.report_plots import BarPlot, LinePlot, ReportPlot

Part = TypeVar("Part", bound=QWidget)
Plot = TypeVar("Plot", bound=ReportPlot)

_TOKENS = {Severity.ALARM: "danger", Severity.WARNING: "warning", Severity.NOTE: "muted"}
_AGAINST = (
    ("total_return", "Its total return"), ("max_drawdown", "Its max drawdown"), ("sharpe", "Its Sharpe ratio"), ("alpha", "Alpha, annual"),
    ("beta", "Beta"), ("correlation", "Correlation"), ("tracking_error", "Tracking error"), ("information_ratio", "Information ratio"),
    ("up_capture", "Up capture"), ("down_capture", "Down capture"),
)  # fmt: skip
_DAY_S = 86_400
_RATIOS = frozenset({"sharpe", "beta", "correlation", "information_ratio"})


class WideTable(TextTableView):
    """A table as tall as its rows and as wide as the panel; the report scrolls as a whole."""

    def __init__(self, name: str, title: str, look: Look, parent: QWidget) -> None:
        super().__init__(name, title, look.sizes, parent)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setStretchLastSection(False)

    def show_table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], tips: Sequence[str], *, words_first: bool = False) -> None:
        """Show rows; all columns but the first hold numbers. They share the room; with `words_first` the first has what they leave."""
        self.table.show_rows(headers, rows, right=range(1, len(headers)), tips=tips)
        mode = QHeaderView.ResizeMode
        self.horizontalHeader().setSectionResizeMode(mode.ResizeToContents if words_first else mode.Stretch)
        if words_first:
            self.horizontalHeader().setSectionResizeMode(0, mode.Stretch)
        self.fit_rows()


class ReportFindings(QLabel):
    """The findings, the weightiest first, as one text; hidden while there is none."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("report-findings")
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.hide()

    def show_findings(self, findings: Sequence[Finding], look: Look) -> None:
        """Show each as its weight and its sentence."""
        lines = (
            f'<p style="margin:0 0 {look.sizes.step}px 0"><b style="color:{getattr(look.theme, _TOKENS[finding.severity])}">'
            f"{finding.severity.value.capitalize()}</b> {escape(finding.sentence).replace(' %', '&nbsp;%')}</p>"
            for finding in findings
        )
        self.setText("".join(lines))
        self.setAccessibleName("Findings: " + " ".join(finding.sentence for finding in findings))
        self.setVisible(bool(findings))


class ReportDetails(QWidget):
    """Plots and tables of a `Report`; each part is hidden where it has nothing to show."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("report-details")
        self._look = look
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._headings: dict[QWidget, QLabel] = {}
        self._plots: list[ReportPlot] = []
        self.drawdowns = self._add(WideTable("table-drawdowns", "Deepest drawdowns", look, self), "Deepest drawdowns")
        self.sharpe = self._plot(LinePlot("report-rolling-sharpe", "Rolling Sharpe ratio", look, _ratio, "accent", self), "Sharpe ratio")
        self.volatility = self._plot(
            LinePlot("report-rolling-volatility", "Rolling volatility", look, _share, "warning", self), "Volatility, annual"
        )
        self.returns = self._plot(BarPlot("report-returns", "Distribution of returns", look, _count, self), "Daily returns")
        self.trade_returns = self._plot(BarPlot("report-trade-returns", "Distribution of trades", look, _count, self), "Return of trades")
        self.hours = self._plot(BarPlot("report-hours", "Profit by hour of entry", look, _money, self), "Profit by hour of entry")
        self.weekdays = self._plot(
            BarPlot("report-weekdays", "Profit by weekday of entry", look, _money, self), "Profit by weekday of entry"
        )
        self.groups = self._add(WideTable("table-trade-groups", "Trades by symbol and side", look, self), "By symbol and side")
        self.benchmark = self._add(WideTable("table-benchmark", "Against the benchmark", look, self), "Against the benchmark")
        self.account = self._add(
            WideTable("table-account-events", "Dividends, interest and charges", look, self), "Dividends, interest and charges"
        )
        self.account_over_time = self._add(
            WideTable("table-account-over-time", "Dividends, interest and charges over time", look, self), "The same over time"
        )
        self.set_look(look)

    def set_look(self, look: Look) -> None:
        """Take other colours and sizes."""
        self._look = look
        self._layout.setSpacing(look.sizes.step * 2)
        for plot in self._plots:
            plot.set_look(look)

    def showing_report(self, report: Report) -> Iterator[None]:
        """Show all of it, a part at a time. The arrays are small by now: nothing here depends on the number of bars or trades."""
        self._show_drawdowns(report)
        yield
        rolling = report.rolling
        if rolling is not None:
            of = "days" if report.returns_are_daily else "returns"
            self.sharpe.show_line(rolling.ends_ns, rolling.sharpe)
            self.volatility.show_line(rolling.ends_ns, rolling.volatility)
            self._head(self.sharpe, f"Sharpe ratio over {rolling.window} {of}")
            self._head(self.volatility, f"Volatility over {rolling.window} {of}, annual")
        self._offer(self.sharpe, rolling is not None)
        self._offer(self.volatility, rolling is not None)
        yield
        self._head(self.returns, "Daily returns" if report.returns_are_daily else "Returns from point to point")
        self._show_bins(self.returns, report.returns)
        self._show_bins(self.trade_returns, report.trade_returns)
        yield
        for plot, groups, cut, of in ((self.hours, report.by_hour, 2, "hour"), (self.weekdays, report.by_weekday, 3, "weekday")):
            self._head(plot, f"Profit by {of} of entry, {report.zone}")
            plot.show_bars(
                [group.name[:cut] for group in groups], [group.profit for group in groups], [_group_words(group) for group in groups]
            )
            self._offer(plot, bool(groups))
        yield
        groups = (*report.by_symbol, *report.by_side) if report.trades else ()
        rows = [(group.name, number(group.trades), percent(group.win_rate, 0), number(group.profit, 0)) for group in groups]
        self.groups.show_table(("", "Trades", "Won", "Profit"), rows, [_group_words(group) for group in groups])
        self._offer(self.groups, bool(groups))
        self._show_benchmark(report.benchmark)
        yield
        self._show_account(report.account_totals, report.account_periods)
        yield

    def _show_drawdowns(self, report: Report) -> None:
        shown = report.drawdowns[:5]
        rows = [(str(day_of(item.start_ns)), percent(item.depth), _lasted(item.duration_s)) for item in shown]
        tips = [
            f"From {day_of(item.start_ns)}, lowest {day_of(item.trough_ns)}, "
            + ("not recovered yet" if item.recovery_ns is None else f"recovered {day_of(item.recovery_ns)}")
            for item in shown
        ]
        self.drawdowns.show_table(("From", "Depth", "Lasted"), rows, tips)
        self._offer(self.drawdowns, bool(shown))

    def _show_bins(self, plot: BarPlot, bins: Histogram | None) -> None:
        if bins is not None:
            edges = bins.edges.tolist()
            names = [percent(edge) for edge in edges]
            tips = [f"{first} to {last}: {count:,}" for first, last, count in zip(names, names[1:], bins.counts.tolist(), strict=False)]
            tokens = ["up" if edge >= 0 else "down" for edge in edges[:-1]]
            plot.show_bars(names, [float(count) for count in bins.counts.tolist()], tips, tokens)
        self._offer(plot, bins is not None)

    def _show_benchmark(self, compared: BenchmarkComparison | None) -> None:
        if compared is not None:
            self._head(self.benchmark, f"Against {compared.symbol}, bought and held")
            rows = [(title, _figure(key, getattr(compared, key))) for key, title in _AGAINST]
            self.benchmark.show_table(("", "Figure"), rows, [f"{title}: docs/statistics.md tells its formula." for _, title in _AGAINST])
        self._offer(self.benchmark, compared is not None)

    def _show_account(self, totals: Sequence[AccountTotal], periods: Sequence[AccountPeriod]) -> None:
        rows = [(_entry_words(item), number(item.count), _sum(item.amount)) for item in totals]
        tips = [
            f"{words}: {count}" + ("" if item.amount is None else f", {_flow(item.amount)}")
            for item, (words, count, _) in zip(totals, rows, strict=True)
        ]
        self.account.show_table(("", "Count", "Sum"), rows, tips, words_first=True)
        dated = [(item.name, number(item.count), _sum(item.amount)) for item in periods]
        parts = ["\n".join(f"{kind.words}: {number(amount, 2)}" for kind, amount in item.amounts.items()) for item in periods]
        self.account_over_time.show_table(("UTC", "Count", "Sum"), dated, parts, words_first=True)
        self._offer(self.account, bool(totals))
        self._offer(self.account_over_time, bool(totals))

    def _plot(self, plot: Plot, heading: str) -> Plot:
        self._plots.append(plot)
        return self._add(plot, heading)

    def _add(self, widget: Part, heading: str) -> Part:
        label = QLabel(heading, self)
        label.setObjectName(f"{widget.objectName()}-heading")
        label.setProperty("role", "heading")
        label.setWordWrap(True)
        self._headings[widget] = label
        self._layout.addWidget(label)
        self._layout.addWidget(widget)
        return widget

    def _head(self, widget: QWidget, text: str) -> None:
        self._headings[widget].setText(text)

    def _offer(self, widget: QWidget, shown: bool) -> None:
        widget.setVisible(shown)
        self._headings[widget].setVisible(shown)


def _group_words(group: TradeGroup) -> str:
    return f"{group.name}: {number(group.profit, 2)} in {group.trades:,} trades, {percent(group.win_rate, 0)} won"


def _entry_words(total: AccountTotal) -> str:
    return total.kind.words if total.symbol is None else f"{total.symbol} {total.kind.words.lower()}"


def _sum(amount: Decimal | None) -> str:
    # Cents of a large sum would take the room of its name; they are on hover.
    return number(amount, 0 if amount is not None and abs(amount) >= 1_000 else 2)


def _flow(amount: Decimal) -> str:
    return f"{number(abs(amount), 2)} {'came in' if amount >= 0 else 'went out'}"


def _lasted(seconds: float) -> str:
    # Hours of a long drawdown are those of summer time and sessions, not of the fall.
    return f"{number(round(seconds / _DAY_S))} d" if seconds >= 10 * _DAY_S else duration(seconds)


def _figure(key: str, value: float | None) -> str:
    return number(value, 2) if key in _RATIOS else percent(value)


def _ratio(value: float) -> str:
    return number(value, 1)


def _share(value: float) -> str:
    return percent(value, 0 if abs(value) >= 0.1 else 1)


def _count(value: float) -> str:
    return number(value, 0)


def _money(value: float) -> str:
    return number(value, 0)
