"""Snapshots of an account while others write, and when the process is killed that writes them: never anything but what the rows come to."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.store.database import DatabaseStore
from core.trading.account_past import AccountPast
from tests.account_history import History, assert_equal
from tests.unit.trading.desk import KEY

KILLS = 6


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'desk.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


async def test_a_desk_that_is_killed_while_it_folds_leaves_a_snapshot_or_none(url: str, tmp_path: Path) -> None:
    chance, clock = random.Random(7), SystemClock()
    for kill in range(1, KILLS + 1):
        command = (sys.executable, "-m", "tests.integration.trading.folding", url, str(kill))
        desk = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert desk.stdout is not None
        for _ in range(chance.randint(3, 25)):
            assert await desk.stdout.readline() == b"folded\n"
        desk.kill()
        await desk.communicate()
        store = DatabaseStore(url, clock, locks=tmp_path)
        await store.open()
        try:
            assert await store.runs.account_snapshot(KEY) is not None
            await assert_equal(store, clock)
        finally:
            await store.close()


async def test_a_desk_folds_while_another_trades(url: str, tmp_path: Path) -> None:
    clock = SystemClock()
    here, there = (DatabaseStore(url, clock, locks=tmp_path) for _ in range(2))
    await here.open()
    await there.open()
    history, folds = History(here, 5), 0
    await history.begin()

    async def trade() -> None:
        acts = 0
        while acts < 120 or folds <= 3:  # a busy machine folds seldom
            await history.act()
            acts += 1

    try:
        async with asyncio.TaskGroup() as group:
            trading = group.create_task(trade())
            while not trading.done():
                async for _ in AccountPast(KEY, there.runs, clock).folded(history.now_ns):
                    await asyncio.sleep(0)
                folds += 1
        await assert_equal(here, clock)
        await assert_equal(there, clock)
    finally:
        await there.close()
        await here.close()
