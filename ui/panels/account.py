"""The panel of the account: which one is connected, what it is worth, and whether what is shown is the broker's own truth."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.model.hand import AccountView, TradingAccount
from core.views.held import account_figures
from ui.dialogs.field_grid import narrow
from ui.dialogs.look import Banner, role_sheet
from ui.models.look import Look
from ui.panels.figure_grid import FigureGrid
from ui.style import repolish

_UNCONNECTED: Final = frozenset({"connect-account", "account-keys"})
"""Acts of the time before one is connected."""
_ACCEPT: Final = "accept-difference"
_DIFFERS: Final = "Our books and the broker's differ, and nothing heals it:"


class AccountPanel(QWidget):
    """Content of the account's dock. It offers; connecting is the window's."""

    chosen = Signal(object)
    """The TradingAccount that a person chose to connect."""

    def __init__(self, look: Look, acts: Callable[[str], QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel-account")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._look = look
        self._accounts: tuple[TradingAccount, ...] = ()
        self.choice = narrow(QComboBox(self))
        self.choice.setObjectName("field-account-choice")
        self.choice.setAccessibleName("Account")
        self.choice.currentIndexChanged.connect(lambda _index: self._show_error())
        self.mode = QLabel(self)
        self.mode.setObjectName("label-account-mode")
        self.mode.setProperty("role", "chip")
        self.mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long name must not widen the panel
        self.mode.setMinimumHeight(look.sizes.row)
        self.message = Banner("account-message", self)
        self.hint = QLabel("Choose an account and connect it: money, positions and orders will be here, as the broker has them.", self)
        self.hint.setWordWrap(True)
        self.hint.setProperty("role", "muted")
        self.figures = FigureGrid("account", look, self)
        self._lay_out(look, acts)
        self.first_focus: QWidget = self.choice
        self.set_look(look)
        self.offer((), None, is_busy=False)
        self.show_account(None)

    def _lay_out(self, look: Look, acts: Callable[[str], QAction]) -> None:
        step = look.sizes.step
        self._buttons: dict[str, QToolButton] = {}
        buttons = QHBoxLayout()
        buttons.setSpacing(step)
        for name in ("connect-account", "account-keys", "disconnect-account", "reconcile", "accept-difference"):
            action = acts(name)
            button = QToolButton(self)
            button.setObjectName(f"button-{action.objectName()}")
            button.setDefaultAction(action)
            button.setAccessibleName(action.text())
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            if name != _ACCEPT:
                buttons.addWidget(button)
            self._buttons[name] = button
        buttons.addStretch(1)
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(step * 2, step * 2, step * 2, step * 2)
        column.setSpacing(step * 2)
        column.addWidget(self.choice)
        column.addLayout(buttons)
        column.addWidget(self.mode)
        column.addWidget(self.message)
        column.addWidget(self._buttons[_ACCEPT], 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.hint)
        column.addWidget(self.figures)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("account-scroll")
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidgetResizable(True)
        area.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self._look = look
        self.setStyleSheet(role_sheet(look.theme, look.sizes))
        self.figures.set_look(look)

    # --- what is shown ---

    def selected(self) -> TradingAccount | None:
        """Return the account that is chosen in the list."""
        index = self.choice.currentIndex()
        return self._accounts[index] if 0 <= index < len(self._accounts) else None

    def offer(self, accounts: Sequence[TradingAccount], view: AccountView | None, *, is_busy: bool) -> None:
        """Offer the accounts there are, while none is connected."""
        self._offer(tuple(accounts), view)
        self.choice.setEnabled(view is None and not is_busy and bool(accounts))

    def show_account(self, view: AccountView | None, differences: Sequence[str] = ()) -> None:
        """Show the account that is connected, with what lastingly differs between our books and the broker's."""
        for name, button in self._buttons.items():
            button.setVisible((name in _UNCONNECTED) is (view is None) and (name != _ACCEPT or bool(differences)))
        self.mode.setVisible(view is not None)
        self.figures.setVisible(view is not None)
        self.hint.setVisible(view is None)
        if view is None:
            if self.message.text().startswith(_DIFFERS):
                self.message.say("")
            return
        words = " ".join((_DIFFERS, *differences)) if differences else ""
        if self.message.text() != words:
            self.message.say(words, "doubt")
        self.mode.setText(f"{'LIVE' if view.is_real_money else 'PAPER'}  {view.title}")
        stake = "live" if view.is_real_money else "paper"
        if self.mode.property("stake") != stake:
            self.mode.setProperty("stake", stake)
            repolish(self.mode)
        self.figures.show_figures(account_figures(view))

    def say(self, sentence: str) -> None:
        """Say why the account is not connected."""
        self.message.say(sentence)

    def _offer(self, accounts: tuple[TradingAccount, ...], view: AccountView | None) -> None:
        if accounts != self._accounts:
            chosen = self.selected()
            self._accounts = accounts
            blocked = self.choice.blockSignals(True)
            self.choice.clear()
            for account in accounts:
                self.choice.addItem(f"{account.title}{' – real money' if account.is_real_money else ''}")
            self.choice.blockSignals(blocked)
            self._choose(chosen)
        if view is not None:
            self._choose(next((one for one in accounts if (one.broker_id, one.account) == (view.broker_id, view.account)), None))

    def _choose(self, account: TradingAccount | None) -> None:
        if account is None:
            usable = next((place for place, one in enumerate(self._accounts) if one.error is None), 0)
            self.choice.setCurrentIndex(usable if self._accounts else -1)
            return
        same = [(one.broker_id, one.account) for one in self._accounts]
        key = (account.broker_id, account.account)
        self.choice.setCurrentIndex(same.index(key) if key in same else 0)

    def _show_error(self) -> None:
        account = self.selected()
        self.message.say(account.error or "" if account is not None else "", "note")
