"""Rows of events, runs, orders, fills and results: written and read in bulk. Everything here runs in a thread of the store."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete

from core.errors import AlreadyStored
from core.events.codec import EventCodec
from core.events.dispatch import fits
from core.events.envelope import Envelope, Kind
from core.events.memory import with_seq
from core.events.registry import event_types
from core.model.desk import LeaseKind
from core.model.order import Fill, Order, Rejection
from core.model.position import Position, Trade
from core.model.result import PlotLine, RunResult
from core.model.run import Run
from core.store.arrays import pack, unpack
from core.store.deletions import delete_events
from core.store.dialect import database_of, execute
from core.store.sql import BulkInsert
from core.store.tables import EVENT_HASHES, FILLS, LOUD, ORDERS, OUTBOX, QUIET, RESULTS, RUNS
from core.store.transaction import EVENT_COLUMNS, pending_events, with_seqs, write_pending

EVENT_LIST: Final = ", ".join(EVENT_COLUMNS)
_PUT_RUN: Final = BulkInsert(
    RUNS,
    ("id", "status", "mode", "strategy_id", "owner", "created_ns", "body"),
    key="id",
    update=("status", "mode", "strategy_id", "owner", "created_ns", "body"),
)
_PUT_ORDERS: Final = BulkInsert(
    ORDERS,
    ("id", "run_id", "symbol", "status", "created_ns", "updated_ns", "body"),
    key="id",
    update=("symbol", "status", "updated_ns", "body"),
)
_ADD_FILLS: Final = BulkInsert(FILLS, ("id", "run_id", "order_id", "symbol", "time_ns", "body"), key="id")
_PUT_RESULT: Final = BulkInsert(RESULTS, ("run_id", "stats", "body", "arrays"), key="run_id", update=("stats", "body", "arrays"))

PAGE: Final = 1_000
"""Rows decoded at a time: a longer decode would keep the interpreter's lock, and so the window, for too long."""

_encode = msgspec.json.Encoder().encode
_COMMAND: Final = Kind.COMMAND
_KINDS: Final = {kind.value: kind for kind in Kind}
EventRow = tuple[int, str, str, str, int, str | None, str, str | None, str | None, int, str, str]
decode_events: Final = msgspec.json.Decoder(list[EventRow]).decode
_decode_runs: Final = msgspec.json.Decoder(list[tuple[int, Run]]).decode
_decode_orders: Final = msgspec.json.Decoder(list[tuple[int, Order]]).decode
_decode_trades: Final = msgspec.json.Decoder(list[Trade]).decode
_decode_fills: Final = msgspec.json.Decoder(list[tuple[int, Fill]]).decode


# --- events -------------------------------------------------------------------------------------------------


class EncodedEvents:
    """Events whose payloads are encoded, ready to be numbered and written; `chained` with their hashes."""

    def __init__(self, events: Sequence[Envelope], *, chained: bool = False) -> None:
        self._events = events
        self._chained = chained
        self.cells: list[Any] = []
        """The cells of their rows, one after the other, once encoded; in the place of each seq is a 0."""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def last_id(self) -> str:
        """The id of the last of them."""
        return self._events[-1].id

    def encode(self, codec: EventCodec) -> None:
        """Encode the payloads. Raises what `EventCodec.encode` raises."""
        cells: list[Any] = []
        for event, payload in zip(self._events, codec.encode_all(self._events), strict=True):
            cells += (
                0,
                event.id,
                "cmd" if event.kind is _COMMAND else "evt",  # a member's `value` costs more than the rest of its row
                event.type,
                event.version,
                event.run_id,
                event.corr_id,
                event.causation_id,
                event.trace_id,
                event.ts,
                event.producer,
                payload.decode(),
            )
        self.cells = cells

    def numbered(self, first: int) -> list[Envelope]:
        """Return them with their seqs."""
        return [with_seq(event, seq) for seq, event in enumerate(self._events, first)]

    def write(self, connection: Connection) -> list[Envelope]:
        """Append them and return them with their seq; the rows are written before the commit."""
        pending = pending_events(connection)
        first = pending.take(len(self._events))
        pending.values += with_seqs(self.cells, first)
        pending.chained = pending.chained or self._chained
        return self.numbered(first)


def read_events(
    connection: Connection,
    codec: EventCodec,
    *,
    after_seq: int = 0,
    run_id: str | None,
    pattern: str,
    limit: int,
    before_seq: int | None = None,
) -> list[Envelope]:
    """Return up to `limit` events after `after_seq` whose type fits `pattern`, oldest first.

    With `before_seq` the last `limit` of those before it, oldest first too.
    """
    types = [wire for wire in event_types() if fits(wire, pattern)]
    is_quiet = run_id is None and pattern != "*" and not set(types) & set(LOUD)
    if is_quiet and pattern.endswith(".*"):
        # Each type has its place in the index: a few rows of each are read, however long the log is.
        of_types = (_read_events(connection, codec, after_seq, None, wire, limit, before_seq, is_quiet=True) for wire in types)
        found = sorted((event for of_type in of_types for event in of_type), key=_seq)
        return found[:limit] if before_seq is None else found[-limit:]
    return _read_events(connection, codec, after_seq, run_id, pattern, limit, before_seq, is_quiet=is_quiet)


