"""Event types of paper and live runs, and of what holds them back; see `core.events.payloads`.

Times are UTC ns, money is Decimal.
"""

from decimal import Decimal
from typing import ClassVar

from core.events.envelope import Kind, Payload
from core.model.order import OrderSide, RejectCode
from core.model.risk import SwitchLevel

# --- live.* -----------------------------------------------------------------------------------------------


class LiveFetchWindow(Payload, frozen=True, kw_only=True):
    """The router passes a window request to the live bars."""

    wire: ClassVar[str] = "live.FetchWindow"
    kind: ClassVar[Kind] = Kind.COMMAND
    durable: ClassVar[bool] = False
    symbol: str
    bars: int


class LivePlaceOrder(Payload, frozen=True, kw_only=True):
    """The router passes an order to the account."""

    wire: ClassVar[str] = "live.PlaceOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


class LiveCancelOrder(Payload, frozen=True, kw_only=True):
    """The router passes a cancel to the account."""

    wire: ClassVar[str] = "live.CancelOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


class LiveReplaceOrder(Payload, frozen=True, kw_only=True):
    """The router passes a change of an order to the account."""

    wire: ClassVar[str] = "live.ReplaceOrder"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str


class StreamChanged(Payload, frozen=True, kw_only=True):
    """A stream of the broker connected, was lost, or went silent."""

    wire: ClassVar[str] = "live.StreamChanged"
    account: str
    stream: str
    state: str
    said: str = ""


class FaultsDeclared(Payload, frozen=True, kw_only=True):
    """The run trades where things go wrong on purpose: a simulated broker that a person made misbehave."""

    wire: ClassVar[str] = "live.FaultsDeclared"
    account: str
    words: str
    """What goes wrong, a sentence."""


class MarketClosed(Payload, frozen=True, kw_only=True):
    """The market of every symbol of a run is closed; it waits until `opens_ns`."""

    wire: ClassVar[str] = "live.MarketClosed"
    opens_ns: int
    """When it opens next, UTC ns."""


class MinuteLate(Payload, frozen=True, kw_only=True):
    """A minute of the stream came after the decision at its end, or after a larger bar was made without it; it is left out for good."""

    wire: ClassVar[str] = "live.MinuteLate"
    symbol: str
    start_ns: int
    """When it began, UTC ns."""


class BarsPassed(Payload, frozen=True, kw_only=True):
    """Bars were history when they came, and nothing was decided on them: at no time after `since_ns` and up to `until_ns`.

    They came at the event's time. Until then other symbols were decided on without them.
    """

    wire: ClassVar[str] = "live.BarsPassed"
    since_ns: int
    """The instant before the first of them was over, UTC ns."""
    until_ns: int
    """When the last of them was over, UTC ns."""
    is_restart: bool = False
    """Whether the run was interrupted meanwhile: its strategy began anew then, with what it had saved."""
    symbols: tuple[str, ...] = ()
    """Whose bars they were; none is named where they were those of all."""


class AccountAdopted(Payload, frozen=True, kw_only=True):
    """An account was met for the first time; what it held then is nobody's of ours."""

    wire: ClassVar[str] = "live.AccountAdopted"
    remembered: ClassVar[bool] = True
    account: str
    positions: tuple[tuple[str, Decimal], ...]
    """Symbol and signed units."""
    counted: tuple[str, ...] = ()
    """The broker's ids of the newest executions in these positions: the broker's clock may be off, so no instant tells them apart."""


class ComparisonFailed(Payload, frozen=True, kw_only=True):
    """An account could not be compared with its broker, by a bug of ours, and nothing opens there; without a reason: it was again."""

    wire: ClassVar[str] = "live.ComparisonFailed"
    account: str
    reason: str


class Reconciled(Payload, frozen=True, kw_only=True):
    """An account was compared with its broker, and nothing of before `until_ns` is open: the next start asks from there on. Told hourly."""

    wire: ClassVar[str] = "live.Reconciled"
    account: str
    until_ns: int
    """UTC ns."""


class OrderAdopted(Payload, frozen=True, kw_only=True):
    """An order of the account that is not ours was found: somebody else placed it. It is watched, and never touched."""

    wire: ClassVar[str] = "live.OrderAdopted"
    remembered: ClassVar[bool] = True
    account: str
    broker_id: str
    client_order_id: str
    symbol: str
    side: str
    status: str
    filled_qty: Decimal
    qty: Decimal | None = None


