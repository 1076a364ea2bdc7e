"""The port by which accounts inside the program are kept."""

from typing import Protocol

from core.model.paper import AccountBooks, PaperChange


class PaperBooks(Protocol):
    """What accounts inside the program hold, as committed."""

    async def load(self, account_id: str) -> AccountBooks | None:
        """Return all of an account, every change in it that was asked for before; None when there is no such account."""
        ...

    async def save(self, change: PaperChange) -> None:
        """Commit a change, all of it or nothing. Raises BooksMoved unless it follows the revision that is stored."""
        ...
