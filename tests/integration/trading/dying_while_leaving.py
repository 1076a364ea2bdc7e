"""A process in which a strategy leaves a position that has exits, at a broker over HTTP; run as `python -m … URL FOLDER STEP HOW`.

It dies by itself at STEP: see `dying_while_closing`. HOW: what the strategy does.
"""

import asyncio
import sys
from pathlib import Path
from typing import cast

from tests.broker.desk import At
from tests.broker.server import FakeBroker
from tests.broker.shared_clock import SharedClock
from tests.integration.trading.dying_while_closing import die_at
from tests.unit.runs.broker_desk import broker_desk
from tests.unit.runs.making_way import begun


async def main(url: str, folder: Path, step: str, how: str) -> None:
    async with broker_desk(str(folder / "desk.db"), folder, cast(FakeBroker, At(url)), SharedClock(folder / "clock")) as desk:
        scene = await begun(desk, folder, "bracket")
        die_at(step)
        scene.leave(how)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
