"""A simulated market whose account outlives the program: its books are in a file, and a later opening goes on with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from core.brokers.exchange import Books
from core.brokers.sim import ID, INFO, SimBroker, SimSource
from core.brokers.sim_market import HISTORY_NS, STEP_NS
from core.clock.realtime import ScaledClock, SystemClock
from core.model.broker import AdapterInfo, OrderUpdate
from core.model.desk import Desk
from core.model.instants import DAY_NS
from core.model.run import AccountKind, AccountTerms
from core.ports import Broker
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.unit.runs.live_desk import BEGINS_NS, LiveScene
from tests.virtual_time import VirtualClock, virtual_time

MARGIN = AccountTerms(kind=AccountKind.MARGIN)
CASH = Decimal(1_000_000)
ORIGIN_NS = (BEGINS_NS - HISTORY_NS) // DAY_NS * DAY_NS


class LastingBroker(SimBroker):
    """The simulated broker with books that are written to a file after each change. Prices are the same at each opening."""

    def __init__(self, clock: ScaledClock, path: Path) -> None:
        books = msgspec.json.decode(path.read_bytes(), type=Books) if path.exists() else Books(number="LASTING", cash=CASH)
        super().__init__(clock, seed=1, books=books, terms=MARGIN)
        market = self.feed
        market._at += (market._origin_ns - ORIGIN_NS) // STEP_NS
        market._origin_ns = ORIGIN_NS

        def keep(_: OrderUpdate) -> None:
            path.write_bytes(msgspec.json.encode(self.exchange.books()))

        self.exchange.listeners.insert(0, keep)


class LastingSource(SimSource):
    """Opens it. `reverses`: whether it says that one order may turn a position around."""

    broker: LastingBroker | None = None

    def __init__(self, path: Path, *, begins_ns: int = BEGINS_NS, speed: float = 1_200.0, reverses: bool = True) -> None:
        super().__init__(begins_ns, speed=speed)
        self._path = path
        self._reverses = reverses

    def info(self, broker_id: str) -> AdapterInfo:
        super().info(broker_id)
        return msgspec.structs.replace(INFO, features=msgspec.structs.replace(INFO.features, reverses=self._reverses))

    def outlives_program(self, broker_id: str) -> bool:
        return True

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Broker]:
        self._clock.begin()
        self.broker = broker = LastingBroker(self._clock, self._path)
        market = asyncio.ensure_future(broker.run())  # noqa: TID251 - as the market's own group does
        try:
            yield broker
        finally:
            market.cancel()
            await asyncio.wait([market])


class LastingScene(LiveScene):
    """A run manager on it, in a folder: a later scene in the same folder is the program started again.

    `desk`: its name, where there are several; `market`: the clock of the market that they are at.
    """

    def __init__(
        self,
        folder: Path,
        source: type[LastingSource] = LastingSource,
        *,
        desk: str | None = None,
        market: VirtualClock | None = None,
        **options: Any,
    ) -> None:
        self.folder = folder
        self.lasting = source(folder / "broker.json", **options)
        self.lasting._clock = self.market = market or VirtualClock(self.lasting._clock.now_ns(), self.lasting._clock.speed)
        self.clock = self.lasting.clock(ID)
        clock = SystemClock()
        self.store = DatabaseStore(folder / "desk.db", clock)
        if desk is not None:
            self.store = DatabaseStore(folder / "desk.db", clock, locks=folder / desk, desk=Desk(id=f"id-{desk}", name=desk))
        self.bugs: list[str] = []
        self.runs = RunManager(
            store=self.store,
            strategies=StrategyLoader([folder]),
            brokers=self.lasting,
            clock=clock,
            callback_limit_s=5.0,
            on_bug=lambda error, where: self.bugs.append(f"{where}: {error!r}"),
        )

    @property
    def broker(self) -> LastingBroker:
        assert self.lasting.broker is not None
        return self.lasting.broker

    async def ends(self) -> None:
        """The program ends in good order."""
        await self.runs.close()
        await self.store.close()


@asynccontextmanager
async def lasting(folder: Path, **options: Any) -> AsyncIterator[LastingScene]:
    """In virtual time."""
    with virtual_time() if options.get("market") is None else nullcontext():
        scene = LastingScene(folder, **options)
        await scene.store.open()
        try:
            yield scene
        finally:
            await scene.ends()
    assert not scene.bugs, scene.bugs
