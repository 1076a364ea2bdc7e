"""Accounts inside the program, in memory: gone when the program ends."""

from collections.abc import Sequence

from core.errors import BooksMoved, BugError
from core.model.paper import AccountBooks, PaperChange


class MemoryPaperBooks:
    """A `PaperBooks` in a dict."""

    def __init__(self) -> None:
        self._held: dict[str, AccountBooks] = {}

    def contents(self) -> list[AccountBooks]:
        """Return what is held."""
        return list(self._held.values())

    def restore(self, held: Sequence[AccountBooks]) -> None:
        """Hold these accounts and nothing else."""
        self._held = {books.account.id: books for books in held}

    async def load(self, account_id: str) -> AccountBooks | None:
        """See `core.ports.PaperBooks`."""
        return self._held.get(account_id)

    async def save(self, change: PaperChange) -> None:
        """See `core.ports.PaperBooks`."""
        account = change.account
        held = self._held.get(account.id)
        if (0 if held is None else held.account.revision) != account.revision - 1:
            raise BooksMoved(account.id)
        before = held or AccountBooks(account=account)
        _check_new({one.id for one in before.executions}, [one.id for one in change.executions])
        _check_new({one.id for one in before.entries}, [one.id for one in change.entries])
        orders = {one.order.id: one for one in before.orders} | {one.order.id: one for one in change.orders}
        self._held[account.id] = AccountBooks(
            account=account,
            orders=tuple(orders.values()),
            executions=before.executions + change.executions,
            entries=before.entries + change.entries,
        )


def _check_new(known: set[str], ids: list[str]) -> None:
    twice = [id_ for id_ in ids if id_ in known]
    if twice:
        raise BugError(f"{twice[0]} is in the books already.")
