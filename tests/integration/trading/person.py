"""A person who trades beside the strategies, by a seed: places, changes, cancels, closes and turns around, whosever it is."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, Final

from core.errors import KnownError
from core.model.broker import AccountName
from core.model.hand import OUTSIDE, HandOrder, OrderTerms, TradingAccount
from core.model.order import OrderSide, OrderType
from core.model.run import BY_HAND, Run, RunConfig, RunMode, RunStatus
from core.runs.desks import OpenAccount
from core.runs.hand_account import HandAccount
from core.runs.owed_exits import OwedExits
from tests.broker.desk import WireScene
from tests.unit.trading.desk import bug

BOOK: Final = "person"
"""The id of the run that holds the person's orders."""
WISHES: Final = ("place", "change", "cancel", "close", "close a part", "reverse")


class Person:
    """`act` does one thing or another. `did`: how often each was asked for, `refused`: and how often it was said no."""

    def __init__(self, account: HandAccount, chance: random.Random) -> None:
        self._account = account
        self._chance = chance
        self.did: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def act(self) -> None:
        """Do something; what cannot be is refused in words, and changes nothing."""
        begun = sum(self.did.values())
        wish = WISHES[begun] if begun < len(WISHES) else self._chance.choice((*WISHES, "place", "place", "change", "change"))
        self.did[wish] += 1
        try:
            await getattr(self, f"_{wish.replace(' ', '_')}")()
        except KnownError:
            self.refused[wish] += 1

    async def _place(self) -> None:
        chance = self._chance
        exits: dict[str, Any] = {}
        side = OrderSide(chance.choice(("buy", "buy", "sell")))
        if chance.random() < 0.5:
            exits["stop_loss_price"] = Decimal(350 if side is OrderSide.BUY else 450)
        if chance.random() < 0.5:
            exits["target_price"] = Decimal(450 if side is OrderSide.BUY else 350)
        price = Decimal(chance.randint(380, 420))
        qty = Decimal(chance.randint(1, 9))
        await self._account.place(HandOrder(symbol="SPY", side=side, qty=qty, type=OrderType.LIMIT, limit_price=price, **exits))

    async def _change(self) -> None:
        working = [life for life in self._account.desk.state.working() if life.order.broker_id is not None and life.changing is None]
        if working:
            order, chance = self._chance.choice(working).order, self._chance
            request = order.request
            # An exit is not made larger: over more than its entry bought it would be what the person wanted.
            qty = {"qty": Decimal(chance.randint(1, 12 if order.parent_id is None else int(request.qty)))}
            prices = {
                field: price + chance.choice((-1, 1))
                for field in ("limit_price", "stop_price")
                if (price := getattr(request, field)) is not None
            }
            await self._account.change(order.id, OrderTerms(**chance.choice((qty, prices, prices | qty))))

    async def _cancel(self) -> None:
        working = (await self._account.view()).working
        if working:
            await self._account.cancel(self._chance.choice(working).id)

    async def _close(self) -> None:
        await self._account.close("SPY", self._owner())

    async def _close_a_part(self) -> None:
        await self._account.close("SPY", self._owner(), Decimal(self._chance.randint(1, 4)))

    async def _reverse(self) -> None:
        await self._account.reverse("SPY", self._owner())

    def _owner(self) -> str:
        return self._chance.choice((BOOK, BOOK, "run", OUTSIDE))


@asynccontextmanager
async def by_hand(scene: WireScene, chance: random.Random) -> AsyncIterator[Person]:
    """Let a person trade at the desk of a scene for the length of the block; its book goes on with what it was before."""
    config = RunConfig(strategy_id=BY_HAND, symbols=(), timeframe="1m", mode=RunMode.PAPER, broker="alpaca")
    run = Run(id=BOOK, config=config, status=RunStatus.RUNNING, created_ns=1)
    if await scene.store.runs.run(BOOK) is None:
        async with scene.store.runs.begin() as work:
            work.put_run(run)
    about = TradingAccount(broker_id="alpaca", account=AccountName.PAPER, title="Alpaca paper", is_real_money=False)
    owed = OwedExits(scene.desk, bug)
    await owed.recall(scene.store.log, scene.store.runs)
    opened = OpenAccount(AccountName.PAPER, "PA3FAKE00001", scene.link, scene.desk, owed, "here")

    async def names() -> dict[str, str]:
        return {}

    account = HandAccount(opened, run, about, names, runs=scene.store.runs, log=scene.store.log)
    await account.remember()
    with account.seated():
        async with asyncio.TaskGroup() as group:
            going_on = group.create_task(account.go_on())
            keeping = group.create_task(owed.keep())
            try:
                yield Person(account, chance)
            finally:
                account.leave()
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await going_on
    assert account.failure is None
