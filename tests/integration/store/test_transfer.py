"""Everything goes to one file and comes back equal, or not at all."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.errors import DatabaseNewer, StoreError, UnreadableFile
from core.model.result import Progress
from core.model.risk import EquityMark
from core.ports import Store
from core.runs.checking import check_store
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from core.store.migration import HEAD
from core.store.transfer import carried_tables
from tests.contract.paper_samples import AFTERWARDS, BUYING, OPENING
from tests.contract.samples import note, run, same_bars, same_result
from tests.integration.store.care_desk import fill_desk, manager_of, opened, ran

ROOT = Path(__file__).resolve().parents[3]


def quiet(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a bit of everything, a deleted run and chains of hashes."""
    folder = tmp_path_factory.mktemp("desk")

    async def make() -> None:
        async with opened(DatabaseStore(folder / "desk.db", SystemClock(), hash_chain=True)) as store:
            await fill_desk(store, folder)
            manager = manager_of(store, folder)
            gone = await ran(manager, seed=9)
            await manager.delete(gone.id)
            await manager.close()
            (first, _) = await store.bars.sets()
            await store.bars.seal(first.key, sealed=True)
            await store.paper.save(OPENING)
            await store.paper.save(BUYING)

    asyncio.run(make())
    with sqlite3.connect(folder / "desk.db") as db:
        db.execute("INSERT INTO consumer_offsets VALUES ('mail', 17, 5)")
    db.close()
    return folder / "desk.db"


@pytest.fixture(scope="module")
def exported(desk: Path) -> Path:
    """The file of all of it."""
    path = desk.with_name("everything.weaver")

    async def export() -> None:
        async with opened(DatabaseStore(desk, SystemClock())) as store:
            await store.care.export_to(path, quiet)

    asyncio.run(export())
    return path


@pytest.fixture(scope="module")
def whole(exported: Path) -> bytes:
    """What is in that file."""
    return exported.read_bytes()


def tables_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as db:
        found = {
            table.name: db.execute(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.primary_key.columns.keys())}").fetchall()
            for table in carried_tables()
        }
    db.close()
    return found


async def same_stores(one: Store, other: Store) -> None:
    assert await one.runs.runs() == await other.runs.runs()
    for each in await one.runs.runs():
        assert await one.runs.orders(each.id) == await other.runs.orders(each.id)
        assert await one.runs.fills(each.id) == await other.runs.fills(each.id)
        first, second = await one.runs.result(each.id), await other.runs.result(each.id)
        assert first is not None
        assert second is not None
        assert same_result(first, second)
    assert await one.log.read(limit=10**9) == await other.log.read(limit=10**9)
    assert await one.bars.sets() == await other.bars.sets()
    for held in await one.bars.sets():
        assert same_bars(await one.bars.read(held.key), await other.bars.read(held.key))
    assert await one.actions.read_all() == await other.actions.read_all()
    assert await one.paper.load("sim") == await other.paper.load("sim")


async def test_every_table_comes_back_equal(desk: Path, exported: Path, tmp_path: Path) -> None:
    steps: list[Progress] = []
    async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
        transfer = await store.care.import_from(exported, steps.append)
        assert (await check_store(store, quiet)).findings == ()
    before, after = tables_of(desk), tables_of(tmp_path / "new.db")
    assert {name: len(rows) for name, rows in before.items()} == transfer.rows
    assert all(
        before[name] for name in ("outbox", "deleted_seqs", "event_hashes", "bar_chunks", "results", "consumer_offsets", "paper_executions")
    )
    for name, rows in before.items():
        assert after[name] == rows, name
    assert any(step.what.startswith("Reading ") for step in steps)


