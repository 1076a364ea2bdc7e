"""A run at the fake Alpaca whose strategy leaves, on a person's word, a position that working exits hold back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.events.payloads import OrderFilled
from core.model.order import Order, OrderStatus
from core.model.run import Run
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
        if not self.opened:
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
        (account,) = [one for one in self.desk.runs._sessions._desks._held.values()]  # type: ignore[attr-defined]
        return account.opened.result().desk.state

    async def rows(self) -> dict[str, Order]:
        found = await self.desk.store.runs.orders(self.run.id)
        return {order.id.removeprefix(f"{self.run.id}-"): order for order in found}

    async def held(self, symbol: str = "SPY") -> Decimal:
        total = Decimal(0)
        for fill in await self.desk.store.runs.fills(self.run.id):
            total += fill.qty * fill.side.sign
        return total

    def at_broker(self) -> Decimal:
        """What the account holds at the broker."""
        return self.desk.server.do(lambda: sum((one.qty for one in self.desk.server.book.holdings.values()), Decimal(0)))

    def working(self) -> set[tuple[str, str]]:
        """What works at the broker: type and quantity."""
        final = {"filled", "canceled", "expired", "rejected", "replaced"}
        return {(one["type"], one["qty"]) for one in self.desk.sent() if one["status"] not in final}

    async def fills(self, count: int) -> list[OrderFilled]:
        return await self.desk.until("orders.Filled", count)


@asynccontextmanager
async def leaving(folder: Path, kind: str, symbol: str = "SPY", **options: Any) -> AsyncIterator[Leaving]:
    """A run that holds, once its exits work at the broker."""
    word = folder / "word"
    opens, protects = OPENS[kind]
    (folder / "leaver.py").write_text(WAITS.format(opens=opens, protects=protects, word=str(word)))
    async with at_broker(folder, start_ns=NOON, **options) as desk:
        run = await desk.create(strategy_id="leaver", symbols=(symbol,))
        await desk.runs.start(run.id)
        scene = Leaving(desk, run, word)
        await scene.fills(1)
        await desk.until("orders.Accepted", {"bracket": 3, "oco": 3, "stop": 2, "short": 3}.get(kind, 2))
        yield scene


S = OrderStatus
