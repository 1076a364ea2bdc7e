"""Orders whose cancel the broker does not take when their run ends: that is told, and the next opening of the account cancels them."""

import asyncio
from pathlib import Path

from core.brokers.sim import ID
from core.model.broker import AccountName
from core.model.order import OrderStatus
from core.model.run import RunStatus
from tests.unit.runs.lasting import lasting


async def test_what_a_run_leaves_is_told_at_its_end_and_cancelled_at_the_next_opening(tmp_path: Path) -> None:
    async with lasting(tmp_path) as scene:
        scene.strategy()
        run = await scene.start()
        await scene.until("orders.Accepted", 3)
        faults = scene.broker.faults
        faults.keys_refused = True
        faults.cut()
        after = await scene.over(run)
        assert after.status is RunStatus.ERROR
        assert after.error_code == "keys_refused"
        left = [one.id for one in await scene.store.runs.orders(run.id) if not one.status.is_final]
        assert left
        assert "Orders of it that work on at the broker, which did not take their cancel yet: " in (after.error or "")
    async with lasting(tmp_path) as scene:
        account = await scene.runs.connect_by_hand(ID, AccountName.PAPER, "")
        async with asyncio.timeout(20):
            await account.desk.state.until(lambda: not account.desk.state.working())
        rows = {one.id: one.status for one in await scene.store.runs.orders(run.id)}
        assert OrderStatus.CANCELLED in {rows[each] for each in left}