def _read_events(
    connection: Connection,
    codec: EventCodec,
    after_seq: int,
    run_id: str | None,
    pattern: str,
    limit: int,
    before_seq: int | None,
    *,
    is_quiet: bool,
) -> list[Envelope]:
    sql = database_of(connection).sql
    backwards = before_seq is not None
    conditions: list[str] = ["seq < ?" if backwards else "seq > ?"]
    asked: list[Any] = [before_seq if backwards else after_seq]
    if is_quiet:
        conditions.append(QUIET)
    if backwards:
        conditions.append("seq > ?")
        asked.append(after_seq)
    if run_id is not None:
        conditions.append("run_id = ?")
        asked.append(run_id)
    if pattern.endswith(".*"):
        # Not LIKE, whose case and wildcards differ: from `orders.` up to the character after the dot.
        conditions.append(f"type{sql.by_byte} >= ? AND type{sql.by_byte} < ?")
        asked += [pattern[:-1], pattern[:-2] + "/"]
    elif pattern != "*":
        conditions.append("type = ?")
        asked.append(pattern)
    source = f"FROM outbox WHERE {' AND '.join(conditions)} ORDER BY {'seq DESC' if backwards else 'seq'} LIMIT ?"
    found: list[Envelope] = []
    while len(found) < limit:
        if found:
            asked[0] = found[-1].seq
        page = min(PAGE, limit - len(found))
        rows = sql.rows(connection, EVENT_LIST, source, (*asked, page), decode_events)
        found += sorted((event_of(row, codec) for row in rows), key=_seq, reverse=backwards)
        if len(rows) < page:
            break
    return found[::-1] if backwards else found


def check_new(connection: Connection, event: Envelope) -> None:
    """Raise AlreadyStored where an event of this id and run is stored. Until the end of the transaction nobody else appends."""
    pending_events(connection)  # locks the log: who appended before is over
    write_pending(connection)
    whose, values = ("run_id IS NULL", ()) if event.run_id is None else ("run_id = ?", (event.run_id,))
    if execute(connection, f"SELECT 1 FROM outbox WHERE {whose} AND id = ? LIMIT 1", (*values, event.id)).fetchone() is not None:  # noqa: S608
        raise AlreadyStored(event.id)


def _seq(event: Envelope) -> int:
    return event.seq


def event_of(row: EventRow, codec: EventCodec) -> Envelope:
    """Return a row of the table `outbox`, its columns in order, as an event. Raises what `EventCodec.decode` raises."""
    seq, event_id, kind, type_, version, run_id, corr_id, causation_id, trace_id, ts, producer, payload = row
    content = codec.decode(type_, version, payload)
    # The envelope's version is the payload's own: an old one was raised to it.
    return Envelope(event_id, seq, _KINDS[kind], type_, content.version, run_id, corr_id, causation_id, trace_id, ts, producer, content)


# --- runs, orders, fills ------------------------------------------------------------------------------------


def put_run(connection: Connection, run: Run) -> None:
    """Insert or update a run."""
    config = run.config
    body = _encode(run).decode()
    _PUT_RUN.run(connection, [run.id, run.status.value, config.mode.value, config.strategy_id, run.owner, run.created_ns, body])


def order_values(orders: Iterable[Order]) -> list[Any]:
    """Return the cells of orders; of an order that comes several times, the last."""
    values: list[Any] = []
    for order in {order.id: order for order in orders}.values():
        values += (order.id, order.run_id, order.request.symbol, order.status.value, order.created_ns, order.updated_ns)
        values.append(_encode(order).decode())
    return values


def put_orders(connection: Connection, values: list[Any]) -> None:
    """Insert or update the orders of `order_values`."""
    _PUT_ORDERS.run(connection, values)


def fill_values(fills: Iterable[Fill]) -> list[Any]:
    """Return the cells of fills."""
    values: list[Any] = []
    for fill in fills:
        values += (fill.id, fill.run_id, fill.order_id, fill.symbol, fill.time_ns, _encode(fill).decode())
    return values


def add_fills(connection: Connection, values: list[Any]) -> None:
    """Insert the fills of `fill_values` that are not there yet."""
    _ADD_FILLS.run(connection, values)


def delete_run(connection: Connection, run_id: str) -> None:
    """Remove a run, all rows that refer to it, and its events."""
    write_pending(connection)
    execute(connection, "DELETE FROM runs WHERE id = ?", (run_id,))
    delete_events(connection, OUTBOX.c.run_id == run_id, f"run {run_id}")
    connection.execute(delete(EVENT_HASHES).where(EVENT_HASHES.c.run_id == run_id))
    execute(connection, "DELETE FROM equity_marks WHERE run_id = ?", (run_id,))
    execute(connection, "DELETE FROM leases WHERE kind = ? AND name = ?", (LeaseKind.RUN.value, run_id))


