"""Every port of the engine, on one page: what core needs from outside, named for what it needs it for."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol, Self

from core.account_rows import AccountRows, AccountWork
from core.events.envelope import Envelope
from core.model.broker import (
    Account,
    AccountName,
    AdapterInfo,
    Asset,
    BrokerOrder,
    BrokerOrderRequest,
    BrokerPosition,
    Execution,
    MarketClock,
    MayLeave,
    OrderChange,
    OrderUpdate,
    Print,
    Quote,
    SessionDay,
    StreamStatus,
    Tick,
    Watch,
)
from core.model.broker_entry import BrokerEntry
from core.model.care import Archive, ChainReport, CheckReport, Transfer, Vacuum
from core.model.corporate_action import ActionMerge, CorporateAction
from core.model.desk import Desk, DeskSeen, Lease, LeaseKind
from core.model.hand import TradingAccount
from core.model.market import Adjustment, AssetClass, BarSeries, BarSet, BarSetKey, MergeReport, Timeframe
from core.model.order import Fill, Order
from core.model.paper import AccountBooks, PaperChange
from core.model.plugin import StrategyInfo
from core.model.result import Progress, RunResult
from core.model.retention import EventClass
from core.model.risk import EquityMark
from core.model.run import Run

Callback = Callable[[Envelope], None]
"""Called in the loop's thread, in seq order, after the event is committed. Must return at once."""

OnProgress = Callable[[Progress], None]
"""Called in the loop's thread, a few times a second at most."""


class Clock(Protocol):
    """The only source of time."""

    def now_ns(self) -> int:
        """Return the present instant, UTC ns."""
        ...

    def monotonic_ns(self) -> int:
        """Return a reading that never goes back; only differences mean anything."""
        ...

    def elapsed_ns(self) -> int:
        """Return a reading that never goes back and goes on while the machine sleeps; only differences mean anything."""
        ...


class Subscription(Protocol):
    """A live subscription: a context manager that ends it. Ending twice is harmless."""

    owner: str

    def close(self) -> None:
        """End it; no callback comes after this returns."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class EventLog(Protocol):
    """One log, several homes. A subscriber cannot tell them apart."""

    async def append(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        """Commit `events` in order and return them with their seq; subscribers are told afterwards.

        Raises BugError for an unregistered payload; then nothing is appended.
        """
        ...

    def announce(self, events: Sequence[Envelope]) -> None:
        """Tell subscribers of ephemeral events. Nothing is stored; seq stays 0."""
        ...

    async def read(self, *, after_seq: int = 0, run_id: str | None = None, pattern: str = "*", limit: int = 1_000) -> list[Envelope]:
        """Return up to `limit` stored events after `after_seq`, oldest first, whose type fits `pattern` (`orders.*`)."""
        ...

    async def read_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        """Return the newest `limit` stored events before `before_seq` (None: of all), oldest first, whose type fits `pattern`."""
        ...

    async def offset(self, consumer: str) -> int:
        """Return the seq up to which a consumer has acted; 0 for one that never did."""
        ...

    async def find(self, seq: int) -> Envelope | None:
        """Return the stored event with this seq."""
        ...

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> Subscription:
        """Call `callback` for every later event whose type fits `pattern` (`*`, `orders.*`, `run.Created`)."""
        ...

    def wanted(self, wire_type: str, run_id: str | None = None) -> bool:
        """Tell whether anybody listens to this type of this run (None: of any run). What nobody wants need not be made."""
        ...

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the live subscriptions; tests count them back to zero."""
        ...


