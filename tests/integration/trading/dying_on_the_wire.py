"""A process that trades at a broker over HTTP until it dies; run as `python -m … URL FOLDER STEP WHAT`.

WHAT is an order, or a bracket. It dies by itself at STEP, or does what comes before and waits to be killed.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from core.model.order import OrderStatus
from core.trading.entries import Entry
from tests.broker.desk import At, WireScene, wired


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


MEANT = {"a fill": "orders.Filled", "the order": "orders.Submitted", "an entry": "live.EntryTaken"}


def die_at_commit(when: str, what: str) -> None:
    """Die before or after the next commit that sends an order, that books a fill, or what the broker booked."""
    commit = Entry.commit

    async def dying(self: Entry, runs: Any) -> None:
        is_meant = bool(self.fills) if what == "a fill" else any(event.type == MEANT[what] for event in self.events)
        if is_meant and when == "before":
            die()
        await commit(self, runs)
        if is_meant:
            die()

    Entry.commit = dying  # type: ignore[method-assign]


async def trade(scene: WireScene, step: str, *, is_bracket: bool) -> None:
    await scene.run()
    when, _, what = step.partition(" the commit of ")
    if what:
        die_at_commit(when, what)
    if is_bracket:
        await scene.place_with_exits()
    else:
        await scene.place(limit="390")
    if step == "before the answer":
        await asyncio.Event().wait()  # the broker has it, says nothing, and whoever started us kills us
    await scene.until_status("run-1", OrderStatus.ACCEPTED)
    if step == "before the answer to a cancel":
        await scene.desk.cancel("run-1")
    await asyncio.Event().wait()  # the market fills it, or we are killed


async def main(url: str, folder: Path, step: str, what: str) -> None:
    async with wired(folder, At(url)) as scene:
        await trade(scene, step, is_bracket=what == "bracket")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
