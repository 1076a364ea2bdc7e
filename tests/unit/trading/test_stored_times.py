"""What an earlier program stored has the times of its clock; this one's may be behind it by as much as it likes."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.model.instants import DAY_NS
from core.model.order import Order, OrderStatus, RejectCode
from core.store.database import DatabaseStore
from tests.unit.trading.desk import opened

D = Decimal
S = OrderStatus
AHEAD = pytest.mark.parametrize("ahead_ns", [0, DAY_NS], ids=["the same clock", "a clock that was a day ahead"])


async def put(folder: Path, order: Order) -> None:
    store = DatabaseStore(folder / "desk.db", SystemClock())
    await store.open()
    try:
        async with store.runs.begin() as work:
            work.put_orders([order])
    finally:
        await store.close()


@AHEAD
async def test_an_order_that_was_committed_and_not_sent_is_known_not_to_be_there(tmp_path: Path, ahead_ns: int) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        sent = await scene.until_status(await scene.place(limit="90"), S.ACCEPTED)
    times = {"created_ns": sent.created_ns + ahead_ns, "updated_ns": sent.updated_ns + ahead_ns}
    await put(tmp_path, msgspec.structs.replace(sent, id="run-7", status=S.SUBMITTING, broker_id=None, **times))
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        closed = await scene.until_status("run-7", S.REJECTED)
        assert closed.reject_code is RejectCode.NEVER_SENT
        assert scene.status(sent.id) is S.ACCEPTED


@AHEAD
async def test_a_position_that_differs_is_seen_whatever_the_clock_says_of_its_orders(tmp_path: Path, ahead_ns: int) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(100))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        filled = await scene.until_status(await scene.place(), S.FILLED)
    await put(tmp_path, msgspec.structs.replace(filled, updated_ns=filled.updated_ns + ahead_ns))
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await scene.run()
        holding = scene.desk.state.books["run"].holdings["DEMO"]
        holding.qty += 1  # our books are wrong by one
        await scene.desk.reconcile()
        await scene.desk.reconcile()
        assert any("DEMO" in reason for reason in scene.stopped)