class UnitOfWork(AccountWork, Protocol):
    """Rows and events that are committed together, or not at all."""

    def fence(self, lease: Lease) -> None:
        """Commit only while `lease` is held; leaving the block raises LeaseLost where another has taken over."""
        ...

    def advance(self, consumer: str, after_seq: int, seq: int) -> None:
        """Move a consumer's offset from `after_seq` to `seq`; leaving the block raises OffsetMoved where it is not there any more."""
        ...

    def unless_stored(self, event: Envelope) -> None:
        """Commit only while `event`, of this id and run, is not in the log; leaving the block raises AlreadyStored where it is.

        A commit that is under way is waited for: what is not there then never will be.
        """
        ...

    def put_run(self, run: Run) -> None:
        """Insert or update the run's row."""
        ...

    def put_orders(self, orders: Sequence[Order]) -> None:
        """Insert or update the orders' rows."""
        ...

    def add_fills(self, fills: Sequence[Fill]) -> None:
        """Insert fills. A fill id that is already there is left as it is."""
        ...

    def put_result(self, result: RunResult) -> None:
        """Insert or replace the result of a run."""
        ...

    def delete_run(self, run_id: str) -> None:
        """Remove a run with its orders, fills, result and events."""
        ...

    def put_equity_mark(self, mark: EquityMark) -> None:
        """Insert or replace what the losses of a run or an account are counted from."""
        ...

    def append(self, events: Sequence[Envelope]) -> None:
        """Append events; their subscribers are told after the commit."""
        ...


class Rows(Protocol):
    """Where what happened is put: the store's runs, as far as this desk may write to them; or somebody who only looks at it."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work."""
        ...


class RunStore(AccountRows, Protocol):
    """Runs, orders, fills and results, as committed."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work: leaving the block commits all of it, then tells subscribers; an exception commits nothing."""
        ...

    async def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        ...

    async def run(self, run_id: str) -> Run | None:
        """Return one run."""
        ...

    async def orders(self, run_id: str) -> list[Order]:
        """Return a run's orders in the order they were made."""
        ...

    async def fills(self, run_id: str) -> list[Fill]:
        """Return a run's fills, oldest first."""
        ...

    async def result(self, run_id: str) -> RunResult | None:
        """Return a run's result, or None while it has none."""
        ...

    async def equity_mark(self, owner: str) -> EquityMark | None:
        """Return what the losses of a run (its id) or an account (its key) are counted from, or None while nothing is."""
        ...


class BarStore(Protocol):
    """Stored bars, by set."""

    async def sets(self) -> list[BarSet]:
        """Return what is stored, by symbol and timeframe."""
        ...

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """Return the bars that start in `[start_ns, end_ns)`; empty when there are none."""
        ...

    async def merge(self, key: BarSetKey, bars: BarSeries, *, simulated: bool = False) -> MergeReport:
        """Add `bars` in one transaction; identical bars are a no-op, different ones replace and are counted. Raises SealedBars."""
        ...

    async def delete(self, key: BarSetKey) -> bool:
        """Remove a set; False when there was none. Raises SealedBars."""
        ...

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet | None:
        """Make a set immutable, or open it again, and return it as it is then; None when there is none."""
        ...


class CorporateActionStore(Protocol):
    """Stored splits and dividends. A symbol has one split and one dividend a day at most."""

    async def put(self, actions: Sequence[CorporateAction]) -> ActionMerge:
        """Add `actions` in one transaction; an identical one is a no-op, another value replaces and is counted.

        Raises BugError when two of them are of one symbol, day and kind.
        """
        ...

    async def read(self, symbol: str) -> tuple[CorporateAction, ...]:
        """Return a symbol's actions by day, the split of a day before its dividend."""
        ...

    async def read_all(self) -> tuple[CorporateAction, ...]:
        """Return all of them, by symbol and day."""
        ...

    async def delete(self, symbol: str) -> int:
        """Remove a symbol's actions; return how many there were."""
        ...


class PaperBooks(Protocol):
    """What accounts inside the program hold, as committed."""

    async def load(self, account_id: str) -> AccountBooks | None:
        """Return all of an account, every change in it that was asked for before; None when there is no such account."""
        ...

    async def save(self, change: PaperChange) -> None:
        """Commit a change, all of it or nothing. Raises BooksMoved unless it follows the revision that is stored."""
        ...


