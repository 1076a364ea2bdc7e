"""A strategy leaves a position whose exits make way, on a PostgreSQL that is stopped and started again in between."""

import asyncio
from pathlib import Path

from tests.broker.bench import fake_broker
from tests.broker.market import Market
from tests.broker.shared_clock import SharedClock
from tests.heard import heard
from tests.postgres import PostgresServer
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.broker_desk import NOON, broker_desk
from tests.unit.runs.making_way import begun


async def test_a_strategy_leaves_its_position_once_when_the_store_is_back(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, allow_log: AllowLog
) -> None:
    allow_log("does not answer")
    with fake_broker() as server:
        clock = SharedClock.begin(tmp_path / "clock", NOON, 120)
        with Market(server, clock, {"SPY": 400.0}, days=7).running():
            async with broker_desk(postgres_url, tmp_path, server, clock) as desk:
                scene = await begun(desk, tmp_path, "bracket")
                server.book.cancel_slowly = True
                scene.leave("self.sell(10)")
                await scene.asked_back()
                with heard("core.runs.store_away", f"Run {scene.run.id} waits for the store") as waits:
                    await asyncio.to_thread(postgres_server.pause)
                    try:
                        scene.end_cancels()
                        await waits.wait()
                        assert (scene.sales(), scene.at_broker()) == ([], 10)
                    finally:
                        await asyncio.to_thread(postgres_server.resume)
                await scene.fills(2)
                await scene.so(set())
                assert (scene.sales(), scene.at_broker()) == ([("10", "10", "filled")], 0)
                server.book.cancel_slowly = False
                await desk.runs.stop(scene.run.id)
