"""What the memory store holds as rows of the tables, and back: a file of everything is the same from any store."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Table

from core.events.codec import EventCodec
from core.events.envelope import Envelope, Kind
from core.model.corporate_action import ActionKind, CorporateAction, identity_of, make_action, value_of
from core.model.market import Adjustment, BarSeries, BarSet, BarSetKey, Timeframe, bars_sha256
from core.model.order import Fill, Order
from core.model.paper import AccountBooks, PaperAccount
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run
from core.store import paper, rows
from core.store.arrays import pack, unpack_bars
from core.store.bar_hash import chunks_of
from core.store.equity_marks import equity_mark_of
from core.store.hash_chain import first_hash, next_hash
from core.store.memory_carried import Carried
from core.store.merging import joined
from core.store.tables import (
    ARCHIVES,
    BAR_CHUNKS,
    BAR_SETS,
    CONSUMER_OFFSETS,
    CORPORATE_ACTIONS,
    DELETED_SEQS,
    EQUITY_MARKS,
    EVENT_HASHES,
    FILLS,
    LOG_HEAD,
    ORDERS,
    OUTBOX,
    PAPER_ACCOUNTS,
    PAPER_ENTRIES,
    PAPER_EXECUTIONS,
    PAPER_ORDERS,
    RESULTS,
    RUNS,
)

Row = Sequence[Any]


@dataclass(kw_only=True)
class MemoryContents:
    """All that a memory store holds."""

    head: int = 0
    events: list[Envelope] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    results: list[RunResult] = field(default_factory=list)
    equity_marks: list[EquityMark] = field(default_factory=list)
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    deleted: list[tuple[int, int, str]] = field(default_factory=list)
    carried: Carried = field(default_factory=Carried)
    hash_chain: bool = False
    bars: list[tuple[BarSet, BarSeries]] = field(default_factory=list)
    actions: list[CorporateAction] = field(default_factory=list)
    paper: list[AccountBooks] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.events or self.runs or self.bars or self.actions or self.paper or self.deleted or self.offsets)


# --- to rows ----------------------------------------------------------------------------------------------


def rows_of(contents: MemoryContents, table: str, codec: EventCodec) -> Iterator[Row]:
    """Yield the rows of a table, cells in the order of its columns."""
    make = _TO_ROWS.get(table)
    return iter(()) if make is None else make(contents, codec)


def _events(contents: MemoryContents, codec: EventCodec) -> Iterator[Row]:
    for event in contents.events:
        head = (event.seq, event.id, event.kind.value, event.type, event.version, event.run_id, event.corr_id)
        yield *head, event.causation_id, event.trace_id, event.ts, event.producer, codec.encode(event).decode()


def _runs(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for ordinal, run in enumerate(contents.runs, 1):
        config = run.config
        yield ordinal, run.id, run.status.value, config.mode.value, config.strategy_id, run.owner, run.created_ns, _text(run)


def _numbered(items: Iterable[Any], values: Callable[[Iterable[Any]], list[Any]]) -> Iterator[Row]:
    for ordinal, item in enumerate(items, 1):
        yield ordinal, *values((item,))


def _bar_sets(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for number, (held, _) in enumerate(contents.bars, 1):
        key = held.key
        name = (number, key.symbol, key.timeframe, key.source, key.adjustment.value)
        yield *name, held.bars, held.first_ns, held.last_ns, held.updated_ns, 1, held.simulated, held.sha256, held.sealed


def _bar_chunks(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for number, (_, bars) in enumerate(contents.bars, 1):
        for period, chunk in chunks_of(bars):
            starts = chunk.start_ns
            data = pack([starts, *chunk.columns()])
            yield number, period, int(starts[0]), int(starts[-1]), len(chunk), data, bars_sha256(chunk)


def _actions(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for action in contents.actions:
        symbol, day, kind = identity_of(action)
        yield symbol, day, kind.value, str(value_of(action))


def _of_accounts(
    contents: MemoryContents, items: Callable[[AccountBooks], Iterable[Any]], values: Callable[[str, Any], list[Any]]
) -> Iterator[Row]:
    every = ((books.account.id, item) for books in contents.paper for item in items(books))
    for ordinal, (account_id, item) in enumerate(every, 1):
        yield ordinal, *values(account_id, item)


def _offsets(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for consumer, (seq, updated_ns) in sorted(contents.offsets.items()):
        yield consumer, seq, updated_ns


def _equity_marks(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for mark in sorted(contents.equity_marks, key=lambda one: one.owner):
        yield mark.owner, mark.seq, str(mark.peak), mark.day, str(mark.day_start)


def _archives(contents: MemoryContents, _codec: EventCodec) -> Iterator[Row]:
    for row in contents.carried.archives:
        yield [row[name] for name in ARCHIVES.columns.keys()]  # noqa: SIM118 - a collection of columns, not a dict


def _event_hashes(contents: MemoryContents, codec: EventCodec) -> Iterator[Row]:
    """Yield the hashes that came, but for those of deleted runs, and those of what was stored since while chains are kept."""
    deleted_to: dict[str, int] = {}
    for _, last, why in contents.deleted:
        if why.startswith("run "):
            run_id = why.removeprefix("run ")
            deleted_to[run_id] = max(last, deleted_to.get(run_id, 0))
    newest: dict[str, str] = {}
    for row in contents.carried.hashes:
        if row["seq"] > deleted_to.get(row["run_id"], 0):
            newest[row["run_id"]] = row["sha256"]
            yield row["seq"], row["run_id"], row["sha256"]
    if contents.hash_chain:
        for cells in _events(contents, codec):
            seq, run_id = cells[0], cells[5]
            if seq > contents.carried.head and run_id is not None:
                newest[run_id] = next_hash(newest.get(run_id) or first_hash(run_id), cells)
                yield seq, run_id, newest[run_id]


_TO_ROWS: Final[Mapping[str, Callable[[MemoryContents, EventCodec], Iterator[Row]]]] = {
    LOG_HEAD.name: lambda contents, _: iter([(1, contents.head)]),
    OUTBOX.name: _events,
    RUNS.name: _runs,
    ORDERS.name: lambda contents, _: _numbered(contents.orders, rows.order_values),
    FILLS.name: lambda contents, _: _numbered(contents.fills, rows.fill_values),
    RESULTS.name: lambda contents, _: (rows.result_values(result) for result in contents.results),
    BAR_SETS.name: _bar_sets,
    BAR_CHUNKS.name: _bar_chunks,
    CORPORATE_ACTIONS.name: _actions,
    PAPER_ACCOUNTS.name: lambda contents, _: (paper.account_values(books.account) for books in contents.paper),
    PAPER_ORDERS.name: lambda contents, _: _of_accounts(contents, lambda books: books.orders, paper.order_values),
    PAPER_EXECUTIONS.name: lambda contents, _: _of_accounts(contents, lambda books: books.executions, paper.execution_values),
    PAPER_ENTRIES.name: lambda contents, _: _of_accounts(contents, lambda books: books.entries, paper.entry_values),
    CONSUMER_OFFSETS.name: _offsets,
    DELETED_SEQS.name: lambda contents, _: iter(sorted(contents.deleted)),
    EQUITY_MARKS.name: _equity_marks,
    ARCHIVES.name: _archives,
    EVENT_HASHES.name: _event_hashes,
}


# --- from rows --------------------------------------------------------------------------------------------


class MemoryLoader:
    """Takes the rows of the tables, those that are referred to first, and gives what a memory store holds."""

    def __init__(self, codec: EventCodec) -> None:
        self._codec = codec
        self.contents: Final = MemoryContents()
        self._sets: dict[int, BarSet] = {}
        self._chunks: dict[int, list[BarSeries]] = {}
        self._paper: dict[str, dict[str, Any]] = {}
        self._take: Final[Mapping[str, Callable[[dict[str, Any]], None]]] = {
            LOG_HEAD.name: self._take_head,
            OUTBOX.name: lambda row: self.contents.events.append(event_of(row, codec)),
            RUNS.name: lambda row: self.contents.runs.append(msgspec.json.decode(row["body"], type=Run)),
            ORDERS.name: lambda row: self.contents.orders.append(msgspec.json.decode(row["body"], type=Order)),
            FILLS.name: lambda row: self.contents.fills.append(msgspec.json.decode(row["body"], type=Fill)),
            RESULTS.name: self._take_result,
            BAR_SETS.name: self._take_set,
            BAR_CHUNKS.name: self._take_chunk,
            CORPORATE_ACTIONS.name: self._take_action,
            PAPER_ACCOUNTS.name: self._take_account,
            PAPER_ORDERS.name: lambda row: self._take_of_account("orders", PAPER_ORDERS, row),
            PAPER_EXECUTIONS.name: lambda row: self._take_of_account("executions", PAPER_EXECUTIONS, row),
            PAPER_ENTRIES.name: lambda row: self._take_of_account("entries", PAPER_ENTRIES, row),
            CONSUMER_OFFSETS.name: self._take_offset,
            DELETED_SEQS.name: lambda row: self.contents.deleted.append((row["first_seq"], row["last_seq"], row["why"])),
            EQUITY_MARKS.name: lambda row: self.contents.equity_marks.append(equity_mark_of(**row)),
            ARCHIVES.name: self.contents.carried.archives.append,
            EVENT_HASHES.name: self.contents.carried.hashes.append,
        }

    def take(self, table: str, row: dict[str, Any]) -> None:
        """Take one row, by column. Tables that memory has no use for are passed over."""
        take = self._take.get(table)
        if take is not None:
            take(row)

    def finish(self) -> MemoryContents:
        """Return all of it."""
        self.contents.carried.head = self.contents.head
        for set_id, held in self._sets.items():
            chunks = self._chunks.get(set_id)
            empty = BarSeries.empty(held.key.symbol, Timeframe.parse(held.key.timeframe))
            self.contents.bars.append((held, joined(chunks) if chunks else empty))
        for of_account in self._paper.values():
            self.contents.paper.append(AccountBooks(**of_account))
        return self.contents

    def _take_offset(self, row: dict[str, Any]) -> None:
        self.contents.offsets[row["consumer"]] = row["seq"], row["updated_ns"]

    def _take_head(self, row: dict[str, Any]) -> None:
        self.contents.head = row["seq"]

    def _take_result(self, row: dict[str, Any]) -> None:
        cells = row["run_id"], row["stats"], row["body"], _bytes(row["arrays"])
        self.contents.results.append(rows.result_of(*cells))

    def _take_set(self, row: dict[str, Any]) -> None:
        key = BarSetKey(symbol=row["symbol"], timeframe=row["timeframe"], source=row["source"], adjustment=Adjustment(row["adjustment"]))
        names = ("bars", "first_ns", "last_ns", "updated_ns", "simulated")
        self._sets[row["id"]] = BarSet(
            key=key, **{name: row[name] for name in names}, sha256=row.get("sha256"), sealed=row.get("sealed", False)
        )

    def _take_chunk(self, row: dict[str, Any]) -> None:
        key = self._sets[row["set_id"]].key
        start_ns, prices = unpack_bars(_bytes(row["data"]))
        series = BarSeries.from_columns(key.symbol, Timeframe.parse(key.timeframe), start_ns, *prices)
        self._chunks.setdefault(row["set_id"], []).append(series)

    def _take_account(self, row: dict[str, Any]) -> None:
        self._paper[row["id"]] = {"account": msgspec.json.decode(row["body"], type=PaperAccount)}

    def _take_of_account(self, name: str, table: Table, row: dict[str, Any]) -> None:
        of_account = self._paper[row["account_id"]]
        of_account[name] = (*of_account.get(name, ()), msgspec.json.decode(row["body"], type=paper.KINDS[table.name]))

    def _take_action(self, row: dict[str, Any]) -> None:
        self.contents.actions.append(make_action(ActionKind(row["kind"]), row["symbol"], row["day"], Decimal(row["value"])))


def event_of(row: dict[str, Any], codec: EventCodec) -> Envelope:
    """Return the event of a row, by column. Raises what `EventCodec.decode` raises."""
    payload = codec.decode(row["type"], row["version"], row["payload"])
    return Envelope(
        id=row["id"],
        seq=row["seq"],
        kind=Kind(row["kind"]),
        type=row["type"],
        version=payload.version,
        run_id=row["run_id"],
        corr_id=row["corr_id"],
        causation_id=row["causation_id"],
        trace_id=row["trace_id"],
        ts=row["ts"],
        producer=row["producer"],
        payload=payload,
    )


def _bytes(cell: str | bytes) -> bytes:
    return cell if isinstance(cell, bytes) else base64.b64decode(cell)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
