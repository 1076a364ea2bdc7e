"""The fields of the new-run dialog that concern the strategy: which one, in which mode, and its parameters."""

import re
from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from core.model.plugin import StrategyInfo
from core.model.run import RunMode
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.theme import Sizes

_MARKS: Final = re.compile(r"`|\*(?=\w)|(?<=\w)\*")
"""Signs of emphasis in a docstring; a line under a field is plain text."""
_MODES: Final = {
    RunMode.BACKTEST: "On stored bars, at full speed.",
    RunMode.PAPER: "In real time, with play money: the simulated market, or a broker's paper account.",
    RunMode.LIVE: "In real time, with real money.",
}


class StrategyFields(QWidget):
    """Offers every strategy; broken ones are listed and cannot be chosen. `changed` comes after another one was chosen."""

    changed = Signal()
    mode_changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strategies: dict[str, StrategyInfo] = {}
        grid = FieldGrid(sizes, self)
        self.strategy = narrow(QComboBox(grid))
        self._strategy_row = grid.add("field-strategy", "Strategy", self.strategy)
        self.mode = narrow(QComboBox(grid))
        for mode in _MODES:
            self.mode.addItem(mode.value.capitalize(), mode.value)
        self._mode_row = grid.add("field-mode", "Mode", self.mode, _MODES[RunMode.BACKTEST])
        self._broken = QLabel(self)
        self._broken.setObjectName("new-run-broken-strategies")
        self._broken.setProperty("role", "doubt")
        self._broken.setWordWrap(True)
        self._broken.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(grid)
        layout.addWidget(self._broken)
        self.strategy.currentIndexChanged.connect(lambda _index: self._on_chosen())
        self.mode.currentIndexChanged.connect(lambda _index: self._on_mode())

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return {"strategy": self._strategy_row, "mode": self._mode_row}

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through."""
        return [self.strategy, self.mode]

    def set_strategies(self, strategies: Mapping[str, StrategyInfo], last: str | None) -> None:
        """Offer these; choose the one used last, or one that trades a single symbol."""
        self._strategies = dict(strategies)
        blocked = self.strategy.blockSignals(True)
        broken: list[str] = []
        for info in sorted(self._strategies.values(), key=lambda info: (info.error is not None, info.id)):
            if info.error is None:
                self.strategy.addItem(f"{info.name} ({info.id})" if info.name != info.id else info.id, info.id)
                continue
            self.strategy.addItem(f"{info.id} – cannot be loaded", info.id)
            item = _item(self.strategy, self.strategy.count() - 1)
            item.setEnabled(False)
            item.setToolTip(info.error)
            broken.append(f"{info.id} cannot be loaded: {info.error}")
        usual = next((info.id for info in self._strategies.values() if info.error is None and info.symbols == 1), "")
        self.choose(last or usual)
        self.strategy.blockSignals(blocked)
        self._broken.setText("\n".join(broken))
        self._broken.setVisible(bool(broken))
        self._on_chosen()

    def choose(self, strategy_id: str) -> None:
        """Choose a strategy, if it can run."""
        index = self.strategy.findData(strategy_id)
        if index >= 0 and _item(self.strategy, index).isEnabled():
            self.strategy.setCurrentIndex(index)

    def info(self) -> StrategyInfo | None:
        """Return the chosen strategy, when it can run."""
        info = self._strategies.get(str(self.strategy.currentData()))
        return info if info is not None and info.error is None else None

    def chosen_mode(self) -> RunMode:
        """Return the chosen mode."""
        return RunMode(self.mode.currentData())

    def choose_mode(self, mode: RunMode) -> None:
        """Choose a mode."""
        self.mode.setCurrentIndex(self.mode.findData(mode.value))

    def _on_mode(self) -> None:
        self._mode_row.show_error("")
        self._mode_row.show_hint(_MODES[self.chosen_mode()])
        self.mode_changed.emit()

    def _on_chosen(self) -> None:
        info = self.info()
        self._strategy_row.show_error("" if info else "No strategy can be loaded.")
        self._strategy_row.show_hint(_MARKS.sub("", " ".join(info.description.split())) if info else "")
        self.changed.emit()


def _item(box: QComboBox, row: int) -> QStandardItem:
    model = box.model()
    if not isinstance(model, QStandardItemModel):
        raise TypeError("A combo box keeps its items in a standard model.")
    return model.item(row)