class StoreCare(Protocol):
    """Looking after a store. `on_progress` is called in the loop's thread; a cancelled call changes nothing."""

    async def check(self, on_progress: OnProgress) -> CheckReport:
        """Look at every row: sequences, references, what can be read, hashes of bars and events. Changes nothing."""
        ...

    async def export_to(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Write everything to one portable file, all of it or nothing. Raises StoreError, DiskFull."""
        ...

    async def import_from(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Read everything from such a file into a store that holds nothing. Raises UnreadableFile, DatabaseNewer, StoreError."""
        ...

    async def archive(self, kind: EventClass, before_ns: int, folder: Path, on_progress: OnProgress) -> Archive | None:
        """Move events of a class that are older than `before_ns` to a file, and return it; None when there are none.

        They are deleted once the file is complete, on the disk, and was read again. Raises StoreError, DiskFull.
        """
        ...

    async def restore_archive(self, path: Path, on_progress: OnProgress) -> Archive:
        """Put the events of an archive back at their numbers, all of it or nothing; return it with the count of those that came back.

        Raises UnreadableFile, InputError for a file that is none of this store's archives, StoreError.
        """
        ...

    async def archives(self) -> list[Archive]:
        """Return the files that events were moved to, oldest first."""
        ...

    async def vacuum(self) -> Vacuum:
        """Give unused space back. Raises DatabaseBusy."""
        ...

    async def verify_chain(self, run_id: str, on_progress: OnProgress) -> ChainReport:
        """Compare the events of a run with the chain of their hashes, up to the first that was changed."""
        ...


class Leases(Protocol):
    """Who may act, one process of one desk at a time. Time is the store's own: a desk's clock may be wrong by minutes."""

    async def acquire(self, kind: LeaseKind, name: str, ttl_s: float) -> Lease:
        """Take a lease that is free, expired, offered to this desk, or of a process of it that is gone. Raises HeldElsewhere."""
        ...

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """Renew what is still held, say that this desk is there, and return what is lost."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back; harmless when it is lost."""
        ...

    async def offer(self, lease: Lease, desk_id: str | None) -> None:
        """Let another desk take it at once; None takes the offer back. Raises LeaseLost."""
        ...

    async def held(self, kind: LeaseKind) -> Sequence[Lease]:
        """Return who holds what, and whose lease has expired and was not taken yet."""
        ...

    async def desks(self) -> Sequence[DeskSeen]:
        """Return the desks that were ever here, by name."""
        ...


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


class StrategySource(Protocol):
    """Finds plug-ins without importing them, and loads one for a run."""

    def find_all(self) -> Mapping[str, StrategyInfo]:
        """Return every plug-in on disk by id, broken ones too."""
        ...

    def load(self, info: StrategyInfo) -> type:
        """Import the plug-in's file and return its class. Raises StrategyBroken."""
        ...

    def loaded_sha256(self, strategy_class: type) -> str:
        """Return the hash of the source that a class returned by `load` was made from."""
        ...


class BrokerAccount(Protocol):
    """What an account holds, and what happened in it."""

    async def account(self) -> Account:
        """Return the account's money."""
        ...

    async def positions(self) -> list[BrokerPosition]:
        """Return its holdings, by symbol."""
        ...

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        """Return executions, oldest first, all pages: after a `page_token`, or from an instant on."""
        ...

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        """Return what moved its money or units without an execution, oldest first, after the entry of that id; None: all.

        Some of before may come again: an id is taken once. A broker whose adapter reads none has none here: what a split does is told.
        """
        ...


class BrokerOrderReader(Protocol):
    """The orders of an account, legs inside their parent."""

    async def open_orders(self) -> list[BrokerOrder]:
        """Return every order that is not final, newest first."""
        ...

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        """Return every order submitted at or after an instant, whatever became of it, newest first."""
        ...

    async def order(self, id: str) -> BrokerOrder | None:
        """Return an order by the broker's id; None when it has none."""
        ...

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order by our id; None when the broker never took one: what answers an `OutcomeUnknown`."""
        ...


class BrokerOrderDesk(Protocol):
    """Sends orders. Each request leaves once: nothing here is ever sent again by itself.

    All raise BrokerRefused, KeysRefused, RateLimited and BrokerUnreachable when the broker took nothing, and
    OutcomeUnknown when nobody can tell. `may_leave` is asked last of all; where it says no, NotSent is raised and nothing has left.
    """

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        """Send an order; return it as the broker took it."""
        ...

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        """Ask for other terms; return the new order that the broker makes of it. A fill may come first."""
        ...

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel; that it was asked for is all this tells. The order may still fill."""
        ...

    async def cancel_all(self) -> list[str]:
        """Ask for the cancel of every open order; return the broker's ids of those that it would not cancel."""
        ...

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        """Send a market order of ours that closes a position, or `qty` of it (unsigned)."""
        ...


class BrokerMarket(Protocol):
    """What a broker trades, and when."""

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        """Return what can be traded, by symbol."""
        ...

    async def clock(self) -> MarketClock:
        """Return the broker's clock."""
        ...

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        """Return the exchange's sessions of these dates, both included."""
        ...

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        """Return the newest quotes; a symbol without one is not in it."""
        ...

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        """Return the newest trades; a symbol without one is not in it."""
        ...


class BarHistory(Protocol):
    """A broker's historical bars."""

    def source_of(self, symbol: str, feed: str | None) -> str:
        """Return the name under which bars of this feed are stored; feeds never share one. Raises InvalidValue for an unknown feed."""
        ...

    def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        """Yield the bars that start in `[start_ns, end_ns)` in pages, oldest first. An interval without a trade has no bar.

        Raises InvalidValue for a timeframe that the broker does not have.
        """
        ...


class BrokerStreams(Protocol):
    """What a broker tells by itself. Each call goes on, over every reconnect, until its task is cancelled.

    Callbacks are called in the loop's thread and must return at once. Raises KeysRefused and BrokerRefused: what no
    second attempt would change.
    """

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: Callable[[StreamStatus], None]) -> None:
        """Tell of every order of the account, whoever sent it."""
        ...

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        """Tell of bars, quotes and trades."""
        ...


