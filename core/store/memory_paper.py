"""Accounts inside the program, in memory: gone when the program ends."""

from collections.abc import Iterable, Mapping, Sequence

from core.errors import BooksMoved, BugError
from core.model.broker import Execution
from core.model.broker_entry import BrokerEntry
from core.model.paper import AccountBooks, PaperAccount, PaperChange, PaperOrder


class MemoryPaperBooks:
    """A `PaperBooks` in dicts."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def contents(self) -> list[AccountBooks]:
        """Return what is held."""
        return [held.books() for held in self._held.values()]

    def restore(self, held: Sequence[AccountBooks]) -> None:
        """Hold these accounts and nothing else."""
        self._held = {books.account.id: _Held(books) for books in held}

    async def load(self, account_id: str) -> AccountBooks | None:
        """See `core.ports.PaperBooks`."""
        held = self._held.get(account_id)
        return None if held is None else held.books()

    async def save(self, change: PaperChange) -> None:
        """See `core.ports.PaperBooks`."""
        account = change.account
        held = self._held.get(account.id)
        if (0 if held is None else held.account.revision) != account.revision - 1:
            raise BooksMoved(account.id)
        if held is None:
            held = self._held[account.id] = _Held(AccountBooks(account=account))
        held.take(change)


class _Held:
    """One account."""

    def __init__(self, books: AccountBooks) -> None:
        self.account: PaperAccount = books.account
        self._orders: dict[str, PaperOrder] = {one.order.id: one for one in books.orders}
        self._executions: dict[str, Execution] = {one.id: one for one in books.executions}
        self._entries: dict[str, BrokerEntry] = {one.id: one for one in books.entries}

    def books(self) -> AccountBooks:
        """Return all of it."""
        return AccountBooks(
            account=self.account,
            orders=tuple(self._orders.values()),
            executions=tuple(self._executions.values()),
            entries=tuple(self._entries.values()),
        )

    def take(self, change: PaperChange) -> None:
        """Take a change in. Raises BugError for what is there already; then nothing is taken."""
        _check_new(self._executions, (one.id for one in change.executions))
        _check_new(self._entries, (one.id for one in change.entries))
        self.account = change.account
        self._orders.update((one.order.id, one) for one in change.orders)
        self._executions.update((one.id, one) for one in change.executions)
        self._entries.update((one.id, one) for one in change.entries)


def _check_new(known: Mapping[str, object], ids: Iterable[str]) -> None:
    for id_ in ids:
        if id_ in known:
            raise BugError(f"{id_} is in the books already.")