def read_runs(connection: Connection) -> list[Run]:
    """Return all runs, newest first."""
    found = _all_pages(connection, _decode_runs, "runs", "ordinal > ?", ())
    found.sort(key=lambda row: (row[1].created_ns, row[0]), reverse=True)
    return [run for _, run in found]


def read_run(connection: Connection, run_id: str) -> Run | None:
    """Return one run."""
    row = execute(connection, "SELECT body FROM runs WHERE id = ?", (run_id,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Run)


def read_orders(connection: Connection, run_id: str) -> list[Order]:
    """Return a run's orders in the order they were made."""
    return [order for _, order in orders_after(connection, run_id, 0)]


def read_fills(connection: Connection, run_id: str) -> list[Fill]:
    """Return a run's fills, oldest first."""
    fills = [fill for _, fill in fills_after(connection, run_id, 0)]
    fills.sort(key=lambda fill: fill.time_ns)
    return fills


def orders_after(connection: Connection, run_id: str, ordinal: int) -> list[tuple[int, Order]]:
    """Return a run's orders after one, in the order they were made, with their numbers."""
    return _all_pages(connection, _decode_orders, "orders", "ordinal > ? AND run_id = ?", (run_id,), ordinal)


def fills_after(connection: Connection, run_id: str, ordinal: int) -> list[tuple[int, Fill]]:
    """Return a run's fills after one, in the order they were stored, with their numbers."""
    return _all_pages(connection, _decode_fills, "fills", "ordinal > ? AND run_id = ?", (run_id,), ordinal)


def _all_pages(
    connection: Connection, decode: Any, table: str, where: str, values: tuple[Any, ...], after: int = 0
) -> list[tuple[int, Any]]:
    sql = database_of(connection).sql
    source = f"FROM (SELECT ordinal, body FROM {table} WHERE {where} ORDER BY ordinal LIMIT {PAGE}) AS page"  # noqa: S608
    found: list[tuple[int, Any]] = []
    while True:
        rows = sql.bodies(connection, source, (found[-1][0] if found else after, *values), decode)
        found += sorted(rows, key=_ordinal)
        if len(rows) < PAGE:
            return found


def _ordinal(row: tuple[int, Any]) -> int:
    return row[0]


# --- results ------------------------------------------------------------------------------------------------


class _Line(msgspec.Struct):
    name: str
    symbol: str
    pane: str


class _ResultBody(msgspec.Struct):
    trades: list[msgspec.Raw]
    """A page of trades each; see `PAGE`."""
    open_positions: tuple[Position, ...]
    rejections: tuple[Rejection, ...]
    plots: list[_Line]
    state: dict[str, Any] | None = None


def _pages_of(trades: tuple[Trade, ...]) -> list[tuple[Trade, ...]]:
    return [trades[first : first + PAGE] for first in range(0, len(trades), PAGE)]


def result_values(result: RunResult) -> list[Any]:
    """Return the cells of a result."""
    body = _ResultBody(
        trades=[msgspec.Raw(_encode(page)) for page in _pages_of(result.trades)],
        open_positions=result.open_positions,
        rejections=result.rejections,
        plots=[_Line(line.name, line.symbol, line.pane) for line in result.plots],
        state=result.state,
    )
    arrays = [result.equity_ns, result.equity]
    for line in result.plots:
        arrays += [line.start_ns, line.values]
    return [result.run_id, _encode(result.stats).decode(), _encode(body).decode(), pack(arrays)]


def put_result(connection: Connection, values: list[Any]) -> None:
    """Insert or replace the result of `result_values`."""
    _PUT_RESULT.run(connection, values)


def read_result(connection: Connection, run_id: str) -> RunResult | None:
    """Return a run's result. Raises DamagedArrays."""
    row = execute(connection, "SELECT stats, body, arrays FROM results WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else result_of(run_id, row[0], row[1], row[2])


def result_of(run_id: str, stats: str, stored_body: str, arrays: bytes) -> RunResult:
    """Return the result of the cells of `result_values`. Raises DamagedArrays."""
    body = msgspec.json.decode(stored_body, type=_ResultBody)
    equity_ns, equity, *lines = unpack(arrays)
    return RunResult(
        run_id=run_id,
        stats=msgspec.json.decode(stats, type=dict[str, float | None]),
        equity_ns=equity_ns,
        equity=equity,
        trades=tuple(trade for page in body.trades for trade in _decode_trades(page)),
        open_positions=body.open_positions,
        rejections=body.rejections,
        plots=tuple(
            PlotLine(name=line.name, symbol=line.symbol, pane=line.pane, start_ns=lines[2 * index], values=lines[2 * index + 1])
            for index, line in enumerate(body.plots)
        ),
        state=body.state,
    )
