"""Room in SQLite's write-ahead file: made where small commits follow one another, and nothing to whoever reads the file."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from core.events.envelope import Envelope
from core.store.database import DatabaseStore
from core.store.write_ahead import ROOM_BYTES
from tests.contract.samples import StillClock, note

A_FEW = 6
MANY = 60


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[DatabaseStore]:
    store = DatabaseStore(path, StillClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def append_one_by_one(store: DatabaseStore, count: int) -> list[Envelope]:
    return [(await store.log.append([note(f"{number}")]))[0] for number in range(count)]


def length(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


async def test_small_commits_write_over_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    async with opened(path) as store:
        kept = await append_one_by_one(store, MANY)
        before = length(path)
        kept += await append_one_by_one(store, MANY)
        assert length(path) == before >= ROOM_BYTES
        assert await store.log.read() == kept
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'room'").fetchone() == (0,)
    assert path.stat().st_size < ROOM_BYTES, "the room is not carried into the database"
    connection.close()


async def test_a_program_that_writes_little_makes_none(tmp_path: Path) -> None:
    async with opened(tmp_path / "desk.db") as store:
        await append_one_by_one(store, A_FEW)
        assert length(tmp_path / "desk.db") < ROOM_BYTES / 4


async def test_large_commits_make_none(tmp_path: Path) -> None:
    async with opened(tmp_path / "desk.db") as store:
        sizes = []
        for at in range(MANY):
            await store.log.append([note(f"{at} {number}") for number in range(400)])
            sizes.append(length(tmp_path / "desk.db"))
    longest = max(later - earlier for earlier, later in pairwise(sizes))
    assert longest < ROOM_BYTES / 4, "the bytes of each commit, and no more"


async def test_what_a_crash_leaves_behind_the_last_commit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "after").mkdir()
    async with opened(tmp_path / "desk.db") as store:
        kept = await append_one_by_one(store, MANY)
        for name in ("desk.db", "desk.db-wal"):  # as the disk has them when the power fails now
            shutil.copyfile(tmp_path / name, tmp_path / "after" / name)
    assert length(tmp_path / "after" / "desk.db") > ROOM_BYTES
    async with opened(tmp_path / "after" / "desk.db") as store:
        assert await store.log.read() == kept
        assert [event.seq for event in await store.log.append([note("more")])] == [MANY + 1]


@pytest.mark.parametrize("hindrance", ["PRAGMA max_page_count = 200", "full"])
async def test_without_space_commits_go_on_as_they_are(tmp_path: Path, hindrance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "desk.db"
    if hindrance == "full":
        monkeypatch.setattr("core.store.write_ahead._FREE_BYTES", 2**63)
    async with opened(path) as store:
        if hindrance != "full":
            await store._threads.write_and_wait(lambda connection: connection.exec_driver_sql(hindrance).fetchall())
        kept = await append_one_by_one(store, MANY)
        assert length(path) < ROOM_BYTES
        assert await store.log.read() == kept
