"""A database that cannot be used ends in a plain sentence, and what was committed stays."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DatabaseBusy, DatabaseNewer, DiskFull, StoreError, StoreReadOnly
from core.events.envelope import Envelope
from core.store.database import DatabaseStore
from core.store.dialect import driver
from core.store.writer import Job
from tests.contract.samples import KEY, StillClock, bars, note, result, run, same_bars
from tests.integration.store.writers import hold_the_lock, open_as_nobody, other_process


async def made(path: Path) -> None:
    """A database with something in it."""
    store = DatabaseStore(path, StillClock())
    await store.open()
    await store.log.append([note("kept")])
    await store.close()


async def refused(path: Path, error: type[StoreError], *, busy_timeout_s: float = 5.0) -> str:
    """The sentence with which a store at `path` refuses to open."""
    store = DatabaseStore(path, StillClock(), busy_timeout_s=busy_timeout_s)
    with pytest.raises(error) as raised:
        await store.open()
    assert type(raised.value) is error
    assert raised.value.todo
    await store.close()
    return str(raised.value)


async def test_a_database_from_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    await made(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    sentence = await refused(path, DatabaseNewer)
    assert "newer version" in sentence
    assert "--db" in sentence
    assert path.read_bytes() == before


async def test_a_database_that_another_process_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    store = DatabaseStore(path, StillClock(), busy_timeout_s=0.05)
    await store.open()
    await store.log.append([note("kept")])
    with other_process(hold_the_lock, path) as other:
        assert other.pipe.recv() == "locked"
        assert "locked by another process" in await refused(path, DatabaseBusy, busy_timeout_s=0.05)
        with pytest.raises(DatabaseBusy, match=r"desk\.db is locked"):
            await store.log.append([note("refused")])
        assert len(await store.log.read()) == 1  # reading goes on
        other.pipe.send("let go")
        assert other.pipe.recv() == "free"
    assert [event.seq for event in await store.log.append([note("after")])] == [2]
    await store.close()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, b"time,open,high\n" * 500])
async def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    assert "is not a database" in await refused(path, StoreError)
    assert path.read_bytes() == content


async def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    assert "another program" in await refused(path, StoreError)


async def test_a_path_that_is_a_directory_or_leads_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "directory.db").mkdir()
    (tmp_path / "file").write_text("x")
    assert "directory.db" in await refused(tmp_path / "directory.db", StoreError)
    assert "desk.db" in await refused(tmp_path / "file" / "desk.db", StoreError)


async def test_a_torn_database(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    store = DatabaseStore(path, StillClock())
    await store.open()
    await store.log.append([note(str(number)) for number in range(5_000)])
    await store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])

    torn = DatabaseStore(path, StillClock())
    with pytest.raises(StoreError, match="damaged"):
        await _open_and_read(torn)
    await torn.close()


async def _open_and_read(store: DatabaseStore) -> None:
    await store.open()
    await store.log.read(limit=10_000)


async def test_a_write_ahead_log_that_was_cut_off_loses_only_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    store = DatabaseStore(path, StillClock())
    await store.open()
    for number in range(50):
        await store.log.append([note(str(number))])
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    log = (tmp_path / "desk.db-wal").read_bytes()
    (tmp_path / "copy.db-wal").write_bytes(log[: log.index(b'{"text":"33"}')])  # in the middle of a page of the 34th commit
    await store.close()

    again = DatabaseStore(copy, StillClock())
    await again.open()
    seqs = [event.seq for event in await again.log.read()]
    assert seqs == list(range(1, 34))
    assert [event.seq for event in await again.log.append([note("next")])] == [34]
    await again.close()


async def test_stored_columns_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    store = DatabaseStore(path, StillClock())
    await store.open()
    await store.bars.merge(KEY, bars([1, 2, 3]))
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_result(result())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE bar_chunks SET data = substr(data, 1, length(data) - 4)")
        connection.execute("UPDATE results SET arrays = x'0102'")
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        await store.bars.read(KEY)
    with pytest.raises(StoreError, match="damaged"):
        await store.bars.merge(KEY, bars([1, 2, 4]))
    with pytest.raises(StoreError, match="damaged"):
        await store.runs.result("run-1")
    await store.close()


# --- a full disk ---


async def fill_up(store: DatabaseStore) -> list[Envelope]:
    """Append until the disk is full, and return what was appended."""
    kept: list[Envelope] = []

    async def fill() -> None:
        while len(kept) < 100_000:
            kept.extend(await store.log.append([note(f"{len(kept) + index}" + "x" * 500) for index in range(100)]))

    with pytest.raises(DiskFull, match="full") as raised:
        await fill()
    assert raised.value.todo
    return kept


async def test_a_database_that_may_not_grow(tmp_path: Path) -> None:
    store = DatabaseStore(tmp_path / "desk.db", StillClock())
    await store.open()
    store._threads.write(Job(lambda connection: driver(connection).execute("PRAGMA max_page_count = 300").fetchall(), lambda *_: None))
    told: list[Envelope] = []
    with store.log.subscribe("*", told.append, owner="test"):
        kept = await fill_up(store)
        with pytest.raises(DiskFull):
            await store.bars.merge(KEY, bars(list(range(300_000)), [float(price**0.5) for price in range(300_000)]))
    assert told == kept
    assert await store.log.read(limit=100_000) == kept
    assert await store.bars.sets() == []
    async with store.runs.begin() as work:
        work.put_run(run())  # what fits into a page that is there still goes in
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where the machine lets us make one."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root on Linux can make a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk(small_disk: Path) -> None:
    store = DatabaseStore(small_disk / "desk.db", StillClock())
    await store.open()
    kept = await fill_up(store)
    assert await store.log.read(limit=100_000) == kept
    await store.close()

    again = DatabaseStore(small_disk / "desk.db", StillClock())
    await again.open()
    assert await again.log.read(limit=100_000) == kept
    await again.close()


async def test_a_disk_that_is_full_from_the_start(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1_048_576))
    await refused(small_disk / "desk.db", DiskFull)


# --- what may not be written ---


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that another person can look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755)


def opened_by_another(path: Path) -> str:
    """What somebody who may not write everywhere is told."""
    with other_process(open_as_nobody, path) as other:
        return str(other.pipe.recv())


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of directories mean something else there")
def test_a_directory_that_may_not_be_written(directory: Path) -> None:
    directory.chmod(0o555)
    said = opened_by_another(directory / "data" / "desk.db")
    assert said.startswith("StoreReadOnly"), said
    assert "--db" in said


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of directories mean something else there")
async def test_a_database_that_may_not_be_written(directory: Path) -> None:
    path = directory / "desk.db"
    await made(path)
    for item in (path, path.with_name("desk.db.owners"), directory):
        item.chmod(0o555 if item.is_dir() else 0o444)
    said = opened_by_another(path)
    assert said.startswith("StoreReadOnly"), said

    path.with_name("desk.db.owners").chmod(0o777)
    said = opened_by_another(path)
    assert said.startswith("StoreReadOnly"), said
    assert "desk.db cannot be written" in said


async def test_a_store_that_turns_read_only_keeps_what_it_has(tmp_path: Path) -> None:
    store = DatabaseStore(tmp_path / "desk.db", StillClock())
    await store.open()
    await store.log.append([note("kept")])
    await store.bars.merge(KEY, bars([1]))
    store._threads.write(Job(lambda connection: driver(connection).execute("PRAGMA query_only = ON").fetchall(), lambda *_: None))
    with pytest.raises(StoreReadOnly, match=r"desk\.db cannot be written"):
        await store.log.append([note("refused")])
    with pytest.raises(StoreReadOnly):
        await store.bars.merge(KEY, bars([2]))
    assert len(await store.log.read()) == 1
    assert same_bars(await store.bars.read(KEY), bars([1]))
    await store.close()
