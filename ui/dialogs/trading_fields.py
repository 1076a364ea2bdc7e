"""The fields of the new-run dialog that concern the account of a paper or live run; real money is confirmed by typing its name."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from core.model.hand import TradingAccount
from core.model.run import RunMode
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.theme import Sizes


class TradingFields(FieldGrid):
    """Offers the accounts of a mode. `changed` comes after another one was chosen, or its name typed."""

    changed = Signal()
    name_wanted = Signal(object)
    """A TradingAccount of real money was chosen: what must be typed is not known yet."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self._accounts: tuple[TradingAccount, ...] = ()
        self._offered: list[TradingAccount] = []
        self._names: dict[TradingAccount, str] = {}
        self.broker = narrow(QComboBox(self))
        self._broker_row = self.add("field-broker", "Account", self.broker)
        self.confirm = QLineEdit(self)
        self._confirm_row = self.add("field-confirm", "Its name", self.confirm)
        self.broker.currentIndexChanged.connect(lambda _index: self._on_chosen())
        self.confirm.textChanged.connect(lambda _text: self.changed.emit())

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return {"broker": self._broker_row, "confirm": self._confirm_row}

    def tab_order(self) -> list[QWidget]:
        """Return what Tab goes through."""
        return [self.broker, self.confirm]

    def set_accounts(self, accounts: Sequence[TradingAccount]) -> None:
        """Take the accounts there are; `show_mode` offers those of a mode."""
        self._accounts = tuple(accounts)

    def show_mode(self, mode: RunMode) -> None:
        """Offer the accounts of play money, or those of real money with the line for the name."""
        is_live = mode is RunMode.LIVE
        self._offered = [one for one in self._accounts if one.is_real_money is is_live]
        blocked = self.broker.blockSignals(True)
        self.broker.clear()
        for account in self._offered:
            self.broker.addItem(account.title)
        self.broker.blockSignals(blocked)
        usable = next((place for place, one in enumerate(self._offered) if one.error is None), 0)
        self.broker.setCurrentIndex(usable if self._offered else -1)
        self.broker.setEnabled(bool(self._offered))
        self.confirm.clear()
        self.show_row(self._confirm_row, shown=is_live)
        self._on_chosen()

    def chosen(self) -> TradingAccount | None:
        """Return the chosen account, when it can be used."""
        index = self.broker.currentIndex()
        account = self._offered[index] if 0 <= index < len(self._offered) else None
        return account if account is not None and account.error is None else None

    def confirmation(self) -> str:
        """Return what was typed to confirm that it is real money."""
        return self.confirm.text().strip()

    def is_confirmed(self) -> bool:
        """Tell whether the account may be traded: play money, or its name was typed."""
        account = self.chosen()
        if account is None or not account.is_real_money:
            return account is not None
        name = self._names.get(account, "")
        return bool(name) and self.confirmation().casefold() == name.casefold()

    def set_name(self, account: TradingAccount, name: str) -> None:
        """Take the name of an account, as its broker has it."""
        self._names[account] = name
        self._show_name()
        self.changed.emit()

    def refuse_name(self, sentence: str) -> None:
        """Say why the name of the account cannot be asked for."""
        self._confirm_row.show_hint("")
        self._confirm_row.show_error(sentence)

    def _on_chosen(self) -> None:
        index = self.broker.currentIndex()
        account = self._offered[index] if 0 <= index < len(self._offered) else None
        self._broker_row.show_error("" if account is None or account.error is None else account.error)
        self._broker_row.show_hint("" if account is not None else "No account of this kind is set up: weaver accounts set.")
        self._confirm_row.show_error("")
        self._show_name()
        if account is not None and account.is_real_money and account.error is None and account not in self._names:
            self.name_wanted.emit(account)
        self.changed.emit()

    def _show_name(self) -> None:
        account = self.chosen()
        name = "" if account is None else self._names.get(account, "")
        asking = "Asking the broker for the account's name …"
        self._confirm_row.show_hint(f"Real money. Type {name} to confirm it." if name else asking if account is not None else "")
