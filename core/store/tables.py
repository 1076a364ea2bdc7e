"""The tables. A column for what is asked for by value; the rest of a row is its JSON `body`.

Times are UTC ns. A change here goes with a migration; a test compares the two.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column of type INTEGER, which holds 64 bits there.
_Ordinal = BigInteger().with_variant(Integer(), "sqlite")


def _ordinal() -> Column[int]:
    return Column("ordinal", _Ordinal, primary_key=True, autoincrement=True)


def _run_id() -> Column[str]:
    return Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False)


LOG_HEAD: Final = Table(
    "log_head",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
"""One row: the last seq given out. Writers lock it, so seq order is commit order, and a seq is never given twice."""

LOUD: Final = ("backtest.PlaceOrder", "orders.Accepted", "orders.Cancelled", "orders.Created", "orders.Filled", "strategy.PlaceRequest")
QUIET: Final = f"type NOT IN ({', '.join(repr(name) for name in LOUD)})"
"""Types that runs store by the thousand are left out of the index by type: they would pay for it, and are found without."""

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("seq", _Ordinal, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("run_id", Text),
    Column("corr_id", Text, nullable=False),
    Column("causation_id", Text),
    Column("trace_id", Text),
    Column("ts", BigInteger, nullable=False),
    Column("producer", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_outbox_run_id_seq", "run_id", "seq"),
    Index("ix_outbox_type_seq", "type", "seq", sqlite_where=text(QUIET), postgresql_where=text(QUIET)),
)

DELETED_SEQS: Final = Table(
    "deleted_seqs",
    METADATA,
    Column("first_seq", _Ordinal, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
"""Ranges of events that were deleted: a hole in the sequence can be told from a loss. `why`: `run ID`, `archive NAME`, `earlier`."""

ARCHIVES: Final = Table(
    "archives",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)
"""Files that events were moved to; a row is written in the transaction that deletes them."""

EVENT_HASHES: Final = Table(
    "event_hashes",
    METADATA,
    Column("seq", _Ordinal, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Index("ix_event_hashes_run_id_seq", "run_id", "seq"),
)
"""The chained hash of each event of a run that was stored while hash chains were kept; see `core.store.hash_chain`."""

CONSUMER_OFFSETS: Final = Table(
    "consumer_offsets",
    METADATA,
    Column("consumer", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
)

EQUITY_MARKS: Final = Table(
    "equity_marks",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("peak", Text, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("day_start", Text, nullable=False),
)
"""What losses are counted from, as of the event `seq`; money as exact decimals. `run_id`: of a run, or the key of an account."""

ACCOUNT_SNAPSHOTS: Final = Table(
    "account_snapshots",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""What the orders of an account's runs had come to when they were folded last, and how far that went; made anew if missing."""

RUNS: Final = Table(
    "runs",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("owner", Text),
    Column("created_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

ORDERS: Final = Table(
    "orders",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    _run_id(),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_orders_run_id_ordinal", "run_id", "ordinal"),
)

FILLS: Final = Table(
    "fills",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    _run_id(),
    Column("order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_fills_run_id_ordinal", "run_id", "ordinal"),
)

RESULTS: Final = Table(
    "results",
    METADATA,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("stats", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("arrays", LargeBinary, nullable=False),
)

BAR_SETS: Final = Table(
    "bar_sets",
    METADATA,
    Column("id", _Ordinal, primary_key=True, autoincrement=True),
    Column("symbol", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("adjustment", Text, nullable=False),
    Column("bars", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("sha256", Text),
    Column("sealed", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("symbol", "timeframe", "source", "adjustment"),
    sqlite_autoincrement=True,
)
"""`revision` goes up with every change; with an id that is never given twice it tells whether a set is still the one that was read.
`sha256` is of its bars, see `core.store.bar_hash`; null where it was last written before hashes were kept. A sealed set stays as it is.
"""

BAR_CHUNKS: Final = Table(
    "bar_chunks",
    METADATA,
    Column("set_id", _Ordinal, ForeignKey("bar_sets.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("bars", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("sha256", Text),
)
"""Columns of bars, compressed; see `core.store.arrays`. `period` numbers spans of equal length since 1970."""

CORPORATE_ACTIONS: Final = Table(
    "corporate_actions",
    METADATA,
    Column("symbol", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Splits and dividends. `day` counts from 1970 in the exchange's dates; `value` is an exact decimal."""

DESKS: Final = Table(
    "desks",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
)
"""`seen_ms` is of the database's clock."""

LEASES: Final = Table(
    "leases",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("desk_id", Text, nullable=False),
    Column("desk_name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("offered_to", Text),
)
"""A row stays when its lease is given back, with the time of its expiry gone by: its epoch never goes down."""

COMMIT_MARKS: Final = Table(
    "commit_marks",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)
"""The last transaction that each program committed to a server: it tells what became of a commit whose answer was lost."""


def _account_id() -> Column[str]:
    return Column("account_id", Text, ForeignKey("paper_accounts.id"), nullable=False)


PAPER_ACCOUNTS: Final = Table(
    "paper_accounts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""Accounts inside the program. `revision` goes up with every change: of two who change it at once, one is refused."""

PAPER_ORDERS: Final = Table(
    "paper_orders",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    _account_id(),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("submitted_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("account_id", "client_order_id"),
    Index("ix_paper_orders_account_id_ordinal", "account_id", "ordinal"),
)

PAPER_EXECUTIONS: Final = Table(
    "paper_executions",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    _account_id(),
    Column("order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_paper_executions_account_id_ordinal", "account_id", "ordinal"),
)

PAPER_ENTRIES: Final = Table(
    "paper_entries",
    METADATA,
    _ordinal(),
    Column("id", Text, nullable=False, unique=True),
    _account_id(),
    Column("kind", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_paper_entries_account_id_ordinal", "account_id", "ordinal"),
)
"""What moved an account's money or units without an execution: the deposit it began with, splits, dividends."""
