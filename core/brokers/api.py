"""What an adapter's file imports: the base class, what it is given, and the words it speaks. docs/adapters.md shows how."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.brokers.address import checked_address as checked_address
from core.brokers.credentials import Credentials as Credentials
from core.brokers.watching import is_crypto_watch as is_crypto_watch
from core.errors import AnswerUnreadable as AnswerUnreadable
from core.errors import BrokerRefused as BrokerRefused
from core.errors import BrokerUnreachable as BrokerUnreachable
from core.errors import InvalidValue as InvalidValue
from core.errors import KeysRefused as KeysRefused
from core.errors import NotInThisVersion as NotInThisVersion
from core.errors import NotSent as NotSent
from core.errors import OutcomeUnknown as OutcomeUnknown
from core.errors import RateLimited as RateLimited
from core.model.broker import AccountName as AccountName
from core.model.broker import MayLeave as MayLeave
from core.ports import Broker as Broker
from core.ports import Clock as Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a connection is made from. `addresses`: the environment's variables that end in `_URL`; they may name other servers."""

    account: AccountName
    credentials: Credentials
    addresses: Mapping[str, str]
    clock: Clock


class Adapter(ABC):
    """A broker. Its attributes are read from the source, without running it: write them as plain values.

    `accounts`, `assets`, `order_types`, `order_classes`, `times_in_force` take the words of the enums in
    `core.model.broker`, `core.model.market` and `core.model.order`.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[str] = "1"
    accounts: ClassVar[tuple[str, ...]] = ()
    assets: ClassVar[tuple[str, ...]] = ()
    order_types: ClassVar[tuple[str, ...]] = ()
    order_classes: ClassVar[tuple[str, ...]] = ("simple",)
    times_in_force: ClassVar[tuple[str, ...]] = ()
    crypto_times_in_force: ClassVar[tuple[str, ...]] = ()
    fraction_times_in_force: ClassVar[tuple[str, ...]] = ()
    whole_cents: ClassVar[bool] = False
    feeds: ClassVar[tuple[str, ...]] = ()
    fractional: ClassVar[bool] = False
    notional: ClassVar[bool] = False
    extended_hours: ClassVar[bool] = False
    streaming: ClassVar[bool] = False
    always_open: ClassVar[bool] = False
    coin_fees: ClassVar[bool] = False
    reverses: ClassVar[bool] = False
    holds_units: ClassVar[bool] = False
    faults: ClassVar[str] = ""

    @abstractmethod
    def connect(self, link: Link) -> Broker:
        """Return a connection to an account. Called in a worker thread; it sends nothing yet."""
