"""The account that a person has connected: opened and let go here, and kept fresh for whatever shows it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from core.errors import KeysRefused, KnownError
from core.events.live_payloads import AccountChanged, Differed
from core.views.held import revalued

if TYPE_CHECKING:
    from decimal import Decimal

    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.broker import AccountName
    from core.model.hand import AccountView, TradingAccount
    from core.model.reconciliation import Reconciliation
    from ui.tasks import TaskScope

BEAT_MS: Final = 250
"""How often an account that changed is asked again, at most."""
LASTS: Final = "stop"
"""The word of a difference that nothing heals."""
QUIET_BEATS: Final = 8
"""Beats after which it is asked although nothing was told: how long it has been silent grows by itself."""
_NEW_KEYS: Final = "*Keys* in the panel Account stores others; then connect it again."
_ORDERS_WORK_ON: Final = "Orders that work at the broker work on there; connect it again to see them."

_Difference = tuple[str, str, str, str | None]
"""The account, what differs, its symbol and its order."""


class AccountFeed(QObject):
    """One account at a time. `view` is the newest of it, None while none is connected."""

    changed = Signal()
    """`view`, `accounts` or `is_busy` is another."""
    failed = Signal(str)
    """A connection could not be made, or ended by itself: the sentence why."""
    mended = Signal(str)
    """One is connected again: what `failed` said holds no more."""

    def __init__(self, engine: Engine, tasks: TaskScope, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._tasks = engine, tasks
        self.accounts: list[TradingAccount] = []
        self.view: AccountView | None = None
        self.is_busy = False
        self.failure = ""
        """Why none is connected, as it was said; empty once one is."""
        self._differences: dict[_Difference, str] = {}
        self._is_dirty = False
        self._is_asking = False
        self._quiet = 0
        self._beats = 0
        self._is_pricing = False
        self._prices: dict[str, Decimal] = {}
        self._subscription = ExitStack()
        self._timer = QTimer(self)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    @property
    def place(self) -> tuple[str, AccountName] | None:
        """Where orders go: the broker's id and the account's name."""
        return None if self.view is None else (self.view.broker_id, self.view.account)

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs from the broker's books and nothing heals, in sentences."""
        key = None if self.view is None else self.view.key
        return tuple(reason for (account, *_), reason in self._differences.items() if account == key)

    async def load(self) -> None:
        """Read which accounts there are; nothing is connected."""
        self.accounts = await self._engine.trading_accounts()
        self.changed.emit()

    # --- connecting ---

    def connect_to(self, account: TradingAccount, confirm: str = "") -> None:
        """Open an account in place of the one that is open."""
        if not self.is_busy:
            self._tasks.start(self._connect(account, confirm), what=f"connecting {account.title}", latest="account")

    async def _connect(self, account: TradingAccount, confirm: str) -> None:
        self._set_busy(True)
        try:
            await self._let_go()
            self._listen()
            self._take(await self._engine.connect_account(account.broker_id, account.account, confirm))
            await asyncio.sleep(0)  # what shows it has taken its turn
            self._timer.start()
        except KnownError as error:
            self._subscription.close()
            self.fail(account.title, error)
        finally:
            self._set_busy(False)
            self.accounts = await self._engine.trading_accounts()
            self.changed.emit()

    def disconnect_now(self) -> None:
        """Let the account go; its orders work on."""
        if not self.is_busy:
            self._tasks.start(self._disconnect(), what="disconnecting the account", latest="account")

    async def _disconnect(self) -> None:
        self._set_busy(True)
        try:
            await self._let_go()
        finally:
            self._set_busy(False)

    async def _let_go(self) -> None:
        place = self.place
        self._timer.stop()
        self._subscription.close()
        self._differences.clear()
        self._prices.clear()
        self.view = None
        if place is not None:
            self.changed.emit()  # nothing can be sent to it any more, however long it takes to let it go and to open the next
            await self._engine.disconnect_account(*place)

    def _set_busy(self, is_busy: bool) -> None:
        self.is_busy = is_busy
        self.changed.emit()

    def fail(self, title: str, error: KnownError) -> None:
        """Say why an account is not connected, and what to do."""
        todo = f" {_NEW_KEYS}" if isinstance(error, KeysRefused) else ""
        self._say(f"{title} is not connected. {error}{todo}")

    def _say(self, sentence: str) -> None:
        self.failure = sentence
        self.failed.emit(sentence)

    # --- keeping fresh ---

    def ask(self) -> None:
        """Ask for the account anew at the next beat."""
        self._is_dirty = True

    def stop(self) -> None:
        """Ask no more; the account stays open until the engine closes."""
        self._timer.stop()
        self._subscription.close()

    def _listen(self) -> None:
        self._differences.clear()
        for wire, hear in ((AccountChanged.wire, self._on_changed), (Differed.wire, self._on_differed)):
            self._subscription.enter_context(self._engine.subscribe(wire, hear, owner="window: account"))

    def _on_changed(self, event: Envelope) -> None:
        payload = event.payload
        if self.view is None or (isinstance(payload, AccountChanged) and payload.account == self.view.key):
            self._is_dirty = True

    def _on_differed(self, event: Envelope) -> None:
        payload = event.payload
        if not isinstance(payload, Differed):
            return
        difference = payload.account, payload.what, payload.symbol, payload.order_id
        if payload.healing == LASTS:
            self._differences[difference] = payload.reason
        elif self._differences.pop(difference, None) is None:
            return
        self.changed.emit()

    def take_differences(self, found: Reconciliation) -> None:
        """Take what a comparison left."""
        self._differences = {(found.account, one.what, one.symbol, one.order_id): one.reason for one in found.unhealed}
        self.ask()
        self.changed.emit()

    def _beat(self) -> None:
        self._beats += 1
        self._quiet += 1
        symbols = [] if self.view is None else sorted({one.symbol for one in self.view.positions})
        if symbols and self._beats % QUIET_BEATS == 0 and not self._is_pricing and self.place is not None and self._tasks.can_start:
            self._is_pricing = True
            self._tasks.start(self._read_prices(self.place, symbols), what="reading the prices of positions", latest="account-prices")
        due = self._is_dirty or self._quiet >= QUIET_BEATS
        if due and not self._is_asking and self.place is not None and self._tasks.can_start:
            self._is_dirty, self._quiet, self._is_asking = False, 0, True
            self._tasks.start(self._ask(), what="reading the account", latest="account-view")

    async def _ask(self) -> None:
        place = self.place
        try:
            if place is not None:
                view = await self._engine.account_view(*place)
                if self.place == place:
                    self._take(revalued(view, self._prices))
        except KnownError as error:
            if self.place == place and not self.is_busy:
                title = "The account" if self.view is None else self.view.title
                await self._let_go()  # it ended by itself: keys revoked, or another desk took the account over
                await self.load()
                self._say(f"{title} is no longer connected. {error.todo or error.what} {_ORDERS_WORK_ON}")
        finally:
            self._is_asking = False

    async def _read_prices(self, place: tuple[str, AccountName], symbols: list[str]) -> None:
        """Ask the market for the prices of what is held; while it does not answer they are the broker's own."""
        try:
            self._prices = {symbol: trade.price for symbol, trade in (await self._engine.last_trades(*place, symbols)).items()}
        except KnownError:
            self._prices = {}
        finally:
            self._is_pricing = False
        if self.view is not None and self.place == place:
            self._take(revalued(self.view, self._prices))

    def _take(self, view: AccountView) -> None:
        if self.failure:
            said, self.failure = self.failure, ""
            self.mended.emit(said)
        if view != self.view:
            self.view = view
            self.changed.emit()
