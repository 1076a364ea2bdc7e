"""The port by which the desk of an account reads what its runs traded, and what that had come to when it was folded last."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from core.events.envelope import Envelope
from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.order import Fill, Order


class RunTail(NamedTuple):
    """What is stored of a run after an end, from one consistent state; `end` is where it ends now. Numbers only grow within a run."""

    orders: Sequence[tuple[int, Order]]
    """With their numbers: those that are new, and those that were asked for by id; as they are now."""
    fills: Sequence[tuple[int, Fill]]
    """With their numbers, in the order in which they were stored."""
    events: Sequence[Envelope]
    end: RunEnd


class AccountRows(Protocol):
    """Orders and fills by where they end, and whose they are; part of `core.ports.RunStore`."""

    async def account_snapshot(self, account: str) -> AccountSnapshot | None:
        """Return the newest snapshot of an account, by its key, or None while there is none."""
        ...

    async def account_snapshots(self) -> list[AccountSnapshot]:
        """Return those of all accounts, by key."""
        ...

    async def run_ends(self) -> Mapping[str, RunEnd]:
        """Return where each paper and live run ends."""
        ...

    async def run_tail(self, run_id: str, after: RunEnd, *, also: Sequence[str], types: Sequence[str]) -> RunTail:
        """Return what a run stored after an end: of its events those of `types`; and the orders with the ids `also`."""
        ...

    async def runs_of(self, *, order_ids: Sequence[str] = (), fill_ids: Sequence[str] = ()) -> set[str]:
        """Return the runs whose orders and fills these are, of those that are stored."""
        ...

    async def open_orders(self, run_ids: Sequence[str]) -> list[Order]:
        """Return the orders of these runs that are not over, of each run in the order they were made. Decodes no others."""
        ...

    async def runs_at_broker(self, run_ids: Sequence[str], broker_ids: Sequence[str]) -> set[str]:
        """Return those of the runs that have an order with one of the broker's ids. Reads all of their orders."""
        ...


class AccountWork(Protocol):
    """Part of `core.ports.UnitOfWork`."""

    def put_account_snapshot(self, snapshot: AccountSnapshot) -> None:
        """Insert or replace the snapshot of an account."""
        ...
