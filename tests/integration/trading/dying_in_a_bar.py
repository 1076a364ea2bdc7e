"""A process that is killed at an instant of its market, in the middle of a bar.

Run as `python -m tests.integration.trading.dying_in_a_bar FOLDER BEGINS_NS DIES_NS STRATEGY TIMEFRAME SYMBOL…`. Where a run was
interrupted in the folder, it goes on; else one is started.
"""

import asyncio
import sys
from pathlib import Path

from tests.integration.trading.dying import die
from tests.unit.runs.lasting import LastingScene, lasting


async def main(folder: Path, begins_ns: int, dies_ns: int, strategy: str, timeframe: str, symbols: tuple[str, ...]) -> None:
    async with lasting(folder, begins_ns=begins_ns) as scene:
        await begin(scene, strategy, timeframe, symbols)
        await scene.clock.sleep_until(dies_ns)
        die()


async def begin(scene: LastingScene, strategy: str, timeframe: str, symbols: tuple[str, ...]) -> None:
    found = await scene.runs.recover()
    if found:
        await scene.runs.resume(found[0].id)
    else:
        await scene.start(strategy, timeframe=timeframe, symbols=symbols)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5], tuple(sys.argv[6:])))
