"""A person gives the position of a run a target and a stop, which the run itself minds where its market takes them as two orders."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InvalidValue
from core.model.hand import HandExits
from core.model.order import OrderStatus
from tests.unit.runs.test_hand import HandScene, lasting_hand

HOLDS = "self.buy(1, note='x') if not self.held() else None\n        return"


async def held_by_a_run(hand: HandScene) -> str:
    hand.scene.strategy(HOLDS)
    run = await hand.scene.start("plain")
    await hand.scene.until("orders.Filled")
    return run.id


def exits(owner_id: str) -> HandExits:
    return HandExits(symbol="DEMO/USD", owner_id=owner_id, target_price=Decimal(10_000_000), stop_loss_price=Decimal(1))


async def test_they_are_the_run_s_own_and_it_minds_the_pair(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        run_id = await held_by_a_run(hand)
        assert [one.open_qty for one in (await hand.view()).positions] == [Decimal(1)]
        stop, target = await hand.account.protect(exits(run_id))
        assert {stop.run_id, target.run_id} == {run_id}
        for order in (stop, target):
            await hand.until(order, OrderStatus.ACCEPTED)
        await hand.account.cancel(stop.id)
        await hand.until(target, OrderStatus.CANCELLED)
        again, _ = await hand.account.protect(exits(run_id))
        await hand.until(again, OrderStatus.ACCEPTED)
        await hand.scene.runs.stop(run_id)
        await hand.until(again, OrderStatus.CANCELLED)


async def test_of_a_run_that_is_over_nobody_would_mind_a_pair(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        run_id = await held_by_a_run(hand)
        await hand.scene.runs.stop(run_id)
        assert [one.open_qty for one in (await hand.view()).positions] == [Decimal(1)]
        with pytest.raises(InvalidValue, match="DEMO/USD cannot be given both exits: its run is over"):
            await hand.account.protect(exits(run_id))
        (stop,) = await hand.account.protect(HandExits(symbol="DEMO/USD", owner_id=run_id, stop_loss_price=Decimal(1)))
        await hand.until(stop, OrderStatus.ACCEPTED)
        assert [one.open_qty for one in (await hand.view()).positions] == [Decimal(0)]
