"""The port of a store as a whole: what it keeps, one part each, and its opening and closing."""

from collections.abc import Sequence
from typing import Protocol

from core.model.desk import Desk
from core.ports.bar_store import BarStore, CorporateActionStore
from core.ports.event_log import EventLog
from core.ports.leases import Leases
from core.ports.paper_books import PaperBooks
from core.ports.run_store import RunStore
from core.ports.store_care import StoreCare


class Store(Protocol):
    """A home of everything that is kept: memory or a database."""

    @property
    def log(self) -> EventLog: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def bars(self) -> BarStore: ...
    @property
    def actions(self) -> CorporateActionStore: ...
    @property
    def paper(self) -> PaperBooks: ...
    @property
    def care(self) -> StoreCare: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def desk(self) -> Desk:
        """Return the workstation that has it open."""
        ...

    @property
    def is_shared(self) -> bool:
        """Tell whether other machines may have it open too."""
        ...

    @property
    def where(self) -> str:
        """Return where it is, in words for a person; never with a password."""
        ...

    @property
    def owner(self) -> str:
        """Return the name of this process in the store; runs it starts carry it."""
        ...

    def is_alive(self, owner: str) -> bool:
        """Tell whether the process of that name, of this machine, still has the store open; a killed one has not."""
        ...

    async def facts(self) -> Sequence[tuple[str, str]]:
        """Return what there is to know about it, for a person: pairs of a name and a sentence."""
        ...

    def claim_window(self) -> None:
        """Become the one window of this store until it is closed; call it after `open`. Raises AlreadyOpen."""
        ...

    async def open(self) -> None:
        """Connect and migrate. Raises StoreError in plain words."""
        ...

    async def close(self) -> None:
        """Finish writing and let go of everything."""
        ...
