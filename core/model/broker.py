"""An account at a broker, as the broker tells of it. Money and quantities are Decimal, never by way of a float; times UTC ns."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.market import AssetClass, Bar
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce

MayLeave = Callable[[], bool]
"""Asked in whichever thread sends an order, when nothing but the sending is left to do. False: nothing leaves any more."""

LONGEST_CLIENT_ORDER_ID: Final = 48
_PRICES: Final = ("limit_price", "stop_price", "trail_price", "trail_percent")
_LEGS: Final = ("target_price", "stop_loss_price", "stop_loss_limit")


class AccountName(StrEnum):
    """Which of a person's accounts. Only `live` is real money."""

    PAPER = "paper"
    LIVE = "live"


class OrderClass(StrEnum):
    """Whether an order stands alone or brings others with it."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    """An entry with a target and a stop loss, of which one cancels the other."""
    OCO = "oco"
    """A target and a stop loss for a position that is there."""
    OTO = "oto"
    """An entry with a target or a stop loss."""


class RefusalReason(StrEnum):
    """Why a broker said no, in our words; its own stay beside them. Stable."""

    BUYING_POWER = "buying_power"
    QUANTITY_HELD = "quantity_held"
    WASH_TRADE = "wash_trade"
    ORDER_UNKNOWN = "order_unknown"
    POSITION_UNKNOWN = "position_unknown"
    ASSET_UNKNOWN = "asset_unknown"
    CLIENT_ORDER_ID_TAKEN = "client_order_id_taken"
    """An order with this id exists already: the first one succeeded."""
    PRICE_INCREMENT = "price_increment"
    ORDER_FINAL = "order_final"
    """There is nothing left to cancel or change."""
    TIME_IN_FORCE = "time_in_force"
    FRACTION = "fraction"
    EXTENDED_HOURS = "extended_hours"
    SUBSCRIPTION = "subscription"
    """The account's data plan does not include it."""
    TRADING_BLOCKED = "trading_blocked"
    INVALID_ORDER = "invalid_order"
    CONNECTION_LIMIT = "connection_limit"
    OTHER = "other"


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter declares that its broker can do. What is not in it is not offered."""

    accounts: tuple[AccountName, ...] = ()
    assets: tuple[AssetClass, ...] = ()
    order_types: tuple[OrderType, ...] = ()
    order_classes: tuple[OrderClass, ...] = (OrderClass.SIMPLE,)
    times_in_force: tuple[TimeInForce, ...] = ()
    crypto_times_in_force: tuple[TimeInForce, ...] = ()
    """Those of crypto, where they are fewer; none: the same."""
    fraction_times_in_force: tuple[TimeInForce, ...] = ()
    """Those of fractions of a share, where they are fewer; none: the same."""
    whole_cents: bool = False
    """Whether it takes prices of shares in whole cents only, and below a dollar in hundredths of a cent."""
    feeds: tuple[str, ...] = ()
    """Names of its historical data, the default first; none: there is nothing to choose from."""
    fractional: bool = False
    notional: bool = False
    extended_hours: bool = False
    streaming: bool = False
    reverses: bool = False
    """Whether one order may turn a position around, over zero."""
    holds_units: bool = False
    """Whether a working order holds back the units that it would close: a second one over them is refused."""
    always_open: bool = False
    """Whether its market never closes, for equities either."""
    coin_fees: bool = False
    """Whether the fee of a bought coin is taken from the coin: then less is held than was bought."""
    faults: str = ""
    """What goes wrong there on purpose, a sentence; empty: nothing."""


class AdapterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter as found on disk, without importing it. `error` is set, in plain words, when it cannot be used."""

    id: str
    name: str
    version: str
    description: str
    path: str
    class_name: str = ""
    features: Features = Features()
    builtin: bool = False
    error: str | None = None


class AccountSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How an account is set up on this machine. `keys` shows the key's last four signs, None: it has none.

    `kept`: where they are, in words. `error`: why it cannot be used, in words.
    """

    name: AccountName
    adapter: str
    keys: str | None = None
    kept: str = ""
    error: str | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account's money, in `currency`. `status` is the broker's own word."""

    number: str
    status: str
    currency: str
    cash: Decimal
    equity: Decimal
    last_equity: Decimal
    """At the close of the session before."""
    buying_power: Decimal
    non_marginable_buying_power: Decimal
    """What crypto is checked against."""
    long_value: Decimal
    short_value: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    multiplier: Decimal
    day_trades: int
    shorting_enabled: bool
    trading_blocked: bool
    """By the broker, or by the person at the broker."""
    kind: AccountName | None = None
    """Which kind of account the broker says it is; None where it does not tell."""


class BrokerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A holding. `qty` is signed; `qty_available` is what no open order holds. Values in account currency, None where not known."""

    symbol: str
    asset_class: AssetClass
    qty: Decimal
    qty_available: Decimal
    avg_price: Decimal
    cost_basis: Decimal
    market_value: Decimal | None
    price: Decimal | None
    unrealised_pnl: Decimal | None


class BrokerOrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it goes to a broker. Either `qty`, in units, or `notional`, in money.

    The legs of a bracket, an OCO or an OTO: `target_price` is a limit; `stop_loss_price` a stop, with
    `stop_loss_limit` a stop-limit. `client_order_id` is ours, unique for ever, at most 48 signs.
    """

    client_order_id: str
    symbol: str
    side: OrderSide
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    expires_ns: int | None = None
    """Until when it is good; with `gtd` only."""
    order_class: OrderClass = OrderClass.SIMPLE
    target_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    stop_loss_limit: Decimal | None = None

    def __post_init__(self) -> None:
        check_client_order_id(self.client_order_id)
        if (self.qty is None) is (self.notional is None):
            raise InvalidValue("qty", self.qty, "an order has either a quantity or an amount of money.")
        if (self.expires_ns is not None) is not (self.time_in_force is TimeInForce.GTD):
            raise InvalidValue("expires_ns", self.expires_ns, "it goes with gtd, and gtd needs it.")
        for field in ("qty", "notional", *_PRICES, *_LEGS):
            amount = getattr(self, field)
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue(field, amount, "it must be above zero.")
        self._check_prices()
        self._check_legs()

    def _check_prices(self) -> None:
        is_oco = self.order_class is OrderClass.OCO
        wanted = {"limit_price": self.type.has_limit and not is_oco, "stop_price": self.type.has_stop}
        for field, is_wanted in wanted.items():
            if (getattr(self, field) is not None) is not is_wanted:
                rule = "needs it" if is_wanted else "takes none"
                raise InvalidValue(field, getattr(self, field), f"a {self.type} order{' of an oco' if is_oco else ''} {rule}.")
        trails = [price for price in (self.trail_price, self.trail_percent) if price is not None]
        if len(trails) != (1 if self.type is OrderType.TRAILING_STOP else 0):
            raise InvalidValue("trail_price", self.trail_price, "a trailing_stop takes either a price or a percent, others neither.")

    def _check_legs(self) -> None:
        target, stop_loss = self.target_price is not None, self.stop_loss_price is not None
        fits = {
            OrderClass.SIMPLE: not target and not stop_loss,
            OrderClass.BRACKET: target and stop_loss,
            OrderClass.OCO: target and stop_loss and self.type is OrderType.LIMIT,
            OrderClass.OTO: target is not stop_loss,
        }
        if not fits[self.order_class] or (self.stop_loss_limit is not None and not stop_loss):
            raise InvalidValue("order_class", self.order_class, "its target and its stop loss do not make one.")


def check_client_order_id(text: str) -> None:
    """Raise InvalidValue for an id that not every broker takes."""
    if not 0 < len(text) <= LONGEST_CLIENT_ORDER_ID or not text.isprintable() or " " in text:
        raise InvalidValue("client_order_id", repr(text), f"it has 1 to {LONGEST_CLIENT_ORDER_ID} signs and no space.")


