"""A paper run on a PostgreSQL that is stopped and started again: it waits, goes on, and everything is stored once."""

import asyncio
from collections import Counter
from pathlib import Path

from core.clock.realtime import SystemClock
from core.model.desk import Desk
from core.model.findings import Findings
from core.model.run import RunStatus
from core.runs.conservation import check_run
from core.store.database import DatabaseStore
from tests.heard import heard
from tests.postgres import PostgresServer
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.live_desk import live


async def test_a_run_waits_for_a_server_that_is_away_and_goes_on(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, allow_log: AllowLog
) -> None:
    allow_log("does not answer")
    store = DatabaseStore(postgres_url, SystemClock(), busy_timeout_s=0.2, locks=tmp_path / "locks", desk=Desk(id="here", name="here"))
    async with live(tmp_path, store=store, speed=600.0) as scene:
        scene.strategy()
        run = await scene.start()
        before = len(await scene.until("orders.Filled", 2))
        with heard("core.runs.store_away", f"Run {run.id} waits for the store") as waits:
            await asyncio.to_thread(postgres_server.pause)
            try:
                await waits.wait()
            finally:
                await asyncio.to_thread(postgres_server.resume)
        await scene.until("orders.Filled", before + 3)
        over = await scene.runs.stop(run.id)
        assert (over.status, over.error) == (RunStatus.STOPPED, "It was stopped.")
        found = Findings()
        await check_run(over, store, found)
        assert found.report().findings == ()
        events = await store.log.read(run_id=run.id, limit=100_000)
        assert Counter(event.id for event in events).most_common(1)[0][1] == 1
        fills = await store.runs.fills(run.id)
        assert {fill.id.rpartition("/")[2] for fill in fills} == {one.id for one in scene.broker.exchange.executions()}
