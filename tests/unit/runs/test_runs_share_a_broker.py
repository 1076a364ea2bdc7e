"""Several runs on one account at a broker that lets one connection to its market in."""

from pathlib import Path

import numpy as np

from core.model.instants import MINUTE_NS
from core.model.run import RunStatus
from core.runs.recorded_bars import recorded
from tests.unit.runs.broker_desk import at_broker


async def test_two_runs_hear_the_market_by_one_connection_and_miss_nothing(tmp_path: Path) -> None:
    async with at_broker(tmp_path, speed=60) as desk:
        desk.server.do(lambda: setattr(desk.server, "one_market_stream", True))
        first = await desk.runs.start((await desk.create()).id)
        await desk.until("orders.Filled")
        second = await desk.runs.start((await desk.create(symbols=("ETH/USD",))).id)
        filled = desk.store.runs.fills
        while not await filled(second.id):
            await desk.until("orders.Filled", len(await desk.store.log.read(pattern="orders.Filled", limit=10_000)) + 1)
        for run, symbol in ((first, "BTC/USD"), (second, "ETH/USD")):
            stopped = await desk.runs.stop(run.id)
            assert (stopped.status, stopped.error) == (RunStatus.STOPPED, "It was stopped.")
            seen = await desk.store.bars.read(recorded(run.id, symbol, "1m"))
            assert set(np.diff(seen.start_ns).tolist()) == {MINUTE_NS}
            assert {fill.symbol for fill in await filled(run.id)} == {symbol}
        subscribed = desk.server.do(lambda: [message["bars"] for message in desk.server.subscribed])
        assert subscribed[0] == ["BTC/USD"]
        assert ["BTC/USD", "ETH/USD"] in [sorted(symbols) for symbols in subscribed]
