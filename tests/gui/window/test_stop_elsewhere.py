"""A run of another process of this desk, a terminal's, is stopped from the window."""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

from app.compose import compose_engine, compose_store
from core.events.envelope import Envelope
from core.model.run import RunConfig, RunMode, RunStatus
from core.settings import Settings
from core.values import ParamValue
from tests.gui.window.conftest import MakeDesk
from tests.gui.window.test_other_desks import until
from tests.integration.store.writers import other_process


def trade(folder: Path, told: Connection) -> None:
    """Let a paper run go on, tell its id once it does, and how it ended."""
    asyncio.run(_trade(folder, told))


async def _trade(folder: Path, told: Connection) -> None:
    settings = Settings({}, {})
    store = compose_store(str(folder / "desk.db"))
    engine = compose_engine(store, folder / "strategies", settings, lambda error, what: told.send(f"{what}: {error!r}"), speed=600)
    await engine.open()
    begun = asyncio.Event()

    def hear(event: Envelope) -> None:
        begun.set()

    try:
        with engine.subscribe("orders.Filled", hear, owner="test"):
            params: dict[str, ParamValue] = {"fast": 2, "slow": 4}
            config = RunConfig(
                strategy_id="sma-cross", symbols=("DEMO/USD",), timeframe="1m", params=params, mode=RunMode.PAPER, broker="sim"
            )
            run = await engine.start_run((await engine.create_run(config)).id)
            await begun.wait()
            told.send(run.id)
            over = await engine.wait_for_run(run.id)
            told.send((str(over.status), over.error))
    finally:
        await engine.close()


async def test_stop_reaches_a_run_of_another_process(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk = await make_desk(database=str(tmp_path / "desk.db"))
    window = desk.window
    with other_process(trade, tmp_path) as other:
        run_id = await asyncio.to_thread(other.pipe.recv)
        await until(desk, lambda: run_id in window.views.runs and window.views.runs.rows[0].run.status is RunStatus.RUNNING)
        window.show_run(run_id)
        await window.settled()
        assert window.acts["stop-run"].isEnabled()
        assert not window.acts["delete-run"].isEnabled()
        window.acts["kill-switch"].trigger()  # not stopped by that: the switch holds it
        await window.settled()
        (said,) = [row.text for row in window.views.activity.rows if row.text.startswith("HALT: ")]
        assert "1 run in another window or terminal goes on: select what is to end and press Stop." in said
        window.acts["stop-run"].trigger()
        assert await asyncio.to_thread(other.pipe.recv) == ("stopped", "It was stopped.")
        await until(desk, lambda: window.views.runs.rows[0].run.status is RunStatus.STOPPED)
        assert window.acts["delete-run"].isEnabled()
    texts = [row.text for row in window.views.activity.rows]
    assert "It is asked to stop, from another window or terminal." in texts
