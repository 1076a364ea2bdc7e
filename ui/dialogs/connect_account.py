"""Real money: the name of its account is typed before anything is opened or started."""

from collections.abc import Callable

from PySide6.QtWidgets import QLineEdit, QWidget

from ui.dialogs.notices import Notice
from ui.theme import Sizes, Theme


class ConnectDialog(Notice):
    """`then` is called with what was typed, once it is `name`. `what` is the act, like `Connect Alpaca live?`; `verb` its button."""

    def __init__(
        self,
        *,
        what: str,
        name: str,
        verb: str,
        then: Callable[[str], object],
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        sentence = f"It is real money: what is sent from here is traded. Type {name} to confirm it."
        super().__init__("dialog-connect-account", what, sentence, theme, sizes, parent)
        self._name, self._then = name, then
        self.confirm = QLineEdit(self)
        self.confirm.setObjectName("field-connect-confirm")
        self.confirm.setAccessibleName("Name of the account")
        self.confirm.setPlaceholderText(name)
        self.column.addWidget(self.confirm)
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Cancel", self.reject)
        self.connect_button = self.add_button("button-connect", verb, self._connect)
        self.connect_button.setProperty("stake", "live")
        self.connect_button.setEnabled(False)
        self.add_footer(sizes.step * 2)
        self.confirm.textChanged.connect(lambda text: self.connect_button.setEnabled(text.strip().casefold() == self._name.casefold()))
        self.confirm.setFocus()

    def _connect(self) -> None:
        self._then(self.confirm.text().strip())
        self.accept()
