"""A process in which a person turns a position around at a broker over HTTP; run as `python -m … URL FOLDER STEP`.

It dies by itself when the second order is committed, or waits to be killed.
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.model.hand import HandOrder
from core.model.order import OrderSide, OrderStatus
from core.trading.entries import Entry
from tests.broker.desk import At
from tests.integration.trading.dying import die
from tests.integration.trading.hand_over_http import by_hand

SECOND = "after the commit of the second order"


def die_at_second() -> None:
    """Die when the order that opens is committed, before it is sent."""
    commit = Entry.commit

    async def dying(self: Entry, runs: Any) -> None:
        await commit(self, runs)
        if any(order_id.endswith(".turn") for order_id in self.lives):
            die()

    Entry.commit = dying  # type: ignore[method-assign]


async def main(url: str, folder: Path, step: str) -> None:
    async with by_hand(folder, At(url)) as account:
        state = account.desk.state
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=Decimal(3)))
        await state.until(lambda: state.lives[entry.id].order.status is OrderStatus.FILLED)
        if step == SECOND:
            die_at_second()
        await account.reverse("SPY", account.run.id)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
