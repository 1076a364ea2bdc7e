"""Every event type of the program, one frozen class each, its wire name beside it.

Commands are imperative, events past tense. Times are UTC ns, money is Decimal, prices in quote currency.
"""

from decimal import Decimal
from typing import ClassVar

from core.events.envelope import Kind, Payload
from core.model.order import Order, OrderRequest, RejectCode
from core.model.run import Manifest, RunConfig, RunStatus

# --- run.* ------------------------------------------------------------------------------------------------


class RunCreated(Payload, frozen=True, kw_only=True):
    """A run exists and can be started."""

    wire: ClassVar[str] = "run.Created"
    config: RunConfig
    demo: bool = False


class RunStarted(Payload, frozen=True, kw_only=True):
    """The run's strategy and bars are loaded; the first bar follows."""

    wire: ClassVar[str] = "run.Started"
    manifest: Manifest
    bars_total: int
    owner: str | None = None
    """The process that runs it."""
    desk: str | None = None
    """The name of the desk that runs it."""


class RunResumed(Payload, frozen=True, kw_only=True):
    """A run that was interrupted goes on, with its own positions and cash; its orders were reconciled first."""

    wire: ClassVar[str] = "run.Resumed"
    manifest: Manifest
    owner: str | None = None
    """The process that runs it."""
    desk: str | None = None
    """The name of the desk that runs it."""


class RunProgressed(Payload, frozen=True, kw_only=True):
    """How far a run is; sent a few times a second."""

    wire: ClassVar[str] = "run.Progressed"
    durable: ClassVar[bool] = False
    shared: ClassVar[bool] = True
    bars: int
    bars_total: int
    time_ns: int
    equity: float
    elapsed_s: float


class RunCompleted(Payload, frozen=True, kw_only=True):
    """The run used up its bars; all its events are committed."""

    wire: ClassVar[str] = "run.Completed"
    bars: int
    elapsed_s: float
    end_equity: Decimal


class RunStopRequested(Payload, frozen=True, kw_only=True):
    """A person asked, in another process than the run's, for its end. The one that runs it stops it, if it is of the same desk."""

    wire: ClassVar[str] = "run.StopRequested"
    desk_id: str
    """The workstation where it was asked."""
    desk: str
    """Its name."""


class RunStopped(Payload, frozen=True, kw_only=True):
    """The run ended early because a person or its strategy asked for it."""

    wire: ClassVar[str] = "run.Stopped"
    bars: int
    reason: str


class RunError(Payload, frozen=True, kw_only=True):
    """The run failed."""

    wire: ClassVar[str] = "run.Error"
    code: str
    error: str


class RunInterrupted(Payload, frozen=True, kw_only=True):
    """The program ended while the run went on; found at the next start."""

    wire: ClassVar[str] = "run.Interrupted"
    was: RunStatus


class RunOffered(Payload, frozen=True, kw_only=True):
    """The desk that runs it lets another one take it over at once."""

    wire: ClassVar[str] = "run.Offered"
    desk: str
    """The name of the desk that runs it."""
    to: str | None
    """The name of the other one; None: the offer was taken back."""


class RunTakenOver(Payload, frozen=True, kw_only=True):
    """Another desk has the run from here on; it is interrupted once its orders were compared with the broker's."""

    wire: ClassVar[str] = "run.TakenOver"
    desk: str
    """The name of the desk that has it now."""
    was_at: str | None
    """The name of the one that ran it."""


class RunDeleted(Payload, frozen=True, kw_only=True):
    """The run and all that belongs to it was removed."""

    wire: ClassVar[str] = "run.Deleted"


# --- clock.*, data.* --------------------------------------------------------------------------------------


class ClockTick(Payload, frozen=True, kw_only=True):
    """A decision time: at least one subscribed bar ended."""

    wire: ClassVar[str] = "clock.Tick"
    durable: ClassVar[bool] = False
    time_ns: int
    symbols: tuple[str, ...]