class Broker(Protocol):
    """A connection to one account of one broker. What it offers is in its adapter's features."""

    @property
    def account(self) -> BrokerAccount: ...
    @property
    def orders(self) -> BrokerOrderReader: ...
    @property
    def desk(self) -> BrokerOrderDesk: ...
    @property
    def market(self) -> BrokerMarket: ...
    @property
    def history(self) -> BarHistory: ...
    @property
    def streams(self) -> BrokerStreams: ...

    async def close(self) -> None:
        """End every request and let go of every connection."""
        ...


class LiveClock(Clock, Protocol):
    """A clock that goes on by itself, and that one can wait for."""

    @property
    def speed(self) -> float:
        """How many times as fast as real time it goes."""
        ...

    async def sleep_until(self, instant_ns: int) -> int:
        """Return at `instant_ns` and never before it, over sleep and steps of the clock; with how many ns later it is."""
        ...


class BrokerSource(Protocol):
    """The brokers that a run can trade through, by the id of their adapter."""

    async def accounts(self) -> Sequence[TradingAccount]:
        """Return the accounts there are, with what keeps one from being used; nothing is connected."""
        ...

    def info(self, broker_id: str) -> AdapterInfo:
        """Return what a broker declares. Raises UnknownName."""
        ...

    def clock(self, broker_id: str) -> LiveClock:
        """Return the time in which its market lives: real time, but for a simulated one."""
        ...

    def outlives_program(self, broker_id: str) -> bool:
        """Tell whether its account goes on when the program ends."""
        ...

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """Connect to an account for the length of the block. Raises BrokerError, UnknownName."""
        ...
