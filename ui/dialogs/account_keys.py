"""The keys of an account: kept in the system's keyring, and never shown again but for their last four signs."""

from collections.abc import Awaitable, Callable, Sequence

from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton, QWidget
from shiboken6 import isValid

from core.errors import KnownError
from core.model.broker import AccountName, AccountSetup
from ui.dialogs.field_grid import FieldGrid, narrow
from ui.dialogs.look import Banner
from ui.dialogs.notices import Notice
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

ReadSetups = Callable[[], Awaitable[Sequence[AccountSetup]]]
StoreKeys = Callable[[AccountName, str, str], Awaitable[None]]
"""Takes an account, its key and its secret. Raises KeyringUnusable."""
ForgetKeys = Callable[[AccountName], Awaitable[bool]]
"""Removes the keys that the keyring has; False when it had none. Raises KeyringUnusable."""

_WORK = "account keys"


class AccountKeysDialog(Notice):
    """What is typed leaves the fields as soon as it is stored. `stored` is called after the keys of an account have changed."""

    def __init__(
        self,
        *,
        read: ReadSetups,
        store: StoreKeys,
        forget: ForgetKeys,
        stored: Callable[[], object],
        chosen: AccountName,
        tasks: TaskScope,
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        sentence = (
            "They are kept in the keyring of the system, for all programs of yours and for nobody else. An order needs them each time."
        )
        super().__init__("dialog-account-keys", "Keys of an account", sentence, theme, sizes, parent)
        self._read, self._store, self._forget, self._stored, self._tasks = read, store, forget, stored, tasks
        self._setups: dict[AccountName, AccountSetup] = {}
        grid = FieldGrid(sizes, self)
        self.account = narrow(QComboBox(grid))
        for name in AccountName:
            self.account.addItem(f"{name.value} – real money" if name is AccountName.LIVE else name.value, name.value)
        self._account_row = grid.add("field-keys-account", "Account", self.account)
        self.key, self.secret = QLineEdit(grid), QLineEdit(grid)
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        grid.add("field-keys-key", "Key", self.key)
        grid.add("field-keys-secret", "Secret", self.secret)
        self.column.addWidget(grid)
        self.message = Banner("account-keys-message", self)
        self.column.addWidget(self.message)
        self.forget_button = self.add_button("button-forget-keys", "Forget keys", lambda: self._do(self._forgotten()))
        self.forget_button.setToolTip("Take this account's keys out of the keyring")
        self.footer.addStretch(1)
        self.add_button("button-close", "Close", self.reject)
        self.store_button: QPushButton = self.add_button("button-store-keys", "Store keys", lambda: self._do(self._stored_now()), "primary")
        self.store_button.setDefault(True)
        self.add_footer(sizes.step * 2)
        self.account.setCurrentIndex(self.account.findData(chosen.value))
        self.account.currentIndexChanged.connect(lambda _index: self._on_account())
        for line in (self.key, self.secret):
            line.textChanged.connect(lambda _text: self._show_ready())
        self._show_ready()
        self.key.setFocus()
        self._do(self._look())

    def name(self) -> AccountName:
        """Return the account that is chosen."""
        return AccountName(self.account.currentData())

    def _on_account(self) -> None:
        self.message.say("")
        self._show_ready()

    def _show_ready(self) -> None:
        self.store_button.setEnabled(bool(self.key.text().strip() and self.secret.text().strip()))
        setup = self._setups.get(self.name())
        words = "" if setup is None else f"None are kept for it at {setup.adapter}."
        if setup is not None and setup.keys is not None:
            words = f"{setup.keys} at {setup.adapter}, from the {setup.kept}. What is stored here takes their place."
        self._account_row.show_hint(words)
        self._account_row.show_error("" if setup is None or setup.error is None else setup.error)
        self.forget_button.setEnabled(setup is not None and setup.keys is not None and setup.kept == "keyring")

    def _do(self, work: Awaitable[None]) -> None:
        self._tasks.start(self._guarded(work), what="looking after the keys of an account", latest=_WORK)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except KnownError as error:
            if isValid(self):  # it may be closed by now
                self.message.say(str(error))

    async def _look(self) -> None:
        setups = await self._read()
        if isValid(self):
            self._setups = {setup.name: setup for setup in setups}
            self._show_ready()

    async def _stored_now(self) -> None:
        name = self.name()
        await self._store(name, self.key.text().strip(), self.secret.text().strip())
        if not isValid(self):
            return
        self.key.clear()
        self.secret.clear()
        await self._look()
        self._stored()
        if isValid(self):
            self.message.say(f"The keys of the {name} account are kept. Connect it now; what goes on with the old ones keeps them.", "good")

    async def _forgotten(self) -> None:
        name = self.name()
        had = await self._forget(name)
        await self._look()
        self._stored()
        if isValid(self):
            words = "are gone from the keyring" if had else "were not in the keyring"
            self.message.say(f"The keys of the {name} account {words}.", "note")