class ClockLate(Payload, frozen=True, kw_only=True):
    """A decision was made later than it was due, in real ms: the machine was busy, or it slept."""

    wire: ClassVar[str] = "clock.Late"
    due_ns: int
    late_ms: float


class WindowReady(Payload, frozen=True, kw_only=True):
    """A window a strategy asked for: bars that ended at or before the tick."""

    wire: ClassVar[str] = "data.WindowReady"
    durable: ClassVar[bool] = False
    symbol: str
    timeframe: str
    bars: int
    first_ns: int | None
    last_ns: int | None
    last_close: float | None


class BarsImported(Payload, frozen=True, kw_only=True):
    """Bars of a file, a broker or the simulated market are stored."""

    wire: ClassVar[str] = "data.BarsImported"
    symbol: str
    timeframe: str
    source: str
    adjustment: str
    added: int
    identical: int
    changed: int


class BarsDownloaded(Payload, frozen=True, kw_only=True):
    """A broker was asked for bars that start in `[start_ns, end_ns)`, and what it has of them is stored: this need not be fetched again."""

    wire: ClassVar[str] = "data.BarsDownloaded"
    symbol: str
    timeframe: str
    source: str
    adjustment: str
    start_ns: int
    """From which start of a bar on it was asked for, UTC ns."""
    end_ns: int
    """Up to which, not included, UTC ns."""
    added: int
    identical: int
    changed: int


class BarsDeleted(Payload, frozen=True, kw_only=True):
    """A bar set was removed."""

    wire: ClassVar[str] = "data.BarsDeleted"
    symbol: str
    timeframe: str
    source: str
    adjustment: str


class BarsSealed(Payload, frozen=True, kw_only=True):
    """A bar set was made immutable, as it is: these bars with this hash."""

    wire: ClassVar[str] = "data.BarsSealed"
    symbol: str
    timeframe: str
    source: str
    adjustment: str
    bars: int
    sha256: str


class BarsUnsealed(Payload, frozen=True, kw_only=True):
    """A sealed bar set may be changed again."""

    wire: ClassVar[str] = "data.BarsUnsealed"
    symbol: str
    timeframe: str
    source: str
    adjustment: str


class CorporateActionsImported(Payload, frozen=True, kw_only=True):
    """Splits and dividends of a file are stored."""

    wire: ClassVar[str] = "data.CorporateActionsImported"
    symbols: tuple[str, ...]
    added: int
    identical: int
    changed: int


class CorporateActionsDeleted(Payload, frozen=True, kw_only=True):
    """A symbol's splits and dividends were removed."""

    wire: ClassVar[str] = "data.CorporateActionsDeleted"
    symbol: str
    removed: int


# --- strategy.* -------------------------------------------------------------------------------------------


class FetchWindow(Payload, frozen=True, kw_only=True):
    """The strategy asks for its last `bars` bars."""

    wire: ClassVar[str] = "strategy.FetchWindow"
    kind: ClassVar[Kind] = Kind.COMMAND
    durable: ClassVar[bool] = False
    symbol: str
    bars: int


class PlaceRequest(Payload, frozen=True, kw_only=True):
    """The strategy decided to place an order."""

    wire: ClassVar[str] = "strategy.PlaceRequest"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str
    request: OrderRequest
    bar_start_ns: int | None = None
    close: float | None = None
    """The newest bar of the symbol that the strategy could see, and its close: what it decided on."""
    size: str | None = None
    """The words in which the quantity was asked for, when not in units."""
    ref: str | None = None
    """The strategy's own name for the order, where it gave one."""


class CancelRequest(Payload, frozen=True, kw_only=True):
    """The strategy decided to cancel an order."""

    wire: ClassVar[str] = "strategy.CancelRequest"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str
    note: str | None = None


