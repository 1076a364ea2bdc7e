"""How a price file is read: every guess as a field that can be corrected, over a preview of its first rows."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import available_timezones

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QCompleter, QHBoxLayout, QHeaderView, QLineEdit, QVBoxLayout, QWidget

from core.errors import InvalidValue
from core.model.market import USUAL_TIMEFRAMES, Adjustment, Timeframe, parse_symbol
from core.model.price_file import BAR_COLUMNS, DATE_COLUMN, NOT_READ, FileFormat, FileGuess, ImportPlan, OnBad
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.dialogs.text_table import TextTableView
from ui.theme import Sizes

_DELIMITERS: Final = {",": "comma ,", ";": "semicolon ;", "\t": "tab", "|": "bar |", " ": "space"}
_DECIMALS: Final = {".": "point .", ",": "comma ,"}
_EPOCH: Final = "number since 1970"
_TIME_FORMATS: Final = (
    _EPOCH,
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%Y%m%d",
    "%Y%m%d %H%M%S",
)
_TIME_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_USUAL_ZONES: Final = ("UTC", "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "Asia/Hong_Kong")
_ADJUSTMENTS: Final = {
    Adjustment.RAW: "raw – prices as traded",
    Adjustment.SPLIT: "split – splits taken out",
    Adjustment.ALL: "all – splits and dividends taken out",
}
_ON_BAD: Final = {OnBad.FAIL: "stop and import nothing", OnBad.SKIP: "skip them and import the rest"}


class ImportFields(QWidget):
    """The settings of an import. `format_changed` comes when the file must be looked at again."""

    format_changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settling = False
        self._kind = "csv"
        self._other_columns = False
        left, right = FieldGrid(sizes, self), FieldGrid(sizes, self)
        self.symbol = QLineEdit(left)
        self.symbol.setPlaceholderText("SPY, BRK.B or BTC/USD")
        self.symbol_row = left.add("field-import-symbol", "Symbol", self.symbol)
        self.timeframe = _editable(USUAL_TIMEFRAMES, left)
        self.timeframe_row = left.add("field-import-timeframe", "Timeframe", self.timeframe)
        self.source = QLineEdit("file", left)
        self.source_row = left.add("field-import-source", "Source", self.source, "Bars of different sources are kept apart.")
        self.adjustment = narrow(QComboBox(left))
        for adjustment, words in _ADJUSTMENTS.items():
            self.adjustment.addItem(words, adjustment.value)
        left.add("field-import-adjustment", "Adjusted", self.adjustment)
        self.on_bad = narrow(QComboBox(left))
        for choice, words in _ON_BAD.items():
            self.on_bad.addItem(words, choice.value)
        left.add("field-import-on-bad", "Bad rows", self.on_bad)
        self.time_format = _editable(_TIME_FORMATS, right)
        self.time_format_row = right.add("field-import-time-format", "Time written as", self.time_format)
        self.time_unit = QComboBox(right)
        for unit, words in _TIME_UNITS.items():
            self.time_unit.addItem(words, unit)
        right.add("field-import-time-unit", "Unit of time", self.time_unit)
        self.zone = _editable(_USUAL_ZONES, right)
        completer = QCompleter(sorted(available_timezones()), self.zone)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.zone.setCompleter(completer)
        self.zone_row = right.add("field-import-zone", "Time zone", self.zone)
        self.delimiter = QComboBox(right)
        for sign, words in _DELIMITERS.items():
            self.delimiter.addItem(words, sign)
        right.add("field-import-delimiter", "Columns split by", self.delimiter)
        self.decimal = narrow(QComboBox(right))
        for sign, words in _DECIMALS.items():
            self.decimal.addItem(words, sign)
        right.add("field-import-decimal", "Decimal sign", self.decimal)
        self.header = QCheckBox("names the columns", right)
        right.add("field-import-header", "First line", self.header)
        self.preview = PreviewTable(sizes, self)
        across = QHBoxLayout()
        across.setSpacing(sizes.step * 8)
        across.addWidget(left, 1)
        across.addWidget(right, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(sizes.step * 3)
        layout.addLayout(across)
        layout.addWidget(self.preview)
        layout.addStretch(1)
        for edit in (self.symbol, self.source):
            edit.textEdited.connect(lambda _text: self._clear_errors())
        self.symbol.editingFinished.connect(self._tell)
        self.timeframe.currentTextChanged.connect(lambda _text: self._tell())
        for box in (self.time_unit, self.decimal):
            box.currentIndexChanged.connect(lambda _index: self._tell())
        self.delimiter.currentIndexChanged.connect(lambda _index: self._on_delimiter())
        self.time_format.currentTextChanged.connect(lambda _text: self._on_time_format())
        self.zone.currentTextChanged.connect(lambda _text: self._tell())
        self.header.toggled.connect(lambda _on: self._tell())
        self.preview.meanings_changed.connect(self._tell)

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return {
            "symbol": self.symbol_row,
            "timeframe": self.timeframe_row,
            "source": self.source_row,
            "tz": self.zone_row,
            "time zone": self.zone_row,
            "time format": self.time_format_row,
        }

    def show_guess(self, guess: FileGuess, *, first: bool) -> None:
        """Show what was guessed. At the `first` look at a file its suggested symbol is taken too; later ones leave it."""
        self._settling = True
        found = guess.format
        self._kind = found.kind
        self._other_columns = False
        if first:
            self.symbol.setText(guess.symbol or "")
        if self.timeframe.currentText() != (found.timeframe or ""):
            self.timeframe.setCurrentText(found.timeframe or "")
        self.time_format.setCurrentText(found.time_format or _EPOCH)
        self.time_unit.setCurrentIndex(max(0, self.time_unit.findData(found.time_unit or "s")))
        self.time_unit.setEnabled(found.time_format is None and found.time_unit is not None)
        self.zone.setCurrentText(found.tz)
        if self.delimiter.findData(found.delimiter) < 0:
            self.delimiter.addItem(found.delimiter, found.delimiter)
        self.delimiter.setCurrentIndex(self.delimiter.findData(found.delimiter))
        self.header.setChecked(found.has_header)
        self.decimal.setCurrentIndex(max(0, self.decimal.findData(found.decimal)))
        for widget in (self.delimiter, self.decimal, self.header):
            widget.setEnabled(found.kind == "csv")
        self.preview.show_guess(guess)
        self._clear_errors()
        self._settling = False

    def file_format(self) -> FileFormat:
        """Return the format as it stands in the fields."""
        typed = self.time_format.currentText().strip()
        is_epoch = typed == _EPOCH
        return FileFormat(
            kind=self._kind,
            columns=() if self._other_columns else self.preview.meanings(),
            delimiter=str(self.delimiter.currentData()),
            has_header=self.header.isChecked(),
            time_format=None if is_epoch else typed,
            time_unit=str(self.time_unit.currentData()) if is_epoch and self.time_unit.isEnabled() else None,
            tz=self.zone.currentText().strip() or "UTC",
            timeframe=self.timeframe.currentText().strip() or None,
            decimal=str(self.decimal.currentData()),
        )

    def symbol_text(self) -> str | None:
        """Return the symbol as typed, or None while it cannot be one."""
        try:
            return parse_symbol(self.symbol.text())
        except InvalidValue:
            return None

    def plan(self, path: str) -> ImportPlan:
        """Return what to import. Raises InvalidValue, whose field is one of `rows()`."""
        columns = self.preview.meanings()
        for column in ("time", "open", "high", "low", "close"):
            if columns.count(column) != 1:
                raise InvalidValue("columns", ", ".join(columns) or "empty", f"exactly one column must be the {column}.")
        if not self.source.text().strip():
            raise InvalidValue("source", "empty", "name where the prices come from.")
        if not self.timeframe.currentText().strip():
            raise InvalidValue("timeframe", "empty", "say how long a bar is.")
        if self.zone.currentText().strip() not in available_timezones():
            raise InvalidValue("tz", repr(self.zone.currentText()), "write it like UTC or America/New_York.")
        timeframe = str(Timeframe.parse(self.timeframe.currentText()))
        return ImportPlan(
            path=path,
            symbol=parse_symbol(self.symbol.text()),
            timeframe=timeframe,
            format=msgspec.structs.replace(self.file_format(), timeframe=timeframe),
            source=self.source.text().strip(),
            adjustment=Adjustment(self.adjustment.currentData()),
            on_bad=OnBad(self.on_bad.currentData()),
        )

    def skip_bad_rows(self) -> None:
        """Choose to skip bad rows."""
        self.on_bad.setCurrentIndex(self.on_bad.findData(OnBad.SKIP.value))

    def _on_delimiter(self) -> None:
        # Another delimiter makes other columns: what those on the screen mean tells nothing about them.
        self._other_columns = not self._settling
        self._tell()

    def _on_time_format(self) -> None:
        self.time_unit.setEnabled(self.time_format.currentText().strip() == _EPOCH)
        self._tell()

    def _clear_errors(self) -> None:
        for row in self.rows().values():
            row.show_error("")

    def _tell(self) -> None:
        if not self._settling:
            self._clear_errors()
            self.format_changed.emit()


class PreviewTable(TextTableView):
    """The first rows as written; above each column a list says what the column means.

    The lists are named `column-meaning-1`, `column-meaning-2`, …
    """

    meanings_changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__("table-import-preview", "First rows of the file", sizes, parent)
        self._row_height = sizes.row
        self._boxes: list[QComboBox] = []
        self.verticalHeader().setVisible(True)
        self.setSelectionMode(TextTableView.SelectionMode.NoSelection)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(False)
        self.verticalHeader().setStyleSheet("QHeaderView::section { border: 0; }")

    def show_guess(self, guess: FileGuess) -> None:
        """Show the rows of a guess with its meanings."""
        columns = guess.format.columns
        focused = next((at for at, box in enumerate(self._boxes) if box.hasFocus()), None)
        width = max([len(guess.headers), len(columns), *(len(row) for row in guess.preview)])
        rows = [("",) * width, *guess.preview]
        headers = [guess.headers[at] if at < len(guess.headers) else "" for at in range(width)]
        numbers = [str(at + (2 if guess.format.has_header else 1)) for at in range(len(guess.preview))]
        right = [at for at in range(width) if at < len(columns) and columns[at] != "time"]
        self.table.show_rows(headers, rows, right=right, row_names=["means", *numbers])
        self._boxes = [self._meaning_box(at, columns[at] if at < len(columns) else NOT_READ) for at in range(width)]
        for at, box in enumerate(self._boxes):
            self.setIndexWidget(self.table.index(0, at), box)
        self.verticalHeader().resizeSection(0, self._row_height + 4)
        if focused is not None and focused < len(self._boxes):
            self._boxes[focused].setFocus(Qt.FocusReason.OtherFocusReason)
        for at, box in enumerate(self._boxes):
            header = self.horizontalHeader().sectionSizeHint(at)
            self.setColumnWidth(at, max(self.sizeHintForColumn(at), header, box.sizeHint().width() + self._row_height // 2))
        self.setFixedHeight(self._height())

    def _height(self) -> int:
        bar = self.horizontalScrollBar().sizeHint().height()
        return self.horizontalHeader().sizeHint().height() + self.verticalHeader().length() + bar + 2 * self.frameWidth()

    def meanings(self) -> tuple[str, ...]:
        """Return what each column means, in file order."""
        return tuple(str(box.currentData()) for box in self._boxes)

    def boxes(self) -> Sequence[QComboBox]:
        """Return the lists above the columns, in file order."""
        return tuple(self._boxes)

    def _meaning_box(self, at: int, meaning: str) -> QComboBox:
        box = QComboBox(self)
        box.setObjectName(f"column-meaning-{at + 1}")
        box.setAccessibleName(f"Meaning of column {at + 1}")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        box.addItem("not read", NOT_READ)
        for column in (DATE_COLUMN, *BAR_COLUMNS):
            box.addItem(column, column)
        box.setCurrentIndex(max(0, box.findData(meaning)))
        box.currentIndexChanged.connect(lambda _index: self.meanings_changed.emit())
        return box


def _editable(texts: Sequence[str], parent: QWidget) -> QComboBox:
    box = narrow(QComboBox(parent))
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.addItems(list(texts))
    return box
