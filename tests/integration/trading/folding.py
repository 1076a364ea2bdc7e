"""A desk's process that trades and folds what it did until it is killed: `python -m … DATABASE SEED`; a line for each fold."""

import asyncio
import sys

from core.clock.realtime import SystemClock
from core.store.database import DatabaseStore
from core.trading.account_past import AccountPast
from tests.account_history import History
from tests.unit.trading.desk import KEY


async def main(url: str, seed: int) -> None:
    """Go on for ever."""
    clock = SystemClock()
    store = DatabaseStore(url, clock)
    await store.open()
    history = History(store, seed, first=10_000 * seed)
    await history.begin()
    while True:
        await history.act()
        async for _ in AccountPast(KEY, store.runs, clock).folded(history.now_ns):
            pass
        sys.stdout.write("folded\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