class ReplaceRequest(Payload, frozen=True, kw_only=True):
    """The strategy decided to change a working order; what is None stays."""

    wire: ClassVar[str] = "strategy.ReplaceRequest"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    note: str | None = None


class StrategyStateSaved(Payload, frozen=True, kw_only=True):
    """What the strategy of a paper or live run must know to go on after a restart, as JSON; told when it changed."""

    wire: ClassVar[str] = "strategy.StateSaved"
    state: str


class StrategyNoted(Payload, frozen=True, kw_only=True):
    """The strategy wrote a note."""

    wire: ClassVar[str] = "strategy.Noted"
    text: str


# --- backtest.* -------------------------------------------------------------------------------------------


class BacktestFetchWindow(Payload, frozen=True, kw_only=True):
    """The router passes a window request to the stored bars."""

    wire: ClassVar[str] = "backtest.FetchWindow"
    kind: ClassVar[Kind] = Kind.COMMAND
    durable: ClassVar[bool] = False
    symbol: str
    bars: int


class BacktestPlaceOrder(Payload, frozen=True, kw_only=True):
    """The router passes an order to the simulator."""

    wire: ClassVar[str] = "backtest.PlaceOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


class BacktestCancelOrder(Payload, frozen=True, kw_only=True):
    """The router passes a cancel to the simulator."""

    wire: ClassVar[str] = "backtest.CancelOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


class BacktestReplaceOrder(Payload, frozen=True, kw_only=True):
    """The router passes a change of an order to the simulator."""

    wire: ClassVar[str] = "backtest.ReplaceOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


# --- orders.* ---------------------------------------------------------------------------------------------


class OrderCreated(Payload, frozen=True, kw_only=True):
    """An order exists."""

    wire: ClassVar[str] = "orders.Created"
    order: Order


class OrderAccepted(Payload, frozen=True, kw_only=True):
    """The venue works the order."""

    wire: ClassVar[str] = "orders.Accepted"
    order_id: str


class OrderPartiallyFilled(Payload, frozen=True, kw_only=True):
    """A part of the order was executed."""

    wire: ClassVar[str] = "orders.PartiallyFilled"
    order_id: str
    fill_id: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    filled_qty: Decimal
    time_ns: int
    slippage: Decimal = Decimal(0)
    path_dependent: bool = False
    reason: str | None = None


class OrderFilled(Payload, frozen=True, kw_only=True):
    """The order, or its rest, was executed."""

    wire: ClassVar[str] = "orders.Filled"
    order_id: str
    fill_id: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    filled_qty: Decimal
    time_ns: int
    slippage: Decimal = Decimal(0)
    path_dependent: bool = False
    reason: str | None = None


class OrderCompleted(Payload, frozen=True, kw_only=True):
    """All of the order was executed before; only now is it known that a change of it left nothing more."""

    wire: ClassVar[str] = "orders.Completed"
    order_id: str


class OrderCancelled(Payload, frozen=True, kw_only=True):
    """The order was taken back."""

    wire: ClassVar[str] = "orders.Cancelled"
    order_id: str
    reason: str


class OrderExpired(Payload, frozen=True, kw_only=True):
    """The order's time in force is over."""

    wire: ClassVar[str] = "orders.Expired"
    order_id: str
    reason: str


class OrderReplaced(Payload, frozen=True, kw_only=True):
    """The order's terms are these from now on: changed by its owner, by a split, or by what its partner filled."""

    wire: ClassVar[str] = "orders.Replaced"
    remembered: ClassVar[bool] = True
    order_id: str
    request: OrderRequest
    reason: str
    filled_qty: Decimal | None = None
    """What it filled so far, in the units of after a split; empty where that did not change."""
    client_order_id: str | None = None
    """The id under which a broker made the change."""


class OrderReplaceRefused(Payload, frozen=True, kw_only=True):
    """A change of the order was refused; the order goes on as it was."""

    wire: ClassVar[str] = "orders.ReplaceRefused"
    remembered: ClassVar[bool] = True
    order_id: str
    code: RejectCode
    reason: str
    client_order_id: str | None = None
    """The id under which a broker was asked for the change."""


