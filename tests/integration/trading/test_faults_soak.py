"""Orders by the hundred with all faults mixed, seeded: at the end our books are the broker's."""

import asyncio
import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import BrokerRefused
from core.matching.ledger import Refusal
from tests.unit.trading.desk import Scene, opened

LOOK_UPS_S = (0.0, 0.02, 0.05)


async def _mix(scene: Scene, chance: random.Random, orders: int) -> None:
    faults, exchange = scene.broker.faults, scene.broker.exchange
    for number in range(orders):
        price = Decimal(chance.randint(90, 110))
        exchange.show("DEMO", price)
        scene.desk.state.note_price("DEMO", price, 1)
        what = chance.randrange(9)
        faults.double_updates = what == 0
        faults.reorder_updates = what == 1
        faults.lose_updates = chance.randrange(4) if what == 2 else 0
        faults.lose_answers = int(what == 3)
        faults.lose_requests = int(what == 4)
        faults.unreachable = what == 5
        faults.answer_delay_s = 0.01 if what == 6 else 0.0
        if what == 7:
            faults.cut()
        limit = None if chance.random() < 0.5 else str(price + chance.randint(-5, 5))
        order_id = await scene.place(chance.choice(("buy", "sell")), chance.randint(1, 9), limit=limit)
        if chance.random() < 0.3:
            await scene.desk.cancel(order_id)
        for working in [one for one in exchange.orders() if not one.status.is_final]:
            left = (working.qty or Decimal(0)) - working.filled_qty
            if chance.random() < 0.3 and left > 1 and (working.side == "buy" or exchange.account().cash > 0):
                try:
                    exchange.execute(working.id, Decimal(1), price)
                except Refusal:  # the account cannot bear it: then it does not happen
                    continue
            elif chance.random() < 0.1:
                exchange.cancel(working.id)
        if what == 7:
            faults.mend()
        if number % 10 == 0:
            await asyncio.sleep(0)
    faults.__init__()  # type: ignore[misc]  # all is well again


async def _settle(scene: Scene) -> None:
    """Until nothing is under way and a reconciliation finds nothing."""
    state = scene.desk.state
    async with asyncio.timeout(60):
        while True:
            for life in state.working():
                with suppress(BrokerRefused):  # it is over meanwhile
                    if life.order.broker_id is not None:
                        scene.broker.exchange.cancel(life.order.broker_id)
            await scene.desk.reconcile()
            if not state.in_flight and not state.working() and all(life.is_settled for life in state.lives.values()):
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", range(4))
async def test_our_books_are_the_brokers_after_any_mix_of_faults(tmp_path: Path, seed: int) -> None:
    broker = FakeBroker(SystemClock().now_ns, cash=Decimal(10_000_000))
    async with opened(tmp_path, broker, look_ups_s=LOOK_UPS_S) as scene:
        assert scene.desk.comparisons._reconciler is not None
        scene.desk.comparisons._reconciler.settle_ns = 10**9 * 3600  # nothing stops: faults come faster than they could be waited for
        await scene.run()
        await _mix(scene, random.Random(seed), 80)
        await _settle(scene)
        await scene.assert_books_equal()
        assert len(scene.desk.state.lives) == 80
    async with opened(tmp_path, broker, look_ups_s=LOOK_UPS_S) as scene:
        await scene.assert_books_equal()
        assert scene.desk.state.working() == []
