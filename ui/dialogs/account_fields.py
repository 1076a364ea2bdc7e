"""The fields of the new-run dialog that concern the account: its cash, its kind, its rates, and what happens to positions."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from PySide6.QtWidgets import QWidget

from core.errors import InvalidValue
from core.model.market import parse_symbol
from core.model.money import parse_money, plain
from core.model.run import AccountKind, AccountTerms
from ui.dialogs.entry_grid import EntryGrid
from ui.dialogs.fractions import read_fraction
from ui.theme import Sizes

_ACCOUNTS: Final = {
    AccountKind.CASH: "pays with what it has",
    AccountKind.MARGIN: "Reg T: short sales and credit",
}
_RATES: Final = {"borrow_rate": "What short positions pay", "debit_rate": "What negative cash pays", "credit_rate": "What cash earns"}


class AccountFields(EntryGrid):
    """Rates and symbols of a margin account can be entered only when one is chosen; `terms` are checked when they are asked for."""

    def __init__(self, cash: str, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self.cash = self.add_line("cash", "Start cash", "", text=cash)
        self.account = self.add_choice("account", "Account", _ACCOUNTS)
        self.rates = {name: self.add_line(name, name.replace("_", " ").capitalize(), _rate_hint(words)) for name, words in _RATES.items()}
        for line in self.rates.values():
            line.setPlaceholderText("0")
        self.hard_to_borrow = self.add_line("hard_to_borrow", "Not shortable", "Symbols, with a space between.")
        self.hard_to_borrow.setPlaceholderText("none")
        self.close_at_end = self.add_check("close_at_end", "At the end", "Close open positions")
        self.close_at_end.setToolTip("At the last close, with fee and without slippage.")
        self.corporate_actions = self.add_check("corporate_actions", "Shares", "Apply splits and dividends", checked=True)
        self.corporate_actions.setToolTip("The stored ones of the run's symbols, to raw bars.")
        self.account.currentIndexChanged.connect(lambda _index: self._show_account())
        self._show_account()

    def is_margin(self) -> bool:
        """Tell whether a margin account is chosen."""
        return str(self.account.currentData()) == AccountKind.MARGIN

    def set_trading(self, is_trading: bool) -> None:
        """Ask for the cash alone: a paper or live run has its account at the broker."""
        for name, row in self.rows().items():
            self.show_row(row, shown=name == "cash" or not is_trading)

    def _show_account(self) -> None:
        for line in (self.rates["borrow_rate"], self.rates["debit_rate"], self.hard_to_borrow):
            line.setEnabled(self.is_margin())
            line.setToolTip("" if self.is_margin() else "For a margin account.")

    def terms(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Return the fields as those of a RunConfig over `symbols`. Raises InvalidValue with the name of the field."""
        return {
            "cash": parse_money(self.cash.text().replace(",", ""), field="cash"),
            "account": self._account_terms(symbols),
            "close_at_end": self.close_at_end.isChecked(),
            "corporate_actions": self.corporate_actions.isChecked(),
        }

    def _account_terms(self, symbols: Sequence[str]) -> AccountTerms:
        if not self.is_margin():
            return AccountTerms(credit_rate=_rate(self.rates["credit_rate"].text(), "credit rate"))
        rates = {name: _rate(line.text(), name.replace("_", " ")) for name, line in self.rates.items()}
        return AccountTerms(kind=AccountKind.MARGIN, hard_to_borrow=_symbols(self.hard_to_borrow.text(), symbols), **rates)


def _rate(text: str, field: str) -> Decimal:
    if not text.strip():
        return Decimal(0)
    rate = read_fraction(text, field)
    if not 0 <= rate <= 10:
        raise InvalidValue(field, text.strip(), "a rate is a fraction a year, like 0.05 or 5 %.")
    return rate


def _rate_hint(words: str) -> Callable[[str], str]:
    def hint(text: str) -> str:
        try:
            rate = _rate(text, "rate")
        except InvalidValue:
            return "A fraction a year, like 0.05 or 5 %."
        return f"{words}: {plain(rate * 100)} % a year." if rate else ""

    return hint


def _symbols(text: str, known: Sequence[str]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(parse_symbol(part) for part in text.replace(",", " ").split()))
    for symbol in named:
        if symbol not in known:
            raise InvalidValue("hard to borrow", symbol, f"the run does not trade it; it trades {', '.join(known)}.")
    return named
