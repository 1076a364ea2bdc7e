"""A process that is killed in the middle of a paper run; run as `python -m tests.integration.trading.dying_run FOLDER EVENT COUNT`.

With one more argument, the run is to go on for so many minutes.
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from tests.integration.trading.dying import die
from tests.unit.runs.lasting import lasting


async def main(folder: Path, wire: str, count: int, minutes: int | None) -> None:
    async with lasting(folder) as scene:
        await scene.start("keeper", minutes, cash=Decimal(1_000_000))
        await scene.until(wire, count)
        die()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None))