class OrderRejected(Payload, frozen=True, kw_only=True):
    """The order was refused, with the code and the figures; by a broker, with its own code and words."""

    wire: ClassVar[str] = "orders.Rejected"
    order_id: str
    code: RejectCode
    reason: str
    broker_code: int | str | None = None
    broker_words: str = ""


class OrderSubmitted(Payload, frozen=True, kw_only=True):
    """The order is committed and leaves for the broker now, once. Its id is the one it is looked up by."""

    wire: ClassVar[str] = "orders.Submitted"
    order_id: str
    account: str


class OrderOutcomeUnknown(Payload, frozen=True, kw_only=True):
    """The order left and no answer came. It is looked up by its id, and never sent again."""

    wire: ClassVar[str] = "orders.OutcomeUnknown"
    order_id: str
    reason: str


class OrderCancelAsked(Payload, frozen=True, kw_only=True):
    """The broker was asked to cancel the order and heard it. Until it says that the order is cancelled it may fill."""

    wire: ClassVar[str] = "orders.CancelAsked"
    order_id: str


class OrderCancelRefused(Payload, frozen=True, kw_only=True):
    """The broker did not take the cancel; the order is as it was."""

    wire: ClassVar[str] = "orders.CancelRefused"
    order_id: str
    reason: str


# --- account.* --------------------------------------------------------------------------------------------


class MarginCall(Payload, frozen=True, kw_only=True):
    """Equity fell below the maintenance margin: working orders are cancelled and all positions closed at their next opens."""

    wire: ClassVar[str] = "account.MarginCall"
    equity: Decimal
    required: Decimal
    exposure: Decimal


class InterestCharged(Payload, frozen=True, kw_only=True):
    """A night's charge: `amount` above zero was paid, below zero earned. `symbol` None: on the cash."""

    wire: ClassVar[str] = "account.InterestCharged"
    remembered: ClassVar[bool] = True
    amount: Decimal
    symbol: str | None = None


class SplitApplied(Payload, frozen=True, kw_only=True):
    """A split changed a position: `ratio` new shares for an old one, the fraction paid in `cash`."""

    wire: ClassVar[str] = "account.SplitApplied"
    remembered: ClassVar[bool] = True
    symbol: str
    ratio: Decimal
    qty_before: Decimal
    qty: Decimal
    cash: Decimal = Decimal(0)
    time_ns: int | None = None
    """When it happened, UTC ns, where it was learnt of later: what filled since is in the units of after. None: at the event's own time."""


class DividendPaid(Payload, frozen=True, kw_only=True):
    """A dividend of `per_share` was paid on a long position, or charged on a short one (`cash` below zero); or what was kept of one."""

    wire: ClassVar[str] = "account.DividendPaid"
    remembered: ClassVar[bool] = True
    symbol: str
    per_share: Decimal
    qty: Decimal
    cash: Decimal
    is_tax: bool = False
    """True: tax, or a fee, that was kept of the dividend."""


# --- system.* ---------------------------------------------------------------------------------------------


class StoreAwaited(Payload, frozen=True, kw_only=True):
    """The database does not answer: a run, or what a person asked for, waits for it. Only announced: nothing can be stored meanwhile."""

    wire: ClassVar[str] = "system.StoreAwaited"
    durable: ClassVar[bool] = False
    reason: str


class StoreBack(Payload, frozen=True, kw_only=True):
    """The database answers again, and what waited for it is done."""

    wire: ClassVar[str] = "system.StoreBack"
    durable: ClassVar[bool] = False


class SubscriberFailed(Payload, frozen=True, kw_only=True):
    """A subscriber raised; the others were told all the same."""

    wire: ClassVar[str] = "system.SubscriberFailed"
    owner: str
    event_type: str
    event_seq: int
    error: str