class OrderChange(msgspec.Struct, frozen=True, kw_only=True):
    """New terms of a working order; None leaves a term as it is. The broker makes a new order of it, under `client_order_id`."""

    client_order_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None

    def __post_init__(self) -> None:
        check_client_order_id(self.client_order_id)
        changes = (self.qty, self.limit_price, self.stop_price, self.trail)
        if all(change is None for change in (*changes, self.time_in_force)):
            raise InvalidValue("change", "empty", "a change needs a new quantity, price or time in force.")
        for amount in changes:
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue("change", amount, "it must be above zero.")


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker sees it. `status` is ours, `broker_status` its own word; so with the type and the time in force.

    `type`, `side` and `time_in_force` are None for a word that we do not know; a status we do not know counts as working.
    """

    id: str
    client_order_id: str
    symbol: str
    side: OrderSide | None
    type: OrderType | None
    broker_type: str
    time_in_force: TimeInForce | None
    broker_time_in_force: str
    status: OrderStatus
    broker_status: str
    filled_qty: Decimal
    """All that was filled so far, in units."""
    submitted_ns: int
    updated_ns: int
    qty: Decimal | None = None
    notional: Decimal | None = None
    avg_fill_price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    expires_ns: int | None = None
    order_class: str = "simple"
    replaces: str | None = None
    replaced_by: str | None = None
    """The order that a change made of this one, by the broker's id; this one is cancelled then."""
    legs: tuple["BrokerOrder", ...] = ()
    liquidates: bool = False
    """Whether the broker itself placed it, to close a position after a margin call."""
    trigger_price: Decimal | None = None
    """Where a trailing stop stands now; it moves with the market. None of any other order, and where the broker does not say."""

    @property
    def is_replaced(self) -> bool:
        """Whether it is over because a change made another order of it."""
        # Alpaca's word is enough where the other order is not named yet.
        return self.status is OrderStatus.CANCELLED and (self.replaced_by is not None or self.broker_status == "replaced")


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `id` is the broker's, the key by which a fill is kept once; `cum_qty` is the order's total after it.

    `page_token`: continue a listing after this one; None on a stream.
    """

    id: str
    order_id: str
    symbol: str
    side: OrderSide
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    time_ns: int
    page_token: str | None = None
    fee: Decimal = Decimal(0)
    """What the broker took for it, in the account's money; zero where it takes nothing, or does not say."""


class UpdateKind(StrEnum):
    """What an update says beyond how its order stands now."""

    STATE = "state"
    """Nothing."""
    CHANGE_REFUSED = "change_refused"
    """A change that was asked for is not made: of this order, or of the one that was to take its place."""
    RESTATED = "restated"
    """The broker itself gave the order other terms, as a split does; the account may have an entry of it."""


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker's stream says of an order. May come twice, late or out of order: there is no sequence number.

    `event` is the broker's word, for a person. `execution` is there for a fill.
    """

    event: str
    order: BrokerOrder
    time_ns: int
    kind: UpdateKind = UpdateKind.STATE
    execution: Execution | None = None
    position_qty: Decimal | None = None


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker trades. `lot`, `tick` and `min_qty` are None where it does not say."""

    id: str
    symbol: str
    asset_class: AssetClass
    name: str
    exchange: str
    tradable: bool
    fractionable: bool
    marginable: bool
    shortable: bool
    easy_to_borrow: bool
    min_qty: Decimal | None = None
    lot: Decimal | None = None
    tick: Decimal | None = None


class MarketClock(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's own clock, and when its exchange opens and closes next."""

    now_ns: int
    is_open: bool
    next_open_ns: int
    next_close_ns: int


class SessionDay(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the exchange: its date there, and when it opens and closes, UTC."""

    day: date
    open_ns: int
    close_ns: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The best bid and offer. A price of zero: nobody bids, or offers."""

    symbol: str
    time_ns: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


class Print(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of the market, not of ours."""

    symbol: str
    time_ns: int
    price: Decimal
    size: Decimal


class BarKind(StrEnum):
    """What a bar from a stream is."""

    FINAL = "final"
    """Its interval is over."""
    CORRECTED = "corrected"
    """The same interval again, after late trades."""
    RUNNING = "running"
    """Of the day that goes on."""


class LiveBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar from a stream."""

    bar: Bar
    kind: BarKind


Tick = Quote | Print | LiveBar
"""What a market stream brings."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What to hear of a market stream, by symbol. All of one kind: equities of one feed, or crypto."""

    bars: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    trades: tuple[str, ...] = ()
    feed: str | None = None
    """None: the adapter's default."""


class StreamState(StrEnum):
    """Where a stream is."""

    CONNECTING = "connecting"
    AUTHENTICATED = "authenticated"
    LISTENING = "listening"
    """Updates come from here on. Nothing is replayed: whoever needs what was missed asks for it now."""
    STALE = "stale"
    """Nothing was heard for too long, not even an answer to a question; it connects anew."""
    LOST = "lost"
    """The connection ended; it connects anew after a pause."""


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's state, and why it came to it, in a sentence."""

    state: StreamState
    said: str = ""