async def test_what_comes_next_goes_on_with_the_numbers(desk: Path, exported: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        last = (await store.log.read(limit=10**9))[-1].seq
    async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
        await store.care.import_from(exported, quiet)
        async with store.runs.begin() as work:
            work.put_run(run("next", created_ns=2**62))
        (event,) = await store.log.append([note("next", run_id=None)])
        assert event.seq > last
        assert (await store.runs.runs())[0].id == "next"


async def test_through_memory_and_back(desk: Path, exported: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store, opened(MemoryStore(SystemClock())) as memory:
        await memory.care.import_from(exported, quiet)
        await same_stores(store, memory)
        assert await memory.paper.load("sim") == AFTERWARDS
        assert (await check_store(memory, quiet)).findings == ()
        await memory.care.export_to(tmp_path / "again.weaver", quiet)
        async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as again:
            await again.care.import_from(tmp_path / "again.weaver", quiet)
            await same_stores(store, again)
            assert (await check_store(again, quiet)).findings == ()
        with pytest.raises(StoreError, match="not empty"):
            await memory.care.import_from(exported, quiet)
    before, after = tables_of(desk), tables_of(tmp_path / "new.db")
    assert list(before) == list(after)
    for name, rows in before.items():
        # Memory counts its rows and the changes of its bars anew.
        alike = (
            [row[1:] for row in after[name]] == [row[1:] for row in rows] if name in {"runs", "orders", "fills"} else after[name] == rows
        )
        assert alike or name == "bar_sets", name


async def test_what_was_done_in_memory_is_carried_whole(tmp_path: Path) -> None:
    async with opened(MemoryStore(SystemClock(), hash_chain=True)) as memory:
        await fill_desk(memory, tmp_path)
        manager = manager_of(memory, tmp_path)
        gone = await ran(manager, seed=9)
        await manager.delete(gone.id)
        await manager.close()
        async with memory.runs.begin() as work:
            work.advance("mail", 0, 17)
            work.put_equity_mark(EquityMark(owner="run-1", peak=Decimal("1.50"), day=3, day_start=Decimal(1), seq=5))
        await memory.care.export_to(tmp_path / "all.weaver", quiet)
        async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
            await store.care.import_from(tmp_path / "all.weaver", quiet)
            await same_stores(memory, store)
            report = await check_store(store, quiet)
            assert report.findings == ()
            assert report.counts["chains"] == 4  # of three runs, and of the word that the fourth was deleted
            assert await store.log.offset("mail") == 17
            assert await store.runs.equity_mark("run-1") == await memory.runs.equity_mark("run-1")
            run_id = (await store.runs.runs())[0].id
            chain = await store.care.verify_chain(run_id, quiet)
            assert (chain.first_changed, chain.hashed) == (None, chain.events)
        async with opened(MemoryStore(SystemClock())) as again:
            await again.care.import_from(tmp_path / "all.weaver", quiet)
            await again.care.export_to(tmp_path / "again.weaver", quiet)
    assert members_of(tmp_path / "all.weaver") == members_of(tmp_path / "again.weaver")


def members_of(path: Path) -> dict[str, bytes]:
    """What a file of everything holds, but for its date."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "head.json"}


async def refused(tmp_path: Path, file: Path, error: type[Exception], match: str) -> None:
    """Import a file that must be refused; nothing of it stays."""
    for fresh in (DatabaseStore(tmp_path / "new.db", SystemClock()), MemoryStore(SystemClock())):
        async with opened(fresh) as store:
            with pytest.raises(error, match=match):
                await store.care.import_from(file, quiet)
            assert (await store.runs.runs(), await store.log.read(), await store.bars.sets()) == ([], [], [])


async def test_a_file_that_was_cut_off_is_refused(whole: bytes, tmp_path: Path) -> None:
    data, chance = whole, random.Random(2)
    for length in [0, 1, 100, len(data) - 1, *(chance.randrange(len(data)) for _ in range(12))]:
        (tmp_path / "cut").write_bytes(data[:length])
        await refused(tmp_path, tmp_path / "cut", UnreadableFile, "is not a whole export")


async def test_a_file_that_was_changed_is_refused(exported: Path, whole: bytes, tmp_path: Path) -> None:
    data, chance = whole, random.Random(3)
    with zipfile.ZipFile(exported) as archive:
        spans = [
            (item.header_offset + 100, item.header_offset + item.compress_size) for item in archive.infolist() if item.compress_size > 300
        ]
    for first, last in spans:
        changed = bytearray(data)
        changed[chance.randrange(first, last)] ^= 0x10
        (tmp_path / "changed").write_bytes(changed)
        await refused(tmp_path, tmp_path / "changed", UnreadableFile, "is damaged")


async def test_a_file_of_rows_that_were_left_out_is_refused(exported: Path, tmp_path: Path) -> None:
    """A zip that is sound in itself, whose rows are not those that were counted."""
    import zstandard

    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(tmp_path / "fewer", "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename == "fills.jsonl.zst":
                lines = zstandard.ZstdDecompressor().decompressobj().decompress(data).splitlines(keepends=True)
                data = zstandard.compress(b"".join(lines[:-1]))
            new.writestr(item.filename, data)
    await refused(tmp_path, tmp_path / "fewer", UnreadableFile, "is damaged: fills is not what was written")


async def test_other_files_are_refused(tmp_path: Path) -> None:
    await refused(tmp_path, tmp_path / "nothing", UnreadableFile, "There is no file")
    (tmp_path / "text").write_text("time,open\n")
    await refused(tmp_path, tmp_path / "text", UnreadableFile, "is not a whole export")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    await refused(tmp_path, tmp_path / "zip", UnreadableFile, "is not an export of this program")


@pytest.mark.parametrize("change", [('"form":1', '"form":2'), (f'"revision":"{HEAD}"', '"revision":"0999"')])
async def test_a_file_of_a_newer_version_is_refused(exported: Path, tmp_path: Path, change: tuple[str, str]) -> None:
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(tmp_path / "newer", "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename == "head.json":
                assert change[0].encode() in data
                data = data.replace(change[0].encode(), change[1].encode())
            new.writestr(item.filename, data)
    await refused(tmp_path, tmp_path / "newer", DatabaseNewer, "written by a newer version")


async def test_a_database_that_holds_something_is_left_alone(exported: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
        await store.log.append([note("mine", run_id=None)])
        with pytest.raises(StoreError, match="not empty"):
            await store.care.import_from(exported, quiet)
        assert len(await store.log.read()) == 1


async def test_a_place_that_cannot_be_written_is_named(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for fresh in (DatabaseStore(desk, SystemClock()), MemoryStore(SystemClock())):
        async with opened(fresh) as store:
            with pytest.raises(StoreError, match=r"file/all\.weaver cannot be written"):
                await store.care.export_to(tmp_path / "file" / "all.weaver", quiet)


async def test_a_cancelled_export_leaves_the_file_that_was_there(desk: Path, tmp_path: Path) -> None:
    target = tmp_path / "everything.weaver"
    target.write_text("the one before")
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        going = asyncio.Event()
        task = asyncio.get_running_loop().create_task(store.care.export_to(target, lambda _: going.set()))
        await going.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert os.listdir(tmp_path) == ["everything.weaver"]  # noqa: PTH208 - and no part of another
    assert target.read_text() == "the one before"


CHILD = """
import asyncio, sys, threading
from pathlib import Path
from core.clock.realtime import SystemClock
from core.store import portable
from core.store.database import DatabaseStore

def stop_here(*_):
    print("here", flush=True)
    threading.Event().wait()

finish = portable.PortableWriter.finish
if sys.argv[3] == "unfinished":
    portable.PortableWriter.finish = stop_here
else:
    portable.sync = stop_here

async def main(path, target):
    store = DatabaseStore(path, SystemClock())
    await store.open()
    await store.care.export_to(target, lambda _: None)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.mark.parametrize("step", ["unfinished", "not on the disk"])
async def test_killed_while_it_writes_the_file_that_was_there_stays(desk: Path, tmp_path: Path, step: str) -> None:
    target = tmp_path / "everything.weaver"
    target.write_text("the one before")
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on in this loop
        [sys.executable, "-c", CHILD, str(desk), str(target), step], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert target.read_text() == "the one before"
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        await store.care.export_to(target, quiet)
    assert os.listdir(tmp_path) == ["everything.weaver"]  # noqa: PTH208 - and no part of another
    async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
        assert (await store.care.import_from(target, quiet)).rows["runs"] == 3


async def test_a_cancelled_import_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(tmp_path / "new.db", SystemClock())) as store:
        going = asyncio.Event()
        task = asyncio.get_running_loop().create_task(store.care.import_from(exported, lambda _: going.set()))
        await going.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Whether the transaction was still open or just ended, it is all there or nothing is.
        counts = {len(await store.runs.runs()), len(await store.bars.sets())}
        assert counts in ({0}, {3, 2})
