"""What came of an import: how many rows were taken, refused and why, and what they did to the stored bars."""

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.model.instants import day_of
from core.model.price_file import BadRow, ImportReport
from ui.dialogs.text_table import TextTableView
from ui.format import number
from ui.theme import Sizes

_REASONS_HEAD = ("Reason", "Rows")
_ROWS_HEAD = ("Line", "Reason", "What is wrong")


class ImportResultPage(QWidget):
    """Sentences, the refused rows counted by reason, and the list of them with line numbers."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = _label("title", "import-result-title", self)
        self._sentence = _label("", "import-result-sentence", self)
        self._merge = _label("muted", "import-result-merge", self)
        self._refused = _label("heading", "import-result-refused", self)
        self.reasons = TextTableView("table-import-reasons", "Refused rows by reason", sizes, self)
        self.rows = TextTableView("table-import-bad-rows", "Refused rows with their line numbers", sizes, self)
        self.rows.fold_last_column()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(sizes.step * 2)
        for widget in (self._title, self._sentence, self._merge, self._refused, self.reasons):
            layout.addWidget(widget)
        layout.addWidget(self.rows, 1)
        layout.addStretch(0)

    def show_report(self, report: ImportReport) -> None:
        """Show a finished import."""
        key = report.key
        self._title.setText(f"{key.symbol} {key.timeframe} from {key.source} is stored")
        period = ""
        if report.first_ns is not None and report.last_ns is not None:
            period = f", {day_of(report.first_ns)} to {day_of(report.last_ns)}"
        self._sentence.setText(f"{number(report.rows)} rows: {number(report.taken)} taken, {number(report.refused)} refused{period}.")
        merge = report.merge
        self._merge.setText(
            f"Bars: {number(merge.added)} new, {number(merge.identical)} the same as before, {number(merge.changed)} changed."
        )
        self._show_refused(report.refused_by_reason, report.bad_rows, report.refused)

    def show_refusal(self, by_reason: Mapping[str, int], bad_rows: Sequence[BadRow]) -> None:
        """Show an import that stopped at bad rows."""
        refused = sum(by_reason.values())
        self._title.setText("Nothing was imported")
        rows = "1 row contradicts itself" if refused == 1 else f"{number(refused)} rows contradict themselves"
        self._sentence.setText(f"{rows}. Skip {'it' if refused == 1 else 'them'}, or correct the file and import it again.")
        self._merge.setText("")
        self._show_refused(by_reason, bad_rows, refused)

    def _show_refused(self, by_reason: Mapping[str, int], bad_rows: Sequence[BadRow], refused: int) -> None:
        listed = f" – the first {number(len(bad_rows))} of {number(refused)} are listed" if len(bad_rows) < refused else ""
        self._refused.setText(f"Refused rows{listed}" if refused else "")
        by_count = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
        self.reasons.table.show_rows(_REASONS_HEAD, [(reason.replace("_", " "), number(count)) for reason, count in by_count], right=(1,))
        self.rows.table.show_rows(
            _ROWS_HEAD,
            [(number(row.line), row.reason.replace("_", " "), row.detail) for row in bad_rows],
            right=(0,),
            tips=[row.detail for row in bad_rows],
        )
        self.reasons.fit_rows(6)
        self.reasons.setVisible(bool(by_reason))
        self.rows.setVisible(bool(bad_rows))
        for label in (self._merge, self._refused):
            label.setVisible(bool(label.text()))


def _label(role: str, name: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label
