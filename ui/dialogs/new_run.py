"""The new-run dialog: a strategy, the bars it reads, its parameters, and what trading costs.

Making some eighty widgets takes longer than a turn of the loop may, so the dialog is there at once and its parts follow one a turn.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from core.errors import InvalidValue, KeysRefused, KnownError, NoKeys, UnknownName
from core.model.plugin import ParamValue
from core.model.run import Run, RunConfig, RunMode
from ui.dialogs.account_fields import AccountFields
from ui.dialogs.chance_fields import ChanceFields
from ui.dialogs.cost_fields import CostFields
from ui.dialogs.empty_state import EmptyState
from ui.dialogs.field_grid import FieldRow
from ui.dialogs.limit_fields import LimitFields
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.dialogs.new_run_fields import BarFields
from ui.dialogs.new_run_memory import NewRunEntries, NewRunMemory
from ui.dialogs.run_preview import RunPreview
from ui.dialogs.strategy_fields import StrategyFields
from ui.dialogs.trading_fields import TradingFields
from ui.forms import ParamForm, Section
from ui.style import repolish
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.hand import TradingAccount

_OPENING = "new-run: opening"
_NAME = "new-run: account name"


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
        self._busy = False
        self._complete = False
        self._has_bars = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        self._pages = QStackedWidget(self)
        self._preview = RunPreview(engine, tasks, self)
        self._banner = Banner("new-run-message", self)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._preview)
        layout.addWidget(self._banner)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 72, sizes.font * 60)
        self._show_ready()
        self._tasks.start(self._fill(cash), what="opening the new-run dialog", latest=_OPENING)

    # --- what is shown ---

    async def _fill(self, cash: str) -> None:
        left, right = self._make_columns()
        self.strategies = StrategyFields(self._sizes, (section := Section("Strategy", left, self._form)))
        section.add(self.strategies)
        self.chance = ChanceFields(self._sizes, section)
        section.add(self.chance)
        await asyncio.sleep(0)
        self._trading_section = Section("Account", left, self._form)
        self.trading = TradingFields(self._sizes, self._trading_section)
        self._trading_section.add(self.trading)
        self._trading_section.hide()
        self.bars = BarFields(self._sizes, (section := Section("Bars", left, self._form)))
        section.add(self.bars)
        await asyncio.sleep(0)
        self._money_section = section = Section("Costs and account", right, self._form)
        self.costs = CostFields(self._sizes, section)
        section.add(self.costs)
        await asyncio.sleep(0)
        self.account = AccountFields(cash, self._sizes, section)
        section.add(self.account)
        await asyncio.sleep(0)
        self._limits_section = Section("Limits of the run's orders", right, self._form)
        self.limits = LimitFields(self._sizes, self._limits_section)
        self._limits_section.add(self.limits)
        self._limits_section.hide()
        await asyncio.sleep(0)
        self._params_section = Section("Parameters", left, self._form)
        self._params = ParamForm((), parent=self._params_section)
        self._params_section.add(self._params)
        for column in (left, right):
            column.addStretch(1)
        self.bars.changed.connect(self._on_bars_changed)
        self.strategies.changed.connect(self._on_strategy_changed)
        self.strategies.mode_changed.connect(self._on_mode_changed)
        self.trading.changed.connect(self._on_account_changed)
        self.trading.name_wanted.connect(
            lambda account: self._tasks.start(self._read_name(account), what="asking for the account's name", latest=_NAME)
        )
        self._pages.addWidget(self._make_empty())
        sets = await self._engine.bar_sets()
        await asyncio.sleep(0)
        strategies = await asyncio.to_thread(self._engine.strategies)  # the first time, it parses every file
        self.trading.set_accounts(await self._engine.trading_accounts())
        self._complete = True
        self._has_bars = bool(sets)
        self.strategies.set_strategies(strategies, self._memory.last_strategy)
        await asyncio.sleep(0)
        self.bars.set_sets(sets)
        self._show_page()
        self._recall()
        self._show_ready()
        self.strategies.strategy.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make_columns(self) -> tuple[QVBoxLayout, QVBoxLayout]:
        area = QScrollArea(self._pages)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._form = QWidget(area)
        layout = QHBoxLayout(self._form)
        layout.setContentsMargins(0, 0, self._sizes.step * 2, 0)
        layout.setSpacing(self._sizes.step * 8)
        columns = QVBoxLayout(), QVBoxLayout()
        for column in columns:
            column.setSpacing(self._sizes.step * 5)
            layout.addLayout(column, 1)
        area.setWidget(self._form)
        self._pages.addWidget(area)
        return columns

    def _make_empty(self) -> QWidget:
        empty = EmptyState(
            "No bars are stored yet",
            "A run reads stored bars. Import a price file, or open the simulated market to try the program.",
            self._sizes,
            self._pages,
        )
        empty.add_button("button-empty-import", "Import a file", self._ask_import)
        empty.add_button("button-empty-demo", "Open the demo", self._ask_demo)
        empty.add_button("button-empty-paper", "Trade on paper", lambda: self.strategies.choose_mode(RunMode.PAPER))
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

    def choose_strategy(self, strategy_id: str) -> None:
        """Choose a strategy, if it can run."""
        self.strategies.choose(strategy_id)

    def _show_page(self) -> None:
        """A backtest needs stored bars; a paper or live run brings its own."""
        is_form = self._has_bars or self._is_trading()
        self._pages.setCurrentIndex(0 if is_form else 1)
        for widget in (self.create_button, self.start_button, self._preview):
            widget.setVisible(is_form)

    def _on_mode_changed(self) -> None:
        mode = self.strategies.chosen_mode()
        is_trading = mode is not RunMode.BACKTEST
        for section in (self._trading_section, self._limits_section):
            section.setVisible(is_trading)
        self._money_section.set_title("Cash of the run" if is_trading else "Costs and account")
        self.costs.setVisible(not is_trading)
        self.account.set_trading(is_trading)
        self.start_button.setProperty("stake", mode.value)
        self.start_button.setText(f"Start {mode.value}" if is_trading else "Create and start")
        repolish(self.start_button)
        self.trading.show_mode(mode)
        self._show_page()

    def _on_account_changed(self) -> None:
        account = self.trading.chosen()
        symbols = account.symbols if account is not None else ()
        self.bars.set_trading(symbols if self._is_trading() else None)
        self._show_ready()

    async def _read_name(self, account: TradingAccount) -> None:
        try:
            self.trading.set_name(account, await self._engine.account_name(account.broker_id, account.account))
        except KnownError as error:
            self.trading.refuse_name(str(error))

    def _on_strategy_changed(self) -> None:
        info = self.strategies.info()
        form = ParamForm(info.params if info else (), label_width=self._sizes.font * 7, parent=self._params_section)
        self._params_section.replace(self._params, form)
        self._params = form
        self.bars.set_count(info.symbols if info else 1)
        self._order_tabs()
        self._recall()
        self._show_ready()

    def _order_tabs(self) -> None:
        fields = [*self.strategies.tab_order(), *self.chance.tab_order(), *self.trading.tab_order(), *self.bars.tab_order()]
        fields += [*self._params.tab_order(), *self.costs.tab_order(), *self.account.tab_order(), *self.limits.tab_order()]
        for before, after in pairwise([*fields, self.cancel_button, self.create_button, self.start_button]):
            self.setTabOrder(before, after)

    def _recall(self) -> None:
        info = self.strategies.info()
        entries = self._memory.by_strategy.get(info.id) if info else None
        if entries is None:
            return
        self._params.set_values(entries.params)
        self.bars.symbols.set_symbols(entries.symbols)
        self.bars.timeframe.setCurrentText(entries.timeframe)
        self.bars.source.setCurrentText(entries.source)
        self.bars.show_dates(entries.start, entries.end)
        self.costs.show_entries(entries.costs)
        self.account.show_entries(entries.account)
        self.chance.show_entries(entries.chance)
        self.limits.show_entries(entries.limits)

    def _show_ready(self) -> None:
        ready = self._complete and not self._busy and self.strategies.info() is not None
        if ready and self._is_trading():
            ready = self.trading.chosen() is not None and bool(self.bars.symbols.symbols())
        else:
            ready = ready and self.bars.choice() is not None
        self.create_button.setEnabled(ready)
        self.start_button.setEnabled(ready and (not self._is_trading() or self.trading.is_confirmed()))

    def _is_trading(self) -> bool:
        return self.strategies.chosen_mode() is not RunMode.BACKTEST

    def _on_bars_changed(self) -> None:
        for row in self.bars.rows().values():
            row.show_error("")
        self.bars.symbols_row.entry = self.bars.symbols.first()  # the one that was refused may be gone
        self._show_ready()
        self._preview.show_choice(self.bars.choice(), self.bars.period())

    # --- what is done ---

    def _rows(self) -> dict[str, FieldRow]:
        rows = self.strategies.rows() | self.chance.rows() | self.trading.rows() | self.bars.rows() | self.costs.rows()
        return rows | self.account.rows() | self.limits.rows()

    def _submit(self, *, start: bool) -> None:
        if self._busy or not self._complete:
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

    def _config(self, params: dict[str, ParamValue]) -> RunConfig:
        return self._trading_config(params) if self._is_trading() else self._backtest_config(params)

    def _trading_config(self, params: dict[str, ParamValue]) -> RunConfig:
        account, symbols = self.trading.chosen(), self.bars.symbols.symbols()
        return RunConfig(
            strategy_id=str(self.strategies.strategy.currentData()),
            symbols=symbols,
            timeframe=self.bars.timeframe.currentText(),
            params=params,
            mode=self.strategies.chosen_mode(),
            broker="" if account is None else account.broker_id,
            cash=self.account.terms(symbols)["cash"],
            **self.limits.terms(),
            **self.chance.terms(),
        )

    def _backtest_config(self, params: dict[str, ParamValue]) -> RunConfig:
        choice = self.bars.choice()
        start_ns, end_ns = self.bars.period()
        symbols = self.bars.symbols.symbols()
        return RunConfig(
            strategy_id=str(self.strategies.strategy.currentData()),
            symbols=symbols,
            timeframe=self.bars.timeframe.currentText(),
            params=params,
            mode=self.strategies.chosen_mode(),
            start_ns=start_ns,
            end_ns=end_ns,
            source=choice.source if choice else None,
            adjustment=choice.adjustment if choice else None,
            **self.costs.terms(),
            **self.account.terms(symbols),
            **self.chance.terms(),
        )

    async def _create(self, config: RunConfig, *, start: bool) -> None:
        try:
            if start:
                async with self._engine.holding_account(config):
                    await self._begin(config)
            else:
                await self._engine.check_symbols(config)
                self.run_created.emit((await self._create_pending(config)).id)
        except KnownError as error:
            self._refuse(error)
            return
        finally:
            self._set_busy(busy=False)
        self.accept()

    async def _create_pending(self, config: RunConfig) -> Run:
        run = await self._engine.create_run(config)
        self._remember(config)
        return run

    async def _begin(self, config: RunConfig) -> None:
        run = await self._create_pending(config)
        try:
            await self._engine.start_run(run.id, confirm=self.trading.confirmation())
        finally:
            self.run_created.emit(run.id)

    def _remember(self, config: RunConfig) -> None:
        start, end = self.bars.dates()
        entries = NewRunEntries(
            symbols=config.symbols,
            timeframe=config.timeframe,
            source=self.bars.source.currentText(),
            start=start,
            end=end,
            costs=self.costs.entries(),
            account=self.account.entries(),
            chance=self.chance.entries(),
            limits=self.limits.entries(),
            params=config.params,
        )
        self._memory.remember(config.strategy_id, entries)

    def _refuse(self, error: KnownError) -> None:
        """Show a refusal at its field, or across the dialog when it belongs to none."""
        # The kind of an unknown name begins with its field: `slippage model`, `symbol`.
        field = error.field if isinstance(error, InvalidValue) else error.kind.split()[0] if isinstance(error, UnknownName) else ""
        if isinstance(error, KeysRefused | NoKeys):
            field = "broker"
        place = self._params.field(field) or self._rows().get(field.replace(" ", "_"))
        if place is None:
            self._banner.say(str(error))
            return
        if isinstance(place, FieldRow):
            if place is self.bars.symbols_row:  # which of several
                named = error.name if isinstance(error, UnknownName) else str(getattr(error, "value", ""))
                place.entry = self.bars.symbols.box_of(named)
            place.show_error(str(error))
            place.entry.setFocus(Qt.FocusReason.OtherFocusReason)
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
        self._tasks.cancel(_OPENING)
        self._tasks.cancel(_NAME)
        super().done(result)
