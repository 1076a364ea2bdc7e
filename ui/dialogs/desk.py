"""The window's one way to its dialogs: makes each with what it needs, and keeps what outlives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from core.errors import KnownError
from core.model.money import exact, plain
from core.model.result import Progress
from core.settings import Settings
from ui.dialogs.about import AboutDialog
from ui.dialogs.accept_difference import AcceptDifferenceDialog
from ui.dialogs.account_keys import AccountKeysDialog
from ui.dialogs.chain import ChainDialog, ReadChain
from ui.dialogs.change_order import Change, ChangeOrderDialog
from ui.dialogs.close_position import ClosePositionDialog
from ui.dialogs.command_palette import CommandPalette
from ui.dialogs.connect_account import ConnectDialog
from ui.dialogs.corporate_actions import CorporateActionsDialog
from ui.dialogs.download_data import DownloadDataDialog
from ui.dialogs.exits import ExitsDialog
from ui.dialogs.exits import Look as LookAtExits
from ui.dialogs.exits import Send as SendExits
from ui.dialogs.import_data import ImportDataDialog
from ui.dialogs.new_run import NewRunDialog
from ui.dialogs.new_run_memory import NewRunMemory
from ui.dialogs.notices import ConfirmDialog, ErrorDialog
from ui.dialogs.offer_run import OfferRunDialog
from ui.dialogs.settings import SettingsDialog
from ui.services import AskDatabase, Services
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.broker import AccountName
    from core.model.desk import DeskSeen
    from core.model.hand import HeldPosition
    from core.model.order import Order


class Dialogs:
    """Each method opens a dialog over `parent` and returns it, so that its signals can be connected."""

    def __init__(
        self,
        *,
        engine: Engine,
        tasks: TaskScope,
        theme: Theme,
        sizes: Sizes,
        settings: Settings,
        services: Services,
        parent: QWidget,
    ) -> None:
        self._engine, self._tasks, self._parent, self._services = engine, tasks, parent, services
        self._theme, self._sizes, self._settings = theme, sizes, settings
        self._memory = NewRunMemory()

    def set_theme(self, theme: Theme) -> None:
        """Use these colours from now on, also in settings that are open."""
        self._theme = theme
        for dialog in self._parent.findChildren(SettingsDialog):
            dialog.set_theme(theme)

    def set_settings(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._settings = settings

    def new_run(self) -> NewRunDialog:
        """Open the new-run dialog."""
        dialog = NewRunDialog(
            engine=self._engine,
            tasks=self._tasks,
            theme=self._theme,
            sizes=self._sizes,
            memory=self._memory,
            cash=plain(exact(self._settings.number("run.cash"))),
            parent=self._parent,
        )
        dialog.open()
        return dialog

    def import_data(self, path: str | None = None) -> ImportDataDialog:
        """Open the import dialog, on a file if there is one."""
        dialog = ImportDataDialog(
            engine=self._engine, tasks=self._tasks, theme=self._theme, sizes=self._sizes, path=path, parent=self._parent
        )
        dialog.open()
        return dialog

    def download_data(self) -> DownloadDataDialog:
        """Open the download dialog beside the window; one that is open comes to the front."""
        opened = self._parent.findChild(DownloadDataDialog)
        dialog = opened or DownloadDataDialog(
            fetch=self._services.fetch_bars,
            now_ns=self._engine.now_ns,
            tasks=self._tasks,
            theme=self._theme,
            sizes=self._sizes,
            parent=self._parent,
        )
        dialog.show()
        dialog.activateWindow()
        return dialog

    def corporate_actions(self) -> CorporateActionsDialog:
        """Open the dialog of splits and dividends."""
        dialog = CorporateActionsDialog(
            engine=self._engine, tasks=self._tasks, theme=self._theme, sizes=self._sizes, confirm=self.confirm, parent=self._parent
        )
        dialog.open()
        return dialog

    def chain(self, heading: str, read: ReadChain) -> ChainDialog:
        """Open the dialog that says what led to something, step by step."""
        dialog = ChainDialog(heading=heading, read=read, tasks=self._tasks, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.open()
        return dialog

    def settings(self) -> SettingsDialog:
        """Open the settings dialog."""
        change = self._services.change_setting
        dialog = SettingsDialog(settings=self._settings, change_setting=change, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.settings_changed.connect(self.set_settings)
        for asked, ask in (
            (dialog.database_test_asked, self._services.look_at_database),
            (dialog.database_prepare_asked, self._services.prepare_database),
            (dialog.database_copy_asked, self._services.copy_to_database),
        ):
            asked.connect(
                lambda url, ask=ask: self._tasks.start(self._ask_database(dialog, ask, url), what="asking the database", latest="database")
            )
        dialog.database_stop_asked.connect(lambda: self._stop_asking(dialog))
        dialog.open()
        return dialog

    async def _ask_database(self, dialog: SettingsDialog, ask: AskDatabase, url: str) -> None:
        def tell(progress: Progress) -> None:
            if isValid(dialog):
                share = f" {progress.done / progress.total:.0%}" if progress.total else ""
                dialog.tell_database(f"{progress.what[:1].upper()}{progress.what[1:]}{share} …")

        def say(sentence: str, role: str) -> None:
            if isValid(dialog):  # it may be closed by now
                dialog.say_database(sentence, role)

        try:
            say(await ask(url or self._engine.where, tell), "good")
        except KnownError as error:
            say(str(error), "error")

    def _stop_asking(self, dialog: SettingsDialog) -> None:
        self._tasks.cancel("database")
        dialog.say_database("It was stopped. Test the connection to see what is there.", "note")

    def command_palette(self, actions: Sequence[QAction]) -> CommandPalette:
        """Open the command palette over these actions."""
        dialog = CommandPalette(actions=actions, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.open()
        return dialog

    def about(self) -> AboutDialog:
        """Open the about dialog."""
        dialog = AboutDialog(
            version=self._services.version, where=self._engine.where, theme=self._theme, sizes=self._sizes, parent=self._parent
        )
        dialog.open()
        return dialog

    def confirm(self, heading: str, consequence: str, verb: str, then: Callable[[], object]) -> ConfirmDialog:
        """Ask before something is destroyed; `then` is called when the person says so."""
        dialog = ConfirmDialog(
            heading=heading, consequence=consequence, verb=verb, theme=self._theme, sizes=self._sizes, parent=self._parent
        )
        dialog.accepted.connect(then)
        dialog.open()
        return dialog

    def confirm_live(self, what: str, name: str, verb: str, then: Callable[[str], object]) -> ConnectDialog:
        """Ask for the name of an account of real money; `then` is called with it."""
        dialog = ConnectDialog(what=what, name=name, verb=verb, then=then, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.open()
        return dialog

    def offer_run(self, title: str, desks: Sequence[DeskSeen], then: Callable[[str | None], object]) -> OfferRunDialog:
        """Ask which desk may take over a run; `then` is called with its id, or None where none may."""
        dialog = OfferRunDialog(title=title, desks=desks, then=then, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.open()
        return dialog

    def change_order(self, order: Order, change: Change, stake: str) -> ChangeOrderDialog:
        """Open the dialog of new terms on a working order; `stake` is the mode that its button shows."""
        dialog = ChangeOrderDialog(
            order=order, change=change, tasks=self._tasks, stake=stake, theme=self._theme, sizes=self._sizes, parent=self._parent
        )
        dialog.open()
        return dialog

    def close_position(
        self, held: HeldPosition, where: str, note: str, then: Callable[[Decimal | None], object], stake: str
    ) -> ClosePositionDialog:
        """Ask how much of a position is to be closed; `then` is called with it, None for all of it."""
        dialog = ClosePositionDialog(
            held=held, where=where, note=note, then=then, stake=stake, theme=self._theme, sizes=self._sizes, parent=self._parent
        )
        dialog.open()
        return dialog

    def exits(self, held: HeldPosition, where: str, look: LookAtExits, send: SendExits, stake: str) -> ExitsDialog:
        """Open the dialog of a target and a stop loss for a position that is held."""
        dialog = ExitsDialog(
            held=held,
            where=where,
            look=look,
            send=send,
            tasks=self._tasks,
            stake=stake,
            theme=self._theme,
            sizes=self._sizes,
            parent=self._parent,
        )
        dialog.open()
        return dialog

    def account_keys(self, chosen: AccountName, stored: Callable[[], object]) -> AccountKeysDialog:
        """Open the dialog of an account's keys; `stored` is called after they have changed."""
        dialog = AccountKeysDialog(
            read=self._services.account_setups,
            store=self._services.store_keys,
            forget=self._services.forget_keys,
            stored=stored,
            chosen=chosen,
            tasks=self._tasks,
            theme=self._theme,
            sizes=self._sizes,
            parent=self._parent,
        )
        dialog.open()
        return dialog

    def accept_difference(
        self, title: str, differences: Sequence[str], then: Callable[[str], object], stake: str
    ) -> AcceptDifferenceDialog:
        """Ask why an account is taken as the broker has it; `then` is called with the reason."""
        dialog = AcceptDifferenceDialog(
            title=title, differences=differences, then=then, stake=stake, theme=self._theme, sizes=self._sizes, parent=self._parent
        )
        dialog.open()
        return dialog

    def error(self, what: str, todo: str = "", details: str = "") -> ErrorDialog:
        """Say what happened and what to do."""
        dialog = ErrorDialog(what=what, todo=todo, details=details, theme=self._theme, sizes=self._sizes, parent=self._parent)
        dialog.open()
        return dialog
