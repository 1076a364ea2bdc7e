"""Connecting an account of real money: its name is typed before anything is opened."""

from collections.abc import Callable

from PySide6.QtWidgets import QLineEdit, QWidget

from core.model.hand import TradingAccount
from ui.dialogs.notices import Notice
from ui.theme import Sizes, Theme


class ConnectDialog(Notice):
    """`then` is called with what was typed, once it is the account's name."""

    def __init__(
        self, *, account: TradingAccount, then: Callable[[str], object], theme: Theme, sizes: Sizes, parent: QWidget | None = None
    ) -> None:
        heading = f"Connect {account.title}?"
        sentence = f"It is real money: what is sent from this window is traded. Type {account.title} to confirm it."
        super().__init__("dialog-connect-account", heading, sentence, theme, sizes, parent)
        self._name, self._then = account.title, then
        self.confirm = QLineEdit(self)
        self.confirm.setObjectName("field-connect-confirm")
        self.confirm.setAccessibleName("Name of the account")
        self.confirm.setPlaceholderText(account.title)
        self.column.addWidget(self.confirm)
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Cancel", self.reject)
        self.connect_button = self.add_button("button-connect", "Connect live", self._connect)
        self.connect_button.setProperty("stake", "live")
        self.connect_button.setEnabled(False)
        self.add_footer(sizes.step * 2)
        self.confirm.textChanged.connect(lambda text: self.connect_button.setEnabled(text.strip() == self._name))
        self.confirm.setFocus()

    def _connect(self) -> None:
        self._then(self.confirm.text().strip())
        self.accept()
