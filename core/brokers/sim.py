"""The simulated broker: a market inside the program that goes on in real time or faster, and an account at it.

The account lives as long as the program. Its orders fill by Greta's matching at the market's prices, at once where they can.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Final

import msgspec

from core.brokers.chance import ChanceFaults, FaultPlan
from core.brokers.exchange import TIMES_IN_FORCE, Books, Exchange
from core.brokers.faults import Faults
from core.brokers.inside import InsideBroker
from core.brokers.sim_market import STEP_NS, SYMBOLS, SimMarket
from core.clock import calendar
from core.clock.realtime import ScaledClock
from core.errors import AdapterBroken, InputError, UnknownName
from core.model.broker import AccountName, AdapterInfo, Features
from core.model.hand import TradingAccount
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.market import AssetClass
from core.model.order import OrderType
from core.model.run import AccountTerms
from core.ports import Broker, LiveClock

ID: Final = "sim"
NO_FAULTS: Final = FaultPlan({})
INFO: Final = AdapterInfo(
    id=ID,
    name="Simulated market",
    version="1",
    description="A made-up market inside the program; nothing leaves the machine.",
    path=__file__,
    class_name="SimBroker",
    builtin=True,
    features=Features(
        accounts=(AccountName.PAPER,),
        assets=(AssetClass.EQUITY, AssetClass.CRYPTO),
        order_types=tuple(OrderType),
        times_in_force=TIMES_IN_FORCE,
        fractional=True,
        streaming=True,
        always_open=True,
    ),
)
STANDS_S: Final = 0.05
"""Real seconds for which the first price of a minute stands at any speed, up to half the minute: time to decide on the one before."""
_AT_ONCE: Final = 500
"""Steps made before others get their turn, when the market has fallen behind its clock."""


class SimBroker(InsideBroker):
    """An account at a `SimMarket`. `run` lets the market go on."""

    def __init__(
        self, clock: ScaledClock, *, seed: int, books: Books, terms: AccountTerms | None = None, plan: FaultPlan = NO_FAULTS
    ) -> None:
        """`books`: what the account begins with; `plan`: what goes wrong on purpose."""
        self._clock = clock
        self._first_order_ns: int | None = None
        off_ns = round(plan.of("clock-off") * SECOND_NS)
        self.feed: Final = SimMarket(seed, clock.now_ns())
        exchange = Exchange(books, lambda: clock.now_ns() + off_ns, terms)
        exchange.pieces = max(1, int(plan.of("pieces")))
        self._chance = ChanceFaults(plan, seed) if plan.values else None
        super().__init__(exchange, self.feed, self._chance or Faults(), lambda: clock.now_ns() + off_ns)
        self.feed.opened, self.feed.moved = exchange.stand, exchange.show

    async def run(self) -> None:
        """Make each price when its time has come. Goes on until it is cancelled."""
        while True:
            await self._clock.sleep_until(self._due_ns())
            for _ in range(_AT_ONCE):
                if self._due_ns() > self._clock.now_ns():
                    break
                self.feed.step()
                self._misbehave()
            await asyncio.sleep(0)

    def _misbehave(self) -> None:
        if self._chance is not None and self._chance.begun:
            self._first_order_ns = self._first_order_ns or self.feed.now_ns
            self._chance.at(self.feed.now_ns - self._first_order_ns)

    def _due_ns(self) -> int:
        """Return when the next price is to be made."""
        begins_minute = self.feed.now_ns % MINUTE_NS == 0
        stands_ns = min(MINUTE_NS // 2, int(STANDS_S * SECOND_NS * self._clock.speed)) if begins_minute else 0
        return self.feed.now_ns + max(STEP_NS, stands_ns)


class SimSource:
    """Opens the simulated broker, and no other. `speed`: how many times as fast as real time its market goes.

    `plan` returns what goes wrong on purpose; it may raise InvalidValue, and is asked when the market is looked at.
    """

    def __init__(
        self,
        now_ns: int,
        *,
        speed: float = 1.0,
        seed: int = 1,
        cash: Decimal = Decimal(1_000_000),
        plan: Callable[[], FaultPlan] = lambda: NO_FAULTS,
    ) -> None:
        self._plan = plan
        self._clock = ScaledClock(now_ns, speed)
        self._seed = seed
        self._cash = cash

    async def accounts(self) -> Sequence[TradingAccount]:
        """See `core.ports.BrokerSource`."""
        return (TradingAccount(broker_id=ID, account=AccountName.PAPER, title=self._title, is_real_money=False, symbols=SYMBOLS),)

    @property
    def _title(self) -> str:
        try:
            return f"{INFO.name}, faulty on purpose" if self._plan().values else INFO.name
        except InputError:
            return INFO.name  # it is said when it is opened

    def info(self, broker_id: str) -> AdapterInfo:
        """See `core.ports.BrokerSource`. Raises InvalidValue for faults that cannot be."""
        if broker_id != ID:
            raise UnknownName("broker", broker_id, (ID,))
        return msgspec.structs.replace(INFO, features=msgspec.structs.replace(INFO.features, faults=self._plan().words))

    def clock(self, broker_id: str) -> LiveClock:
        """See `core.ports.BrokerSource`."""
        return self._clock

    def outlives_program(self, broker_id: str) -> bool:
        """See `core.ports.BrokerSource`."""
        return False

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """See `core.ports.BrokerSource`."""
        if account not in self.info(broker_id).features.accounts:
            raise AdapterBroken(f"The broker {broker_id} has no {account} account.", "Use its paper account.")
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Broker]:
        await calendar.load(AssetClass.EQUITY)  # of `day` orders: made at the first of them it would hold up the loop
        self._clock.begin()  # nothing happens in a market that nobody has looked at yet
        books = Books(number=f"SIM{secrets.token_hex(4).upper()}", cash=self._cash)
        broker = SimBroker(self._clock, seed=self._seed, books=books, plan=self._plan())
        try:
            async with asyncio.TaskGroup() as group:
                market = group.create_task(broker.run(), name="simulated-market")
                try:
                    yield broker
                finally:
                    market.cancel()
                    await broker.close()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # of the block's own
