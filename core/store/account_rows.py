"""What an account's desk reads of its runs, and its snapshot in the table `account_snapshots`. Runs in a thread of the store."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.order import Order, OrderStatus
from core.model.run import RunMode
from core.ports import RunTail
from core.store.dialect import database_of, execute
from core.store.rows import EVENT_LIST, PAGE, decode_events, event_of, fills_after, orders_after
from core.store.sql import BulkInsert
from core.store.tables import ACCOUNT_SNAPSHOTS

_COLUMNS: Final = ("account", "version", "sha256", "body")
_PUT: Final = BulkInsert(ACCOUNT_SNAPSHOTS, _COLUMNS, key="account", update=_COLUMNS[1:])
_LAST: Final = (("orders", "ordinal"), ("fills", "ordinal"), ("outbox", "seq"))
_OPEN: Final = [status.value for status in OrderStatus if not status.is_final]
_decode_orders: Final = msgspec.json.Decoder(list[tuple[int, Order]]).decode


def put_account_snapshot(connection: Connection, snapshot: AccountSnapshot) -> None:
    """Insert or replace the snapshot of an account."""
    _PUT.run(connection, [snapshot.account, snapshot.version, snapshot.sha256, snapshot.body])


def read_account_snapshots(connection: Connection, account: str | None = None) -> list[AccountSnapshot]:
    """Return the snapshot of an account, or those of all, by key."""
    where, values = ("", ()) if account is None else (" WHERE account = ?", (account,))
    query = f"SELECT {', '.join(_COLUMNS)} FROM account_snapshots{where} ORDER BY account"  # noqa: S608 - made of our own names
    return [AccountSnapshot(**dict(zip(_COLUMNS, row, strict=True))) for row in execute(connection, query, values).fetchall()]


def read_run_ends(connection: Connection) -> dict[str, RunEnd]:
    """Return where each run ends that is no backtest: three steps into an index for each."""
    ends = ", ".join(f"(SELECT max({last}) FROM {table} WHERE run_id = runs.id)" for table, last in _LAST)  # noqa: S608
    found = execute(connection, f"SELECT id, {ends} FROM runs WHERE mode <> ?", (RunMode.BACKTEST.value,)).fetchall()  # noqa: S608
    return {run_id: RunEnd(*(last or 0 for last in lasts)) for run_id, *lasts in found}


def read_run_tail(
    connection: Connection, codec: EventCodec, run_id: str, after: RunEnd, also: Sequence[str], types: Sequence[str]
) -> RunTail:
    """See `core.ports.AccountRows.run_tail`."""
    orders = orders_after(connection, run_id, after.orders)
    new = {order.id for _, order in orders}
    asked = [each for each in also if each not in new]
    sql = database_of(connection).sql
    for some in _in_parts(asked):
        marks = ", ".join("?" * len(some))
        source = f"FROM (SELECT ordinal, body FROM orders WHERE id IN ({marks})) AS page"  # noqa: S608 - values are parameters
        orders += sql.bodies(connection, source, some, _decode_orders)
    fills = fills_after(connection, run_id, after.fills)
    events = _events_after(connection, codec, run_id, after.events, types)
    return RunTail(orders, fills, events, _end_of(connection, run_id))


def _end_of(connection: Connection, run_id: str) -> RunEnd:
    """Return where a run ends: three steps into an index."""
    query = ", ".join(f"(SELECT max({last}) FROM {table} WHERE run_id = ?)" for table, last in _LAST)  # noqa: S608
    return RunEnd(*(last or 0 for last in execute(connection, f"SELECT {query}", (run_id,) * len(_LAST)).fetchone()))


def _events_after(connection: Connection, codec: EventCodec, run_id: str, seq: int, types: Sequence[str]) -> list[Envelope]:
    where = f"run_id = ? AND seq > ? AND type IN ({', '.join('?' * len(types))})"
    source = f"FROM outbox WHERE {where} ORDER BY seq LIMIT {PAGE}"
    found: list[Envelope] = []
    while True:
        rows = database_of(connection).sql.rows(connection, EVENT_LIST, source, (run_id, seq, *types), decode_events)
        found += (event_of(row, codec) for row in sorted(rows))
        if len(rows) < PAGE:
            return found
        seq = found[-1].seq


def read_runs_of(connection: Connection, order_ids: Sequence[str], fill_ids: Sequence[str]) -> set[str]:
    """Return the runs whose orders and fills these are."""
    found: set[str] = set()
    for table, ids in (("orders", order_ids), ("fills", fill_ids)):
        for some in _in_parts(ids):
            query = f"SELECT DISTINCT run_id FROM {table} WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608
            found |= {run_id for (run_id,) in execute(connection, query, some).fetchall()}
    return found


def read_open_orders(connection: Connection, run_ids: Sequence[str]) -> list[Order]:
    """Return the orders of these runs that are not over, of each run in the order they were made."""
    sql = database_of(connection).sql
    found: list[tuple[int, Order]] = []
    for some in _in_parts(run_ids):
        where = f"run_id IN ({', '.join('?' * len(some))}) AND status IN ({', '.join('?' * len(_OPEN))})"
        source = f"FROM (SELECT ordinal, body FROM orders WHERE {where}) AS page"  # noqa: S608 - values are parameters
        found += sql.bodies(connection, source, [*some, *_OPEN], _decode_orders)
    return [order for _, order in sorted(found, key=lambda row: row[0])]


def read_runs_at_broker(connection: Connection, run_ids: Sequence[str], broker_ids: Sequence[str]) -> set[str]:
    """Return those of the runs with an order that has one of the broker's ids. Reads all of their orders."""
    wanted, found = set(broker_ids), set()
    for run_id in run_ids:
        if any(order.broker_id in wanted for _, order in orders_after(connection, run_id, 0)):
            found.add(run_id)
    return found


def _in_parts(ids: Sequence[str]) -> Iterator[list[Any]]:
    """Yield as many at a time as a statement takes."""
    for first in range(0, len(ids), 500):
        yield list(ids[first : first + 500])
