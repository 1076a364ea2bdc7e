"""An account inside the program as it is kept: its money and holdings, orders, executions, and what else moved its money."""

from decimal import Decimal

import msgspec

from core.model.broker import BrokerOrder, Execution
from core.model.broker_entry import BrokerEntry
from core.model.money import ZERO
from core.model.order import LegRole
from core.model.run import AccountKind


class PaperHolding(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a symbol: signed units, what they cost without fees (with the same sign), profit realised so far.

    `mark`: what a unit was worth when this was kept; None: nobody knew.
    """

    symbol: str
    qty: Decimal
    cost: Decimal
    realised: Decimal = ZERO
    mark: Decimal | None = None


class PaperAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account itself. `revision` counts its changes, from 1 on: who changes it says which one he has seen.

    `cash` and `holdings` are what entries and executions add up to; a check of the database adds them up again. `day`
    (UTC, since 1970) began with `day_start_equity`, and the nights before it are charged. `time_ns`: the newest instant in the
    books, which never goes back. `restricted`: after a margin call, until nothing is held any more.
    """

    id: str
    number: str
    kind: AccountKind
    cash: Decimal
    time_ns: int
    revision: int = 0
    holdings: tuple[PaperHolding, ...] = ()
    day: int = 0
    day_start_equity: Decimal = ZERO
    actions_day: int = 0
    """Up to which day of the exchange (since 1970) splits and dividends are applied."""
    restricted: bool = False


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order: what its owner sees of it, without legs, and what else it takes to go on with it after a restart.

    `number` is its place among the account's orders. `qty`: units it is over as it works now; a leg's grows with its entry,
    and an amount of money has none before its first price. `money` and `fees`: of what is filled. `live_from_ns`,
    `dead_from_ns`: the first instants at which it can, and cannot any more, fill. `rested`: whether it has waited at its limit, so that
    the market comes to it.
    """

    order: BrokerOrder
    number: int
    qty: Decimal
    live_from_ns: int
    dead_from_ns: int | None = None
    money: Decimal = ZERO
    fees: Decimal = ZERO
    is_live: bool = True
    triggered: bool = False
    rested: bool = False
    mark: Decimal | None = None
    role: LegRole | None = None
    parent_id: str | None = None
    sibling_id: str | None = None
    charged_qty: Decimal | None = None
    """Units filled as they were counted then, where a split has made others of them; None: as they are counted now."""


class PaperChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one step did to an account: the account after it, the orders it touched as they are now, and what is new."""

    account: PaperAccount
    orders: tuple[PaperOrder, ...] = ()
    executions: tuple[Execution, ...] = ()
    entries: tuple[BrokerEntry, ...] = ()


class AccountBooks(msgspec.Struct, frozen=True, kw_only=True):
    """All of an account, each list in the order in which it came to be."""

    account: PaperAccount
    orders: tuple[PaperOrder, ...] = ()
    executions: tuple[Execution, ...] = ()
    entries: tuple[BrokerEntry, ...] = ()