class OutsideFilled(Payload, frozen=True, kw_only=True):
    """An order of the account that is not ours was executed; `qty` is signed."""

    wire: ClassVar[str] = "live.OutsideFilled"
    remembered: ClassVar[bool] = True
    account: str
    execution_id: str
    symbol: str
    qty: Decimal
    price: Decimal


class EntryTaken(Payload, frozen=True, kw_only=True):
    """The broker booked something without an execution, and it is in our books now. `what`: a split, a dividend, a fee and so on.

    What a run has of it is an event of that run. A broker's entry is taken once. `corporate_action` and `other` are only told.
    """

    wire: ClassVar[str] = "live.EntryTaken"
    remembered: ClassVar[bool] = True
    account: str
    entry_id: str
    """The broker's id of it."""
    what: str
    symbol: str
    qty: Decimal
    """Units that came, minus: went; of the whole account."""
    cash: Decimal
    """Money that came, minus: went; of the whole account."""
    outside: Decimal | None = None
    """Of a split, or of units that came or went: what is nobody's here of the symbol after it, signed units."""
    rate: Decimal | None = None
    """New units for each old one, or money per unit, where the broker told that."""
    time_ns: int | None = None
    """When it happened, UTC ns."""
    said: str = ""
    """What the broker said of it."""
    is_booked: bool = True
    """False: its units were in our books before, or are not known well enough to be there; what is held is compared all the same."""


class DifferenceAccepted(Payload, frozen=True, kw_only=True):
    """A person took a difference that nothing else healed as the broker has it: `qty` units, signed, are somebody else's from now on."""

    wire: ClassVar[str] = "live.DifferenceAccepted"
    remembered: ClassVar[bool] = True
    account: str
    what: str
    symbol: str
    qty: Decimal
    """Signed units. With an order: so many of it are filled at the broker, and nobody waits for their executions."""
    reason: str
    """Why it was accepted, in the person's words."""
    order_id: str | None = None


class Differed(Payload, frozen=True, kw_only=True):
    """Our books and the broker's differed: what, why, and what is done about it."""

    wire: ClassVar[str] = "live.Differed"
    account: str
    what: str
    healing: str
    symbol: str
    reason: str
    order_id: str | None = None


# --- account.* --------------------------------------------------------------------------------------------


class CoinFee(Payload, frozen=True, kw_only=True):
    """The broker took the fee of a bought coin from the coin: less is held than was bought. Below zero: a fee that was too much."""

    wire: ClassVar[str] = "account.CoinFee"
    remembered: ClassVar[bool] = True
    account: str
    symbol: str
    fill_id: str
    """The fill whose fee it is."""
    qty: Decimal
    """Units taken."""
    price: Decimal
    """Of the fill: what the units were worth when they were bought."""
    order_id: str | None = None
    """None: of somebody else's order."""


class AccountChanged(Payload, frozen=True, kw_only=True):
    """Something of an account that is open for a person changed: money, positions, orders, or the line to the broker."""

    wire: ClassVar[str] = "account.Changed"
    durable: ClassVar[bool] = False
    account: str


# --- orders.* of a person ---------------------------------------------------------------------------------


class OrderAskedByHand(Payload, frozen=True, kw_only=True):
    """A person asked for something of an order. `what`: `place`, `change`, `cancel`; `reverse`: place it, and another after it."""

    wire: ClassVar[str] = "orders.AskedByHand"
    kind: ClassVar[Kind] = Kind.COMMAND
    order_id: str
    what: str


class NotReversed(Payload, frozen=True, kw_only=True):
    """A position was not turned around: the order that closes it was sent, and the one after it was not and will not be.

    `order_id`: of the first; `side` and `qty`: of the second.
    """

    wire: ClassVar[str] = "orders.NotReversed"
    order_id: str
    symbol: str
    side: OrderSide
    qty: Decimal
    reason: str


class ExitsOwed(Payload, frozen=True, kw_only=True):
    """Exits of a position make way, so that it can be closed, or a part of it; until that is done they are owed."""

    wire: ClassVar[str] = "orders.ExitsOwed"
    remembered: ClassVar[bool] = True
    order_ids: tuple[str, ...]
    """One, or two of which one cancels the other."""
    symbol: str
    qty: Decimal
    """Over how many units they are, with all that left in the same place before."""
    filled_qty: Decimal
    """How many units of all of that are filled."""
    left_qty: Decimal
    """Over how many units each is to be; zero: it is taken back."""
    closing_id: str
    """The order that is to close the position, or a part of it; it may never be made."""
    closing_qty: Decimal
    """Over how many units that is."""
    allowed_qty: Decimal
    """Over how many units exits of the position may be once it has filled."""


