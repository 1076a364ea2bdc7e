"""A broker that takes the connection and says nothing: whoever stops the run or lets the account go does not wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from core.errors import NotConnected
from core.model.broker import AccountName
from core.model.run import RunStatus
from tests.broker.server import FakeBroker
from tests.broker.shared_clock import SharedClock
from tests.unit.runs.broker_desk import START_NS, BrokerDesk, broker_desk

LONG_S = 20.0
"""Less than the broker is given to answer one question."""


class SilentBroker:
    """Takes connections and never answers."""

    def __init__(self, port: int, taken: asyncio.Event) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.taken = taken


@asynccontextmanager
async def silent_broker() -> AsyncIterator[SilentBroker]:
    taken = asyncio.Event()

    def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        taken.set()

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield SilentBroker(server.sockets[0].getsockname()[1], taken)
    finally:
        server.close()
        for writer in writers:
            writer.close()


@asynccontextmanager
async def at_silent_broker(folder: Path) -> AsyncIterator[tuple[SilentBroker, BrokerDesk]]:
    async with silent_broker() as broker:
        clock = SharedClock.begin(folder / "clock", START_NS, 1)
        async with broker_desk(str(folder / "desk.db"), folder, cast(FakeBroker, broker), clock) as desk:
            yield broker, desk


async def test_whoever_gives_up_starting_a_run_there_is_let_go_at_once(tmp_path: Path) -> None:
    async with at_silent_broker(tmp_path) as (broker, desk), asyncio.timeout(LONG_S):
        run = await desk.create()
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(desk.runs.start(run.id), name="starting")
            await broker.taken.wait()
            starting.cancel()
        assert starting.cancelled()
        assert (await desk.runs.get(run.id)).status is RunStatus.PENDING


async def test_the_program_ends_while_an_account_is_being_connected(tmp_path: Path) -> None:
    async with at_silent_broker(tmp_path) as (broker, desk), asyncio.timeout(LONG_S):
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(_refused(desk), name="connecting")
            await broker.taken.wait()
            await desk.runs.by_hand.disconnect("alpaca", AccountName.PAPER)
        assert "was let go before it was connected" in connecting.result()
        broker.taken.clear()
        async with asyncio.TaskGroup() as group:  # and it can be tried anew
            again = group.create_task(_refused(desk), name="connecting")
            await broker.taken.wait()
            await desk.runs.close()
        assert "was let go" in again.result()


async def test_one_who_gives_up_does_not_take_it_from_another(tmp_path: Path) -> None:
    async with at_silent_broker(tmp_path) as (broker, desk), asyncio.timeout(LONG_S):
        runs = [await desk.create(), await desk.create()]
        async with asyncio.TaskGroup() as group:
            one, other = [group.create_task(desk.runs.start(run.id), name=f"starting-{run.id}") for run in runs]
            await broker.taken.wait()
            one.cancel()
            await asyncio.wait({one})
            assert not other.done()
            other.cancel()


async def _refused(desk: BrokerDesk) -> str:
    with pytest.raises(NotConnected) as refused:
        await desk.runs.connect_by_hand("alpaca", AccountName.PAPER, "")
    return str(refused.value)
