"""The fields of the new-run dialog that concern the bars: symbols, timeframe, source, start and end."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from PySide6.QtCore import QDate, Signal
from PySide6.QtWidgets import QComboBox, QDateEdit, QWidget

from core.model.instants import day_of, parse_instant
from core.model.market import BarSet
from ui.dialogs.bar_choice import SourceChoice, runnable_symbols, sources_exist, sources_of, symbols_of, timeframes_of
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.dialogs.symbols_field import SymbolsField
from ui.format import MISSING
from ui.theme import Sizes

USUAL_TIMEFRAMES: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
"""Of a paper or live run: whole minutes."""


class BarFields(FieldGrid):
    """Offers only what is stored. `changed` comes after any change of what the run would read."""

    changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self._sets: list[BarSet] = []
        self._choices: list[SourceChoice] = []
        self._settling = False
        self._is_trading = False
        self.symbols = SymbolsField(self)
        self.symbols_row = self.add("field-symbols", "Symbols", self.symbols, buddy=self.symbols.first())
        self.timeframe = narrow(QComboBox(self))
        self.timeframe_row = self.add("field-timeframe", "Timeframe", self.timeframe)
        self.source = narrow(QComboBox(self))
        self.source_row = self.add("field-source", "Source", self.source)
        self.start = _date_edit(self, "The first day of the run, in UTC.")
        self.start_row = self.add("field-start", "Start", self.start)
        self.end = _date_edit(self, "The last day of the run, in UTC, included. The command line's --end is the day after.")
        self.end_row = self.add("field-end", "End", self.end)
        self.symbols.changed.connect(self._on_symbols_changed)
        self.timeframe.currentTextChanged.connect(lambda _text: self._on_timeframe_changed())
        self.source.currentIndexChanged.connect(lambda _index: self._on_source_changed())
        self.start.dateChanged.connect(lambda _date: self._tell())
        self.end.dateChanged.connect(lambda _date: self._tell())

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return {
            "symbols": self.symbols_row,
            "symbol": self.symbols_row,
            "timeframe": self.timeframe_row,
            "source": self.source_row,
            "start": self.start_row,
            "end": self.end_row,
        }

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through."""
        return [*self.symbols.tab_order(), self.timeframe, self.source, self.start, self.end]

    def set_sets(self, sets: Sequence[BarSet]) -> None:
        """Offer these stored sets."""
        self._sets = list(sets)
        self.symbols.set_choices(symbols_of(sets))
        self._suggest()

    def set_trading(self, symbols: Sequence[str] | None) -> None:
        """Ask for what a market trades, with `symbols` to choose from or type over, and for no dates; None asks for stored bars again."""
        is_trading = symbols is not None
        if is_trading is self._is_trading and not is_trading:
            return
        self._is_trading = is_trading
        self.symbols.set_free(is_trading)
        self.symbols.set_choices(symbols_of(self._sets) if symbols is None else symbols)
        for row in (self.source_row, self.start_row, self.end_row):
            self.show_row(row, shown=not is_trading)
        self._suggest()

    def set_count(self, symbols: int) -> None:
        """Ask for this many symbols; 0 for any number."""
        self.symbols.set_count(symbols)
        self._suggest()

    def _suggest(self) -> None:
        """Choose symbols that can run together, where those that stand there cannot."""
        chosen = self.symbols.symbols()
        if not self._is_trading and not sources_exist(self._sets, chosen):
            self.symbols.set_symbols(runnable_symbols(self._sets, len(chosen)) or chosen)
        self._on_symbols_changed()

    def choice(self) -> SourceChoice | None:
        """Return the stored sets that are chosen."""
        if self._is_trading:
            return None
        index = self.source.currentIndex()
        return self._choices[index] if 0 <= index < len(self._choices) else None

    def period(self) -> tuple[int | None, int | None]:
        """Return the chosen period `[start, end)`, UTC ns; None where it is the edge of all that is stored.

        The end's day is inside: the period ends at the midnight after it.
        """
        choice = self.choice()
        if choice is None:
            return None, None
        start, end = _python_date(self.start.date()), _python_date(self.end.date())
        at_first = all(day_of(bar_set.first_ns) == start for bar_set in choice.sets)
        at_last = all(day_of(bar_set.last_ns) == end for bar_set in choice.sets)
        return (
            None if at_first else parse_instant(start.isoformat()),
            None if at_last else parse_instant((end + timedelta(days=1)).isoformat()),
        )

    def show_dates(self, start: str, end: str) -> None:
        """Show ISO dates; an empty one leaves what stands there."""
        for edit, text in ((self.start, start), (self.end, end)):
            if text:
                edit.setDate(QDate.fromString(text, "yyyy-MM-dd"))

    def dates(self) -> tuple[str, str]:
        """Return start and end as ISO dates, empty where they are the edge of the stored bars."""
        return tuple(  # type: ignore[return-value]
            "" if edit.date() == edge else edit.date().toString("yyyy-MM-dd")
            for edit, edge in ((self.start, self.start.minimumDate()), (self.end, self.end.maximumDate()))
        )

    def _on_symbols_changed(self) -> None:
        frames = USUAL_TIMEFRAMES if self._is_trading else timeframes_of(self._sets, self.symbols.symbols())
        _refill(self.timeframe, frames)
        self.timeframe_row.show_hint("" if frames or not self._sets else "These symbols have no timeframe in common.")
        self._on_timeframe_changed()

    def _on_timeframe_changed(self) -> None:
        if self._is_trading:
            self.timeframe_row.show_hint("")
            self._tell()
            return
        frame = self.timeframe.currentText()
        self._choices = sources_of(self._sets, self.symbols.symbols(), frame) if frame else []
        _refill(self.source, [choice.label for choice in self._choices])
        self.source_row.show_hint("" if self._choices or not frame else "No source has all of these symbols at this timeframe.")
        self._on_source_changed()

    def _on_source_changed(self) -> None:
        choice = self.choice()
        self._settling = True
        if choice is not None and choice.first_ns <= choice.last_ns:
            first, last = (QDate(day.year, day.month, day.day) for day in (day_of(choice.first_ns), day_of(choice.last_ns)))
            for edit, edge in ((self.start, first), (self.end, last)):
                edit.setDateRange(first, last)
                edit.setDate(edge)
            self.end_row.show_hint(f"stored {first.toString('yyyy-MM-dd')} to {last.toString('yyyy-MM-dd')}, end included")
        else:
            self.end_row.show_hint("" if choice is None else "These symbols have no time in common.")
        known = choice is not None and choice.first_ns <= choice.last_ns
        for edit in (self.start, self.end):
            edit.setEnabled(known)
            edit.setSpecialValueText("" if known else MISSING)
            if not known:
                edit.setDate(edit.minimumDate())
        self._settling = False
        self._tell()

    def _tell(self) -> None:
        if not self._settling:
            self.changed.emit()


def _date_edit(parent: QWidget, tip: str) -> QDateEdit:
    edit = QDateEdit(parent)
    edit.setDisplayFormat("yyyy-MM-dd")
    edit.setCalendarPopup(True)
    edit.setToolTip(tip)
    return edit


def _python_date(day: QDate) -> date:
    return date(day.year(), day.month(), day.day())


def _refill(box: QComboBox, texts: Sequence[str]) -> None:
    """Offer `texts`; what was chosen stays where it is still offered. The box tells nobody."""
    chosen = box.currentText()
    blocked = box.blockSignals(True)
    box.clear()
    box.addItems(list(texts))
    if chosen in texts:
        box.setCurrentText(chosen)
    box.blockSignals(blocked)
    box.setEnabled(bool(texts))
