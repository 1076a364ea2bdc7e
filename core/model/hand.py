"""Trading by hand: what a person asks for at an account, and what an account looks like to a person.

Money and quantities are Decimal, in account currency and units; times UTC ns.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.broker import Account, AccountName, Features
from core.model.money import ZERO
from core.model.order import Order, OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.risk import SwitchLevel

OUTSIDE: Final = "outside"
"""The owner of what no order of ours bought."""
NOW: Final = "now"
AS_ONE_ORDER: Final = "as one order"
EACH_BY_ITSELF: Final = "each by itself"
"""How exits of a position leave: see `ExitsPreview`."""
_AMOUNTS: Final = (
    "qty",
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "target_price",
    "stop_loss_price",
    "stop_loss_limit",
)


class HandOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. Either `qty`, in units, or `notional`, in money. Checks itself.

    `time_in_force` None: `day`, crypto `gtc`. `target_price` and `stop_loss_price` are exits that leave with the order where the
    broker takes that as one, else when it is over, over what it filled; with `stop_loss_limit` the stop loss is a stop-limit.
    """

    symbol: str
    side: OrderSide
    type: OrderType = OrderType.MARKET
    qty: Decimal | None = None
    notional: Decimal | None = None
    time_in_force: TimeInForce | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    reduce_only: bool = False
    target_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if (self.qty is None) is (self.notional is None):
            raise InvalidValue("qty", "empty" if self.qty is None else self.qty, "an order has either a quantity or an amount of money.")
        for field in _AMOUNTS:
            amount: Decimal | None = getattr(self, field)
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue(field, amount, "it must be above zero.")
        if self.stop_loss_limit is not None and self.stop_loss_price is None:
            raise InvalidValue("stop_loss_limit", self.stop_loss_limit, "it needs a stop loss price beside it.")

    def request(self, symbol: str, qty: Decimal) -> OrderRequest:
        """Return it as an order over `qty` units of `symbol`. Raises InvalidValue for what is no order."""
        stop_loss = None
        if self.stop_loss_price is not None:
            kind = OrderType.STOP if self.stop_loss_limit is None else OrderType.STOP_LIMIT
            stop_loss = OrderLeg(type=kind, stop_price=self.stop_loss_price, limit_price=self.stop_loss_limit)
        return OrderRequest(
            symbol=symbol,
            side=self.side,
            qty=qty,
            type=self.type,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            note=self.note or None,
            trail_price=self.trail_price,
            trail_percent=self.trail_percent,
            reduce_only=self.reduce_only,
            extended_hours=self.extended_hours,
            target=None if self.target_price is None else OrderLeg(type=OrderType.LIMIT, limit_price=self.target_price),
            stop_loss=stop_loss,
        )


class HandExits(msgspec.Struct, frozen=True, kw_only=True):
    """Exits that a person wants for a position that is held: a target, a stop loss, or both, of which one cancels the other. Checks itself.

    `owner_id`: whose it is; `qty` None: all of it that nothing closes yet. `time_in_force` None: `gtc`, where the broker takes that.
    """

    symbol: str
    owner_id: str
    qty: Decimal | None = None
    target_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.target_price is None and self.stop_loss_price is None:
            raise InvalidValue("The exits", "empty", "give a target, a stop loss, or both.")
        named = (("The quantity", self.qty), ("The target", self.target_price), ("The stop loss", self.stop_loss_price))
        for name, amount in named:
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue(name, amount, "it must be above zero.")


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """New terms of a working order; None leaves a term as it is. `qty` is the whole order, what is filled included. Checks itself.

    `trail` is a price or a percent, as the order has it.
    """

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None

    def __post_init__(self) -> None:
        amounts = {"qty": self.qty, "limit_price": self.limit_price, "stop_price": self.stop_price, "trail": self.trail}
        if all(amount is None for amount in amounts.values()):
            raise InvalidValue("The order", "changed", "neither a new quantity nor a new price was given.")
        for field, amount in amounts.items():
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue(field, amount, "it must be above zero.")


class RiskVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order would not leave. `scope`: `account`, `run` or `broker`. `limit` and `figure` are empty where a rule has none."""

    scope: str
    code: str
    rule: str
    limit: str
    figure: str
    sentence: str


class OrderPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would come to. `qty` None: an amount of money whose price nobody knows.

    `price_source`: `quote`, `limit` (the order's own), `last`, or `none`. `cost` is price times quantity, of a sell what it
    brings; `position_after` is signed, of the book that the order belongs to; `buying_power_after` when it has filled.
    """

    order: HandOrder
    qty: Decimal | None
    price: Decimal | None
    price_source: str
    cost: Decimal | None
    position_after: Decimal | None
    buying_power: Decimal
    buying_power_after: Decimal | None
    verdicts: tuple[RiskVerdict, ...]
    exits_leave: str = ""
    """`with it`, as one order that the broker minds, or `after it`; empty where it has none."""

    @property
    def is_allowed(self) -> bool:
        """Whether it would leave."""
        return not self.verdicts


class ExitsPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What exits of a position would be. `open_qty`: how much of it nothing closes yet; `price`: where the market is, None: nobody knows.

    `at_target` and `at_stop_loss`: what the units would have made when that fills at its price, None where there is none, or no cost.
    """

    exits: HandExits
    side: OrderSide
    qty: Decimal
    open_qty: Decimal
    price: Decimal | None
    at_target: Decimal | None
    at_stop_loss: Decimal | None
    verdicts: tuple[RiskVerdict, ...]
    exits_leave: str
    """`NOW`, of a pair `AS_ONE_ORDER`, which the broker minds, or `EACH_BY_ITSELF`: then the program does while it has it open."""

    @property
    def is_allowed(self) -> bool:
        """Whether they would leave."""
        return not self.verdicts


class HeldPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner holds of a symbol. `owner_id`: a run's id or `outside`; `owner`: who that is, for a person. `qty` signed.

    `bare`: what of it stands without the exits that it had, and why, in words; empty where nothing does. `open_qty`: how many units
    of it nothing closes yet, which is what exits can be given.
    """

    symbol: str
    owner_id: str
    owner: str
    qty: Decimal
    avg_price: Decimal | None = None
    price: Decimal | None = None
    value: Decimal | None = None
    open_pnl: Decimal | None = None
    bare: str = ""
    open_qty: Decimal = ZERO


class TradingAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that a person can trade at. `error`: why it cannot be used now, in words."""

    broker_id: str
    account: AccountName
    title: str
    is_real_money: bool
    error: str | None = None
    symbols: tuple[str, ...] = ()
    """What it trades, where that is little enough to be named."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is now. `key` is `BROKER:NUMBER`.

    `working`: our orders that can still fill, of every run, and exits that wait for their entry, as `created`.
    `held`: those of them that the broker holds until their entry has filled. `outside_orders`: how many orders of others work
    there. `silent_s`: seconds since the broker was heard of, 0 while it is.
    """

    broker_id: str
    account: AccountName
    key: str
    title: str
    is_real_money: bool
    money: Account
    positions: tuple[HeldPosition, ...]
    working: tuple[Order, ...]
    outside_orders: int
    features: Features
    level: SwitchLevel
    silent_s: float
    reconciled_ns: int | None
    hand_run_id: str
    as_of_ns: int
    held: frozenset[str] = frozenset()
    lacks_exits: bool = False
    """Whether exits that made way for a closing are about to be sent again: in a moment they are there, or it is said why not."""
    triggers: Mapping[str, Decimal] = {}
    """Where trailing stops stand, by the id of the order, as the broker said last: they move with the market."""
