"""A process that is killed at one step of the order path; run as `python -m tests.integration.trading.dying FOLDER STEP`."""

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.model.broker import BrokerOrder, BrokerOrderRequest, MayLeave
from core.model.order import OrderStatus
from core.trading.entries import Entry
from tests.unit.trading.desk import opened

BOOKS = "broker.json"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, step: str) -> None:
    broker = FakeBroker(SystemClock().now_ns, path=folder / BOOKS)
    submit = broker.desk.submit

    async def dying(request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        if step == "before the send":
            die()
        taken = await submit(request, may_leave)
        if step == "before the answer":
            die()
        return taken

    broker.desk.submit = dying  # type: ignore[method-assign]
    async with opened(folder, broker) as scene:
        await scene.run()
        order_id = await scene.place(limit="90")
        await scene.until_status(order_id, OrderStatus.ACCEPTED)
        if step == "before the commit of a fill":
            commit = Entry.commit

            async def dying_commit(self: Entry, runs: Any) -> None:
                if self.fills:
                    die()
                await commit(self, runs)

            Entry.commit = dying_commit  # type: ignore[method-assign]
        broker.exchange.execute(scene.broker_id(order_id), Decimal(4), Decimal(90))
        await scene.until_status(order_id, OrderStatus.PARTIALLY_FILLED)
        die()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
