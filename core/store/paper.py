"""Accounts inside the program, in the database: each change one transaction, refused where another came first."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, select

from core.errors import BooksMoved, BugError
from core.model.broker import Execution
from core.model.broker_entry import BrokerEntry
from core.model.paper import AccountBooks, PaperAccount, PaperChange, PaperOrder
from core.store.dialect import database_of, execute
from core.store.sql import BulkInsert
from core.store.tables import PAPER_ACCOUNTS, PAPER_ENTRIES, PAPER_EXECUTIONS, PAPER_ORDERS
from core.store.threads import Threads

_PUT_ACCOUNT: Final = BulkInsert(
    PAPER_ACCOUNTS, ("id", "number", "revision", "time_ns", "body"), key="id", update=("revision", "time_ns", "body")
)
_PUT_ORDERS: Final = BulkInsert(
    PAPER_ORDERS,
    ("id", "account_id", "client_order_id", "symbol", "status", "submitted_ns", "body"),
    key="id",
    update=("status", "body"),
)
_ADD_EXECUTIONS: Final = BulkInsert(PAPER_EXECUTIONS, ("id", "account_id", "order_id", "symbol", "time_ns", "body"))
_ADD_ENTRIES: Final = BulkInsert(PAPER_ENTRIES, ("id", "account_id", "kind", "symbol", "time_ns", "body"))

KINDS: Final[dict[str, Any]] = {
    PAPER_ORDERS.name: PaperOrder,
    PAPER_EXECUTIONS.name: Execution,
    PAPER_ENTRIES.name: BrokerEntry,
}
"""What the bodies of a table are."""


class DatabasePaperBooks:
    """A `PaperBooks` in four tables."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def load(self, account_id: str) -> AccountBooks | None:
        """See `core.ports.PaperBooks`."""
        # By the writer: behind every change that was asked for before, even one whose caller no longer waits.
        return await self._threads.write_and_wait(lambda connection: _load(connection, account_id))

    async def save(self, change: PaperChange) -> None:
        """See `core.ports.PaperBooks`."""
        await self._threads.write_and_wait(lambda connection: _save(connection, change))


def account_values(account: PaperAccount) -> list[Any]:
    """Return the cells of an account's row."""
    return [account.id, account.number, account.revision, account.time_ns, _text(account)]


def order_values(account_id: str, one: PaperOrder) -> list[Any]:
    """Return the cells of an order's row, without its ordinal."""
    order = one.order
    return [order.id, account_id, order.client_order_id, order.symbol, order.status.value, order.submitted_ns, _text(one)]


def execution_values(account_id: str, one: Execution) -> list[Any]:
    """Return the cells of an execution's row, without its ordinal."""
    return [one.id, account_id, one.order_id, one.symbol, one.time_ns, _text(one)]


def entry_values(account_id: str, one: BrokerEntry) -> list[Any]:
    """Return the cells of an entry's row, without its ordinal."""
    return [one.id, account_id, one.kind.value, one.symbol, one.time_ns, _text(one)]


def _save(connection: Connection, change: PaperChange) -> None:
    account = change.account
    database_of(connection).sql.lock(connection, f"paper account {account.id}")
    row = execute(connection, "SELECT revision FROM paper_accounts WHERE id = ?", (account.id,)).fetchone()
    if (0 if row is None else row[0]) != account.revision - 1:
        raise BooksMoved(account.id)
    _PUT_ACCOUNT.run(connection, account_values(account))
    _PUT_ORDERS.run(connection, [cell for one in change.orders for cell in order_values(account.id, one)])
    _ADD_EXECUTIONS.run(connection, [cell for one in change.executions for cell in execution_values(account.id, one)])
    _ADD_ENTRIES.run(connection, [cell for one in change.entries for cell in entry_values(account.id, one)])


def _load(connection: Connection, account_id: str) -> AccountBooks | None:
    row = connection.execute(select(PAPER_ACCOUNTS.c.body).where(PAPER_ACCOUNTS.c.id == account_id)).first()
    if row is None:
        return None
    return AccountBooks(
        account=_decoded(row.body, PaperAccount),
        orders=_rows(connection, PAPER_ORDERS, account_id),
        executions=_rows(connection, PAPER_EXECUTIONS, account_id),
        entries=_rows(connection, PAPER_ENTRIES, account_id),
    )


def _rows(connection: Connection, table: Table, account_id: str) -> tuple[Any, ...]:
    query = select(table.c.body).where(table.c.account_id == account_id).order_by(table.c.ordinal)
    return tuple(_decoded(body, KINDS[table.name]) for body in connection.execute(query).scalars())


def _decoded(body: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise BugError(f"A row of a paper account cannot be read: {error}.") from error


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
