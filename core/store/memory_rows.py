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
from core.model.run import Run
from core.store import paper, rows
from core.store.arrays import pack, unpack_bars
from core.store.bar_hash import chunks_of
from core.store.merging import joined
from core.store.tables import (
    BAR_CHUNKS,
    BAR_SETS,
    CORPORATE_ACTIONS,
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
    bars: list[tuple[BarSet, BarSeries]] = field(default_factory=list)
    actions: list[CorporateAction] = field(default_factory=list)
    paper: list[AccountBooks] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.events or self.runs or self.bars or self.actions or self.paper)


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
        }

    def take(self, table: str, row: dict[str, Any]) -> None:
        """Take one row, by column. Tables that memory has no use for are passed over."""
        take = self._take.get(table)
        if take is not None:
            take(row)

    def finish(self) -> MemoryContents:
        """Return all of it."""
        for set_id, held in self._sets.items():
            chunks = self._chunks.get(set_id)
            empty = BarSeries.empty(held.key.symbol, Timeframe.parse(held.key.timeframe))
            self.contents.bars.append((held, joined(chunks) if chunks else empty))
        for of_account in self._paper.values():
            self.contents.paper.append(AccountBooks(**of_account))
        return self.contents

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
