"""A run at the fake Alpaca whose strategy leaves, on a person's word, a position that working exits hold back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.events.envelope import envelope
from core.events.live_payloads import SwitchThrown
from core.events.payloads import OrderFilled
from core.model.order import Order, OrderStatus
from core.model.risk import SwitchLevel
from core.model.run import AccountKind, AccountTerms, Run
from tests.unit.runs.broker_desk import NOON, BrokerDesk, at_broker

WAITS = '''
from pathlib import Path

from core.strategy.api import Bar, BarStrategy


class Leaver(BarStrategy):
    """Opens at once with exits, and leaves in the way that a file beside it names, once."""

    id = "leaver"
    warmup = 2
    opened = protected = left = False

    def on_bar(self, bar: Bar) -> None:
        self.note(" ".join(sorted(self.account.working())))
        if not self.opened and not self.held():
            self.opened = True
            {opens}
        elif self.held() and not self.protected:
            self.protected = True
            {protects}
        elif self.protected and not self.left and (way := Path({word!r})).exists():
            self.left = True
            exec(way.read_text(), {{"self": self, "bar": bar}})
'''
OPENS = {
    "bracket": ("self.buy(10, target=900, stop_loss=100, ref='in')", "pass"),
    "oco": ("self.buy(10, ref='in')", "self.oco('sell', 10, limit=900, stop=100, time_in_force='gtc', reduce_only=True)"),
    "stop": ("self.buy(10, ref='in')", "self.sell(10, stop=100, time_in_force='gtc', ref='stop')"),
    "fraction": ("self.buy(0.5, target=900, stop_loss=100, ref='in')", "pass"),
    "coin": ("self.buy(0.5, target=90000, stop_loss=10000, ref='in')", "pass"),
    "short": ("self.sell(10, target=100, stop_loss=900, ref='in')", "pass"),
}


class Leaving:
    """What a test holds in its hands."""

    def __init__(self, desk: BrokerDesk, run: Run, word: Path) -> None:
        self.desk, self.run, self._word = desk, run, word

    def leave(self, how: str) -> None:
        """Let the strategy do `how` at its next bar."""
        self._word.write_text(how)

    @property
    def state(self) -> Any:
        """The state of the account."""
        work: Any = self.desk.runs._sessions._going[self.run.id]._work
        return work._account.desk.state

    async def throw(self, level: SwitchLevel) -> None:
        """Throw the kill switch, for all."""
        told = SwitchThrown(level=level, reason="A person threw it.")
        now_ns = self.desk.clock.now_ns()
        await self.desk.store.log.append([envelope(told, id=uuid4().hex, ts=now_ns, producer="test")])

    async def rows(self) -> dict[str, Order]:
        found = await self.desk.store.runs.orders(self.run.id)
        return {order.id.removeprefix(f"{self.run.id}-"): order for order in found}

    async def held(self) -> Any:
        """What the run holds, by its stored fills."""
        return sum(fill.qty * fill.side.sign for fill in await self.desk.store.runs.fills(self.run.id))

    def at_broker(self) -> Any:
        """What the account holds at the broker."""
        return self.desk.server.do(lambda: sum((one.qty for one in self.desk.server.book.holdings.values()), Decimal(0)))

    def sales(self) -> list[Any]:
        """What was sold, or is to be, at the market: quantity, what of it is filled, and how that stands."""
        sold = [one for one in self.desk.sent() if one["side"] == "sell" and one["type"] == "market"]
        return [(one["qty"], one["filled_qty"], one["status"]) for one in sold]

    def end_cancels(self) -> None:
        """Let the broker do what it was asked for."""
        book = self.desk.server.book

        def end() -> None:
            for one in list(book.orders.values()):
                if one["status"] == "pending_cancel":
                    book.end(one["id"], "canceled")

        self.desk.server.do(end)

    async def asked_back(self) -> None:
        """Wait until the broker was asked to take something back."""
        server = self.desk.server
        await asyncio.to_thread(server.wait_for, lambda: any(one["status"] == "pending_cancel" for one in server.book.orders.values()))

    async def so(self, wanted: set[tuple[str, str]]) -> None:
        """Wait until this works at the broker, and nothing is owed."""
        work: Any = self.desk.runs._sessions._going[self.run.id]._work
        async with asyncio.timeout(30):
            while self.working() != wanted or work._account.owed.owes:
                await self.state.moved()

    async def refused(self) -> Order:
        """Wait until an order of the strategy's is refused, and return it."""
        await self.desk.until("orders.Rejected")
        (found,) = [order for order in (await self.rows()).values() if order.status is OrderStatus.REJECTED]
        return found

    def over(self, kind: str) -> Any:
        """Over how many units orders of a kind work at the broker."""
        return sum((Decimal(qty) for one, qty in self.working() if one == kind), Decimal(0))

    def working(self) -> set[Any]:
        """What works at the broker: type and quantity."""
        final = {"filled", "canceled", "expired", "rejected", "replaced"}
        return {(one["type"], one["qty"]) for one in self.desk.sent() if one["status"] not in final}

    async def fills(self, count: int) -> list[OrderFilled]:
        return await self.desk.until("orders.Filled", count)


async def begun(desk: BrokerDesk, folder: Path, kind: str, symbol: str = "SPY") -> Leaving:
    """Return a run that holds, once its exits work at the broker."""
    word = folder / "word"
    opens, protects = OPENS[kind]
    (folder / "leaver.py").write_text(WAITS.format(opens=opens, protects=protects, word=str(word)))
    run = await desk.create(strategy_id="leaver", symbols=(symbol,), account=AccountTerms(kind=AccountKind.MARGIN))
    await desk.runs.start(run.id)
    scene = Leaving(desk, run, word)
    await scene.fills(1)
    await desk.until("orders.Accepted", {"bracket": 3, "oco": 3, "stop": 2, "short": 3}.get(kind, 2))
    return scene


@asynccontextmanager
async def leaving(folder: Path, kind: str, symbol: str = "SPY", **options: Any) -> AsyncIterator[Leaving]:
    """The same, at a broker of its own."""
    async with at_broker(folder, start_ns=NOON, **options) as desk:
        yield await begun(desk, folder, kind, symbol)
