"""A process in which a person closes a position that has exits, at a broker over HTTP; run as `python -m … URL FOLDER STEP QTY`.

It dies by itself at STEP: before or after a commit, or a request that is on its way. QTY 0: all of it is closed.
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.brokers.alpaca.order_desk import AlpacaOrderDesk
from core.events.live_payloads import ExitsOwed, ExitsOwedNoMore
from core.trading.entries import Entry
from tests.broker.desk import At
from tests.integration.trading.dying import die
from tests.integration.trading.hand_over_http import by_hand
from tests.integration.trading.test_partial_close_over_http import held_with

STEPS = (
    "before the commit of what is owed",
    "after the commit of what is owed",
    "before the cancel",
    "after the cancel",
    "before the commit of the exits",
    "after the commit of the exits",
    "after the sending of the exits",
    "before the commit of the sale",
    "after the commit of the sale",
    "after the sending of the sale",
    "before the commit of the end",
    "after the commit of the end",
)


def die_at(step: str) -> None:
    """Die there, the next time that it comes to it."""
    when, _, what = step.partition(" the ")
    commit = Entry.commit

    def is_meant(entry: Entry) -> bool:
        if what in {"commit of what is owed", "commit of the end"}:
            kind = ExitsOwed if what.endswith("owed") else ExitsOwedNoMore
            return any(isinstance(event.payload, kind) for event in entry.events)
        sent = [life.order for life in entry.lives.values() if any(event.type == "orders.Submitted" for event in entry.events)]
        return any((".back" in order.id) is what.endswith("exits") for order in sent)

    async def dying(self: Entry, runs: Any) -> None:
        meant = what.startswith("commit") and is_meant(self)
        if meant and when == "before":
            die()
        await commit(self, runs)
        if meant:
            die()

    Entry.commit = dying  # type: ignore[method-assign]
    submit, cancel = AlpacaOrderDesk.submit, AlpacaOrderDesk.cancel

    async def submitting(self: Any, request: Any, *asked: Any) -> Any:
        answer = await submit(self, request, *asked)
        if what.startswith("sending") and (".back" in request.client_order_id) is what.endswith("exits"):
            die()
        return answer

    async def cancelling(self: Any, order_id: str) -> None:
        if what == "cancel" and when == "before":
            die()
        await cancel(self, order_id)
        if what == "cancel":
            die()

    AlpacaOrderDesk.submit = submitting  # type: ignore[method-assign,assignment]
    AlpacaOrderDesk.cancel = cancelling  # type: ignore[method-assign]


async def main(url: str, folder: Path, step: str, qty: str) -> None:
    async with by_hand(folder, At(url)) as account:
        await held_with(account, stop_loss_price=Decimal(380), target_price=Decimal(420))
        die_at(step)
        await account.close("SPY", account.run.id, Decimal(qty) or None)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
