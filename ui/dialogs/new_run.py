"""The new-run dialog: a strategy, the bars it reads, its parameters and what trading costs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.errors import InvalidValue, KnownError, UnknownName
from core.model.money import parse_money
from core.model.plugin import StrategyInfo
from core.model.run import PathModel, RunConfig, RunMode
from ui.dialogs.empty_state import EmptyState
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.dialogs.new_run_fields import BarFields
from ui.dialogs.new_run_memory import NewRunEntries, NewRunMemory
from ui.dialogs.run_preview import RunPreview
from ui.forms import ParamForm, group
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

if TYPE_CHECKING:
    from core.engine import Engine

_LATER = "Paper and live come with a broker connection, in a later version."
_PATH_WORDS = {
    PathModel.ADAPTIVE: "the open's nearer extreme first",
    PathModel.OHLC: "the high before the low",
    PathModel.OLHC: "the low before the high",
}
_FEES = ("none", "bps:1", "bps:5", "bps:10", "bps:25")
_SLIPPAGE = ("none", "bps:1", "bps:2", "bps:5", "bps:10")


class NewRunDialog(QDialog):
    """Opened with `open()`. `memory` outlives the dialog and brings back what was entered last for a strategy."""

    run_created = Signal(str)
    """The new run's id; when it was to be started, it has been started by then, or could not be."""
    import_requested = Signal()
    demo_requested = Signal()

    def __init__(
        self,
        *,
        engine: Engine,
        tasks: TaskScope,
        theme: Theme,
        sizes: Sizes,
        memory: NewRunMemory,
        cash: str = "100000",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-new-run")
        self.setWindowTitle("New run")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self._engine, self._tasks, self._sizes, self._memory = engine, tasks, sizes, memory
        self._strategies: dict[str, StrategyInfo] = {}
        self._busy = False
        self._params = ParamForm((), parent=self)
        self._params_place = QVBoxLayout()
        self._strategy_grid = self._make_strategy_grid()
        self._bars = BarFields(sizes, self)
        self._costs = self._make_costs_grid(cash)
        self._preview = RunPreview(engine, tasks, self)
        self._banner = Banner("new-run-message", self)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._make_form())
        self._pages.addWidget(self._make_empty())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._preview)
        layout.addWidget(self._banner)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 66, sizes.font * 50)
        self._bars.changed.connect(self._on_bars_changed)
        self._load_strategies()
        self._tasks.start(self._load_sets(), what="reading what bars are stored", latest="new-run: sets")

    # --- what is shown ---

    def _make_strategy_grid(self) -> FieldGrid:
        grid = FieldGrid(self._sizes, self)
        self.strategy = narrow(QComboBox(grid))
        self._strategy_row = grid.add("field-strategy", "Strategy", self.strategy)
        self._broken = QLabel(grid)
        self._broken.setObjectName("new-run-broken-strategies")
        self._broken.setProperty("role", "doubt")
        self._broken.setWordWrap(True)
        self._broken.hide()
        self.mode = narrow(QComboBox(grid))
        self.mode.addItems(["Backtest", "Paper", "Live"])
        for row, mode in enumerate((RunMode.BACKTEST, RunMode.PAPER, RunMode.LIVE)):
            self.mode.setItemData(row, mode.value)
            if mode is not RunMode.BACKTEST:
                item = _item(self.mode, row)
                item.setEnabled(False)
                item.setToolTip(_LATER)
        grid.add("field-mode", "Mode", self.mode, _LATER)
        self.strategy.currentIndexChanged.connect(lambda _index: self._on_strategy_changed())
        return grid

    def _make_costs_grid(self, cash: str) -> FieldGrid:
        grid = FieldGrid(self._sizes, self)
        self.cash = QLineEdit(cash, grid)
        self._cash_row = grid.add("field-cash", "Start cash", self.cash)
        self.fees = _suggestions(_FEES, grid)
        self._fees_row = grid.add("field-fees", "Fees", self.fees, "none, or bps:10 for 0.10 % of the amount")
        self.slippage = _suggestions(_SLIPPAGE, grid)
        self._slippage_row = grid.add("field-slippage", "Slippage", self.slippage, "none, or bps:5 for 0.05 % against you")
        self.path = narrow(QComboBox(grid))
        for model, words in _PATH_WORDS.items():
            self.path.addItem(f"{model.value} – {words}", model.value)
        grid.add("field-path", "Path in a bar", self.path, "The order in which a bar's high and low are taken to have come.")
        self.cash.textChanged.connect(lambda _text: self._cash_row.show_error(""))
        self.fees.currentTextChanged.connect(lambda _text: self._fees_row.show_error(""))
        self.slippage.currentTextChanged.connect(lambda _text: self._slippage_row.show_error(""))
        return grid

    def _make_form(self) -> QWidget:
        left, right = QVBoxLayout(), QVBoxLayout()
        for column in (left, right):
            column.setSpacing(self._sizes.step * 5)
        strategy = QWidget(self)
        strategy_layout = QVBoxLayout(strategy)
        strategy_layout.setContentsMargins(0, 0, 0, 0)
        strategy_layout.addWidget(self._strategy_grid)
        strategy_layout.addWidget(self._broken)
        left.addWidget(group("Strategy", strategy, self))
        left.addWidget(group("Bars", self._bars, self))
        left.addStretch(1)
        params = QWidget(self)
        params.setLayout(self._params_place)
        self._params_place.setContentsMargins(0, 0, 0, 0)
        self._params_place.addWidget(self._params)
        right.addWidget(group("Parameters", params, self))
        right.addWidget(group("Account and costs", self._costs, self))
        right.addStretch(1)
        content = QWidget(self)
        columns = QHBoxLayout(content)
        columns.setContentsMargins(0, 0, self._sizes.step * 2, 0)
        columns.setSpacing(self._sizes.step * 8)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        return area

    def _make_empty(self) -> QWidget:
        empty = EmptyState(
            "No bars are stored yet",
            "A run reads stored bars. Import a price file, or open the simulated market to try the program.",
            self._sizes,
            self,
        )
        empty.add_button("button-empty-import", "Import a file", self._ask_import)
        empty.add_button("button-empty-demo", "Open the demo", self._ask_demo)
        return empty

    def _make_footer(self) -> QHBoxLayout:
        self.create_button = QPushButton("Create", self)
        self.create_button.setObjectName("button-create")
        self.create_button.setToolTip("Create the run; start it later from the list of runs.")
        self.start_button = QPushButton("Create and start", self)
        self.start_button.setObjectName("button-create-and-start")
        self.start_button.setProperty("role", "primary")
        self.start_button.setDefault(True)
        self.cancel_button = QPushButton("Cancel", self)
        self.cancel_button.setObjectName("button-cancel")
        self.create_button.clicked.connect(lambda: self._submit(start=False))
        self.start_button.clicked.connect(lambda: self._submit(start=True))
        self.cancel_button.clicked.connect(self.reject)
        footer = QHBoxLayout()
        footer.setSpacing(self._sizes.step * 2)
        footer.addStretch(1)
        for button in (self.cancel_button, self.create_button, self.start_button):
            footer.addWidget(button)
        return footer

    # --- what can be chosen ---

    def _load_strategies(self) -> None:
        self._strategies = dict(self._engine.strategies())
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
        self.strategy.blockSignals(blocked)
        self._broken.setText("\n".join(broken))
        self._broken.setVisible(bool(broken))
        usual = next((info.id for info in self._strategies.values() if info.error is None and info.symbols == 1), "")
        self.choose_strategy(self._memory.last_strategy or usual)
        self._on_strategy_changed()

    def choose_strategy(self, strategy_id: str) -> None:
        """Choose a strategy, if it can run."""
        index = self.strategy.findData(strategy_id)
        if index >= 0 and _item(self.strategy, index).isEnabled():
            self.strategy.setCurrentIndex(index)

    def _info(self) -> StrategyInfo | None:
        info = self._strategies.get(str(self.strategy.currentData()))
        return info if info is not None and info.error is None else None

    def _on_strategy_changed(self) -> None:
        info = self._info()
        form = ParamForm(info.params if info else (), label_width=self._sizes.font * 7, parent=self)
        self._params_place.replaceWidget(self._params, form)
        self._params.setParent(None)
        self._params.deleteLater()
        self._params = form
        form.show()
        self._strategy_row.show_error("" if info else "No strategy can be loaded.")
        self._strategy_row.show_hint(" ".join(info.description.replace("`", "").split()) if info else "")
        self._bars.set_count(info.symbols if info else 1)
        self._order_tabs()
        self._recall()
        self._show_ready()

    def _order_tabs(self) -> None:
        costs = [self.cash, self.fees, self.slippage, self.path]
        buttons = [self.cancel_button, self.create_button, self.start_button]
        order = [self.strategy, self.mode, *self._bars.tab_order(), *self._params.tab_order(), *costs, *buttons]
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def _recall(self) -> None:
        info = self._info()
        entries = self._memory.by_strategy.get(info.id) if info else None
        if entries is None:
            return
        self._params.set_values(entries.params)
        self._bars.symbols.set_symbols(entries.symbols)
        self._bars.timeframe.setCurrentText(entries.timeframe)
        self._bars.source.setCurrentText(entries.source)
        self._bars.show_dates(entries.start, entries.end)
        self.cash.setText(entries.cash)
        self.fees.setCurrentText(entries.fees)
        self.slippage.setCurrentText(entries.slippage)
        self.path.setCurrentIndex(max(0, self.path.findData(entries.path)))

    async def _load_sets(self) -> None:
        sets = await self._engine.bar_sets()
        self._bars.set_sets(sets)
        self._pages.setCurrentIndex(0 if sets else 1)
        for widget in (self.create_button, self.start_button, self._preview):
            widget.setVisible(bool(sets))
        self._recall()
        self._show_ready()

    def _show_ready(self) -> None:
        ready = not self._busy and self._info() is not None and self._bars.choice() is not None
        self.create_button.setEnabled(ready)
        self.start_button.setEnabled(ready)

    # --- what would be read ---

    def _on_bars_changed(self) -> None:
        for row in self._bars.rows().values():
            row.show_error("")
        self._show_ready()
        self._preview.show_choice(self._bars.choice(), self._bars.period())

    # --- what is done ---

    def _rows(self) -> dict[str, FieldRow]:
        return self._bars.rows() | {
            "strategy": self._strategy_row,
            "cash": self._cash_row,
            "fees": self._fees_row,
            "slippage": self._slippage_row,
        }

    def _submit(self, *, start: bool) -> None:
        if self._busy:
            return
        self._banner.say("")
        for row in self._rows().values():
            row.show_error("")
        params = self._params.check()
        if params is None:
            return
        try:
            config = self._config(params)
        except InvalidValue as error:
            self._refuse(error)
            return
        self._set_busy(busy=True)
        self._tasks.start(self._create(config, start=start), what="creating a run")

    def _config(self, params: dict[str, bool | int | float | str]) -> RunConfig:
        choice = self._bars.choice()
        start_ns, end_ns = self._bars.period()
        return RunConfig(
            strategy_id=str(self.strategy.currentData()),
            symbols=self._bars.symbols.symbols(),
            timeframe=self._bars.timeframe.currentText(),
            params=params,
            mode=RunMode(self.mode.currentData()),
            start_ns=start_ns,
            end_ns=end_ns,
            cash=parse_money(self.cash.text().replace(",", ""), field="cash"),
            fees=self.fees.currentText().strip(),
            slippage=self.slippage.currentText().strip(),
            path=PathModel(self.path.currentData()),
            source=choice.source if choice else None,
            adjustment=choice.adjustment if choice else None,
        )

    async def _create(self, config: RunConfig, *, start: bool) -> None:
        try:
            run = await self._engine.create_run(config)
            self._remember(config)
            try:
                if start:
                    await self._engine.start_run(run.id)
            finally:
                self.run_created.emit(run.id)
        except KnownError as error:
            self._refuse(error)
            return
        finally:
            self._set_busy(busy=False)
        self.accept()

    def _remember(self, config: RunConfig) -> None:
        start, end = self._bars.dates()
        entries = NewRunEntries(
            symbols=config.symbols,
            timeframe=config.timeframe,
            source=self._bars.source.currentText(),
            start=start,
            end=end,
            cash=self.cash.text(),
            fees=config.fees,
            slippage=config.slippage,
            path=config.path.value,
            params=config.params,
        )
        self._memory.remember(config.strategy_id, entries)

    def _refuse(self, error: KnownError) -> None:
        """Show a refusal at its field, or across the dialog when it belongs to none."""
        # The kind of an unknown name begins with its field: `slippage model`, `symbol`.
        field = error.field if isinstance(error, InvalidValue) else error.kind.split()[0] if isinstance(error, UnknownName) else ""
        place = self._params.field(field) or self._rows().get(field)
        if place is None:
            self._banner.say(str(error))
            return
        place.show_error(str(error))
        place.control.setFocus(Qt.FocusReason.OtherFocusReason)

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        self._show_ready()

    def _ask_import(self) -> None:
        self.reject()
        self.import_requested.emit()

    def _ask_demo(self) -> None:
        self.reject()
        self.demo_requested.emit()

    def reject(self) -> None:
        """Close; while a run is being created, that is finished first."""
        if not self._busy:
            super().reject()

    def done(self, result: int) -> None:
        self._preview.stop()
        self._tasks.cancel("new-run: sets")
        super().done(result)


def _item(box: QComboBox, row: int) -> QStandardItem:
    model = box.model()
    if not isinstance(model, QStandardItemModel):
        raise TypeError("A combo box keeps its items in a standard model.")
    return model.item(row)


def _suggestions(texts: tuple[str, ...], parent: QWidget) -> QComboBox:
    box = narrow(QComboBox(parent))
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.addItems(list(texts))
    return box