class ExitsOwedNoMore(Payload, frozen=True, kw_only=True):
    """Exits that were owed are so no more: they are there again, or nothing is left for them to close, or they were taken back."""

    wire: ClassVar[str] = "orders.ExitsOwedNoMore"
    remembered: ClassVar[bool] = True
    order_ids: tuple[str, ...]
    """Those that made way first."""
    symbol: str
    reason: str


class LeftBare(Payload, frozen=True, kw_only=True):
    """So many units of a position stand without the exits that they had, which cannot be sent now."""

    wire: ClassVar[str] = "orders.LeftBare"
    order_ids: tuple[str, ...]
    """Those that they had."""
    symbol: str
    qty: Decimal
    reason: str


class OrderChangeSent(Payload, frozen=True, kw_only=True):
    """A change of an order leaves for the broker, which makes a new order of it under `client_order_id`; what is None stays.

    `qty`: what the whole order is to be over, what is filled included.
    """

    wire: ClassVar[str] = "orders.ChangeSent"
    remembered: ClassVar[bool] = True
    order_id: str
    client_order_id: str
    qty: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    """How far it follows from now on: a price or a percent, as the order has it."""


class OrdersLeftTogether(Payload, frozen=True, kw_only=True):
    """An order and others left as one, under the id of the first, and the broker minds how they hang together."""

    wire: ClassVar[str] = "orders.LeftTogether"
    remembered: ClassVar[bool] = True
    order_id: str
    others: tuple[str, ...]
    """The exits of an entry, or of a pair the stop."""


# --- risk.* -----------------------------------------------------------------------------------------------


class RiskApproved(Payload, frozen=True, kw_only=True):
    """The order breaks no rule of its account or its run."""

    wire: ClassVar[str] = "risk.Approved"
    order_id: str


class RiskRefused(Payload, frozen=True, kw_only=True):
    """A rule refused the order. `scope`: `account` or `run`."""

    wire: ClassVar[str] = "risk.Refused"
    order_id: str
    code: RejectCode
    scope: str
    rule: str
    limit: str
    figure: str


class Armed(Payload, frozen=True, kw_only=True):
    """A person typed the name of an account where real money is: from here on orders may leave there, as long as `desk` has it open."""

    wire: ClassVar[str] = "risk.Armed"
    account: str
    desk: str
    """The name of the workstation where it was typed."""


class SwitchThrown(Payload, frozen=True, kw_only=True):
    """The kill switch was set, for all runs or for the event's own. It stays so until it is set otherwise."""

    wire: ClassVar[str] = "risk.SwitchThrown"
    remembered: ClassVar[bool] = True
    level: SwitchLevel
    reason: str


class SwitchCarriedOut(Payload, frozen=True, kw_only=True):
    """What the kill switch asked for is done at an account: the broker acknowledged each step, or `left` says what remains."""

    wire: ClassVar[str] = "risk.SwitchCarriedOut"
    remembered: ClassVar[bool] = True
    account: str
    level: SwitchLevel
    cancelled: int
    closed: int
    left: str = ""


class SwitchUnreached(Payload, frozen=True, kw_only=True):
    """What the kill switch asked for could not be done at an account that nobody has open: it holds, and is done when that is opened."""

    wire: ClassVar[str] = "risk.SwitchUnreached"
    account: str
    level: SwitchLevel
    reason: str


class LossesUnjudged(Payload, frozen=True, kw_only=True):
    """The limits on a run's losses are not watched, because something it holds has no price; without symbols: they are watched again.

    Meanwhile orders that open something are refused, and nothing that losses are counted from is taken.
    """

    wire: ClassVar[str] = "risk.LossesUnjudged"
    symbols: tuple[str, ...]


class EquityMarked(Payload, frozen=True, kw_only=True):
    """The equity of a run or of a whole account is higher than ever, or its day began: losses are counted from here on."""

    wire: ClassVar[str] = "risk.EquityMarked"
    peak: Decimal
    """The highest equity, account currency."""
    day: int
    """The day, counted from 1970: of a run in UTC, of an account the one of its session."""
    day_start: Decimal
    """The equity with which it began, account currency."""
    account: str | None = None
    """Of which account, where it is not of the event's run."""
