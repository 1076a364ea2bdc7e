"""Events are moved to files that are whole before anything is deleted, wherever the process is killed."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from core.clock.realtime import SystemClock
from core.errors import BugError, InputError, InvalidValue, StoreError, UnreadableFile
from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.model.instants import DAY_NS
from core.model.result import Progress
from core.model.retention import EventClass, parse_age
from core.model.run import RunMode, RunStatus
from core.runs.checking import check_store
from core.store.archive import delete_archived, write_archive
from core.store.archive_file import ArchivedEvents
from core.store.database import DatabaseStore
from core.store.long_work import LongWork
from core.store.memory import MemoryStore
from core.store.sqlite import SqliteDatabase
from core.store.transaction import transaction
from tests.contract.samples import NOW_NS, StillClock, config, created, note, run
from tests.integration.store.care_desk import fill_desk, opened
from tests.integration.store.test_transfer import tables_of

FUTURE_NS = 2**62
ROOT = Path(__file__).resolve().parents[3]


def quiet(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three backtests, one of them traced, and chains of hashes."""
    folder = tmp_path_factory.mktemp("desk")

    async def make() -> None:
        async with opened(DatabaseStore(folder / "desk.db", SystemClock(), hash_chain=True)) as store:
            await fill_desk(store, folder)
            await store.log.append([note("of the desk", run_id=None)])

    asyncio.run(make())
    return folder / "desk.db"


@pytest.fixture
def desk(made: Path, tmp_path: Path) -> Path:
    shutil.copy(made, tmp_path / "desk.db")
    return tmp_path / "desk.db"


async def events_of(path: Path) -> list[Envelope]:
    async with opened(DatabaseStore(path, SystemClock())) as store:
        return await store.log.read(limit=10**9)


def archived(file: str | Path) -> list[Envelope]:
    return sorted(ArchivedEvents(Path(file), EventCodec()).read(lambda _: True), key=lambda event: event.seq)


async def test_what_is_moved_is_what_was_there(desk: Path, tmp_path: Path) -> None:
    before = await events_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        runs = await store.runs.runs()
        steps: list[Progress] = []
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", steps.append)
        assert archive is not None
        assert await store.care.archives() == [archive]
        assert await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet) is None
        left = await store.log.read(limit=10**9)
        assert [event.run_id for event in left] == [None]
        assert all([len(await store.runs.fills(each.id)) for each in runs])
        assert (await check_store(store, quiet)).findings == ()
        for each in runs:
            assert (await store.care.verify_chain(each.id, quiet)).first_changed is None
    of_runs = [event for event in before if event.run_id is not None]
    assert archived(archive.file) == of_runs
    assert (archive.events, archive.first_seq, archive.last_seq) == (len(of_runs), of_runs[0].seq, of_runs[-1].seq)
    assert Path(archive.file).name == f"backtest-events-{archive.first_seq}-{archive.last_seq}.jsonl.zst"
    assert steps


async def test_ticks_and_windows_go_alone(desk: Path, tmp_path: Path) -> None:
    before = await events_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.TRACE, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
        left = await store.log.read(limit=10**9)
        assert (await check_store(store, quiet)).findings == ()
        for each in await store.runs.runs():
            assert (await store.care.verify_chain(each.id, quiet)).first_changed is None
    moved = archived(archive.file)
    assert {event.type for event in moved} == {"clock.Tick", "data.WindowReady", "strategy.FetchWindow", "backtest.FetchWindow"} or moved
    assert not any(event.payload.durable for event in moved)
    assert all(event.payload.durable for event in left)
    assert sorted(moved + left, key=lambda event: event.seq) == before


async def test_what_is_too_young_or_goes_on_or_is_a_record_stays(tmp_path: Path) -> None:
    import msgspec

    async with opened(DatabaseStore(tmp_path / "desk.db", StillClock())) as store:
        old, young = NOW_NS - 100 * DAY_NS, NOW_NS - 10 * DAY_NS
        async with store.runs.begin() as work:
            for name, status, mode, ended_ns in (
                ("old", RunStatus.COMPLETED, RunMode.BACKTEST, old),
                ("young", RunStatus.COMPLETED, RunMode.BACKTEST, young),
                ("going", RunStatus.RUNNING, RunMode.BACKTEST, None),
                ("paper", RunStatus.STOPPED, RunMode.PAPER, old),
                ("live", RunStatus.STOPPED, RunMode.LIVE, old),
            ):
                terms = msgspec.structs.replace(config(), mode=mode)
                work.put_run(msgspec.structs.replace(run(name, created_ns=old, status=status), config=terms, ended_ns=ended_ns))
                work.append([created(name)])
        cut = NOW_NS - parse_age("90d")
        for kind, expected in (
            (EventClass.TRACE, None),
            (EventClass.BACKTEST, ["old"]),
            (EventClass.PAPER, ["paper"]),
            (EventClass.LIVE, ["live"]),
            (EventClass.DESK, None),
        ):
            archive = await store.care.archive(kind, cut, tmp_path / "old", quiet)
            assert (archive and [event.run_id for event in archived(archive.file)]) == expected, kind
        assert [event.run_id for event in await store.log.read()] == ["young", "going"]


async def test_another_databases_archive_is_not_overwritten(desk: Path, tmp_path: Path) -> None:
    shutil.copy(desk, tmp_path / "twin.db")
    with sqlite3.connect(tmp_path / "twin.db") as db:
        db.execute("UPDATE outbox SET producer = 'twin'")
    db.close()
    files = []
    for path in (desk, tmp_path / "twin.db"):
        async with opened(DatabaseStore(path, SystemClock())) as store:
            archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
            assert archive is not None
            files.append(Path(archive.file))
    assert files[1].name == files[0].name.replace(".jsonl.zst", "-2.jsonl.zst")
    assert {event.producer for event in archived(files[1])} == {"twin"}
    assert "twin" not in {event.producer for event in archived(files[0])}


async def test_an_archive_that_was_cut_off_or_changed_says_so(desk: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
    with open(archive.file, "rb") as file:  # noqa: ASYNC230, PTH123 - nothing else goes on in this loop
        data = file.read()
    for number, damaged in enumerate((data[:-1], data[: len(data) // 2], data[:40], data[:500] + b"\0\0" + data[502:])):
        broken = tmp_path / f"broken-{number}"
        broken.write_bytes(damaged)
        with pytest.raises(UnreadableFile, match="is not a"):
            archived(broken)
    with pytest.raises(UnreadableFile, match="There is no file"):
        archived(tmp_path / "nothing")


async def test_an_archive_with_a_changed_event_says_so(desk: Path, tmp_path: Path) -> None:
    """A file that is sound in itself, whose events are not those that were hashed."""
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
    with open(archive.file, "rb") as file:  # noqa: ASYNC230, PTH123 - nothing else goes on in this loop
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(file.read()).splitlines(keepends=True)
    changed = lines[5].replace(b'"evt"', b'"cmd"') if b'"evt"' in lines[5] else lines[5].replace(b'"cmd"', b'"evt"')
    for number, other in enumerate(([*lines[:5], changed, *lines[6:]], [*lines[:5], *lines[6:]], lines[:-1])):
        (tmp_path / f"other-{number}").write_bytes(zstandard.compress(b"".join(other)))
        with pytest.raises(UnreadableFile, match="is not a whole archive"):
            archived(tmp_path / f"other-{number}")


async def test_what_changed_meanwhile_is_not_deleted(desk: Path, tmp_path: Path) -> None:
    """Between the writing and the deletion another process deleted a run."""
    job = LongWork(lambda: 0, lambda _: None)
    engine = SqliteDatabase(desk, 5.0).writing_engine()
    with engine.connect() as connection:
        written = write_archive(connection, EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", 7, job)
        assert written is not None
        connection.exec_driver_sql("DELETE FROM outbox WHERE seq = 50")
        before = connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar()
        with pytest.raises(BugError, match="would have been deleted"), transaction(connection):
            delete_archived(connection, *written)
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar() == before
        assert connection.exec_driver_sql("SELECT count(*) FROM archives").scalar() == 0
    engine.dispose()


async def test_a_cancelled_archive_leaves_nothing_and_deletes_nothing(desk: Path, tmp_path: Path) -> None:
    before = await events_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        going = asyncio.Event()
        task = asyncio.get_running_loop().create_task(
            store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", lambda _: going.set())
        )
        await going.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await events_of(desk) == before
    assert not list((tmp_path / "old").glob("*.part"))


# --- back into the database ---


async def test_what_was_archived_comes_back_as_it_was(desk: Path, tmp_path: Path) -> None:
    before = tables_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        made = [await store.care.archive(kind, FUTURE_NS, tmp_path / "old", quiet) for kind in (EventClass.TRACE, EventClass.BACKTEST)]
        made.append(await store.care.archive(EventClass.DESK, FUTURE_NS, tmp_path / "old", quiet))
        assert await store.log.read() == []
        assert (await check_store(store, quiet)).findings == ()
        for archive in made:
            assert archive is not None
            moved = Path(shutil.move(archive.file, tmp_path / f"elsewhere-{archive.kind}"))
            assert await store.care.restore_archive(moved, quiet) == archive
            assert (await check_store(store, quiet)).findings == ()
        assert await store.care.archives() == []
        (event,) = await store.log.append([note("after", run_id=None)])
        assert event.seq == before["log_head"][0][1] + 1  # type: ignore[operator]
        for each in await store.runs.runs():
            chain = await store.care.verify_chain(each.id, quiet)
            assert (chain.first_changed, chain.events) == (None, chain.hashed)
    after = tables_of(desk)
    assert after["outbox"].pop()[0] == event.seq
    assert {name: rows for name, rows in after.items() if name != "log_head"} == {
        name: rows for name, rows in before.items() if name != "log_head"
    }


async def test_events_of_a_run_that_was_deleted_since_stay_out(desk: Path, tmp_path: Path) -> None:
    before = await events_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
        gone, *_ = await store.runs.runs()
        async with store.runs.begin() as work:
            work.delete_run(gone.id)
        back = await store.care.restore_archive(Path(archive.file), quiet)
        assert await store.log.read(limit=10**9) == [event for event in before if event.run_id != gone.id]
        assert back.events == len([event for event in before if event.run_id not in {gone.id, None}])
        assert (await check_store(store, quiet)).findings == ()


async def test_a_file_that_is_not_to_be_restored_is_refused(desk: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
        file = Path(archive.file)
        async with opened(DatabaseStore(tmp_path / "other.db", SystemClock())) as other:
            with pytest.raises(InputError, match="were not moved there from this database"):
                await other.care.restore_archive(file, quiet)
        cut = tmp_path / "cut"
        cut.write_bytes((await asyncio.to_thread(file.read_bytes))[:-1])
        with pytest.raises(UnreadableFile, match="is not a whole archive"):
            await store.care.restore_archive(cut, quiet)
        await store.care.restore_archive(file, quiet)
        with pytest.raises(InputError, match="are back already"):
            await store.care.restore_archive(file, quiet)
    async with opened(MemoryStore(SystemClock())) as memory:
        with pytest.raises(InputError, match="has no archives"):
            await memory.care.restore_archive(file, quiet)


async def test_a_place_that_is_taken_stops_it_and_nothing_changes(desk: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
    with sqlite3.connect(desk) as db:
        head = db.execute("SELECT max(seq) FROM outbox").fetchone()[0]
        db.execute("UPDATE outbox SET seq = ? WHERE seq = ?", (archive.last_seq, head))
    db.close()
    before = tables_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        with pytest.raises(StoreError, match=f"Event {archive.last_seq} is in the database already"):
            await store.care.restore_archive(Path(archive.file), quiet)
    assert tables_of(desk) == before


RESTORING = """
import asyncio, sys, threading
from pathlib import Path
from core.clock.realtime import SystemClock
from core.store import archive_restore, care
from core.store.database import DatabaseStore

def stop_here(*_):
    print("here", flush=True)
    threading.Event().wait()

if sys.argv[2] == "in the middle":
    free, pages = archive_restore._check_free, []
    archive_restore._check_free = lambda *given: (free(*given), pages.append(1), stop_here() if len(pages) == 2 else None)
else:
    restore = care.restore_archive
    care.restore_archive = lambda *given: (restore(*given), stop_here())

async def main(path, file):
    store = DatabaseStore(path, SystemClock())
    await store.open()
    await store.care.restore_archive(file, lambda _: None)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[3])))
"""


@pytest.mark.parametrize("step", ["in the middle", "restored, not committed"])
async def test_killed_while_it_restores_nothing_is_changed(desk: Path, tmp_path: Path, step: str) -> None:
    whole = tables_of(desk)
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
    before = tables_of(desk)
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on in this loop
        [sys.executable, "-c", RESTORING, str(desk), step, archive.file], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert tables_of(desk) == before
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        await store.care.restore_archive(Path(archive.file), quiet)
    assert tables_of(desk) == whole


async def test_memory_is_not_archived(tmp_path: Path) -> None:
    async with opened(MemoryStore(SystemClock())) as store:
        with pytest.raises(InputError, match="memory cannot be archived"):
            await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path, quiet)
        assert await store.care.archives() == []


@pytest.mark.parametrize("text", ["90", "d", "-1d", "90 days", "1.5y", ""])
def test_an_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="90d, 12w or 2y"):
        parse_age(text)


CHILD = """
import asyncio, sys, threading
from pathlib import Path
from core.clock.realtime import SystemClock
from core.model.retention import EventClass
from core.store import archive, archive_file, care
from core.store.database import DatabaseStore

def stop_here(*_):
    print("here", flush=True)
    threading.Event().wait()

step = sys.argv[2]
if step == "writing":
    write = archive_file.ArchiveWriter.write
    archive_file.ArchiveWriter.write = lambda self, cells: stop_here() if self.events == 700 else write(self, cells)
elif step == "written, not on the disk":
    archive_file.sync = stop_here
elif step == "on the disk, not read again":
    archive_file.checked_end = stop_here
elif step == "read again, without its name":
    archive._placed = stop_here
elif step == "with its name":
    archive.sync = stop_here
elif step == "before the deletion":
    care.delete_archived = stop_here
elif step == "in the deletion":
    delete = archive.delete_events
    archive.delete_events = lambda *given: (delete(*given), stop_here())
elif step == "deleted, not committed":
    delete_archived = care.delete_archived
    care.delete_archived = lambda *given: (delete_archived(*given), stop_here())

async def main(path):
    store = DatabaseStore(path, SystemClock())
    await store.open()
    await store.care.archive(EventClass.BACKTEST, 2**62, path.parent / "old", lambda _: None)
    print("done", flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""

STEPS = (
    "writing",
    "written, not on the disk",
    "on the disk, not read again",
    "read again, without its name",
    "with its name",
    "before the deletion",
    "in the deletion",
    "deleted, not committed",
)


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_nothing_is_lost(desk: Path, tmp_path: Path, step: str) -> None:
    before = await events_of(desk)
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on in this loop
        [sys.executable, "-c", CHILD, str(desk), step], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()
    child.stdout.close()

    assert await events_of(desk) == before
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        assert await store.care.archives() == []
        assert (await check_store(store, quiet)).findings == ()
        archive = await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        assert archive is not None
        assert (await check_store(store, quiet)).findings == ()
    assert archived(archive.file) == [event for event in before if event.run_id is not None]
    assert sorted(path.name for path in (tmp_path / "old").glob("*")) == [archive.name]


async def test_killed_after_the_commit_all_is_done(desk: Path, tmp_path: Path) -> None:
    before = await events_of(desk)
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on in this loop
        [sys.executable, "-c", CHILD, str(desk), ""], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "done\n"
    child.kill()
    child.wait()
    child.stdout.close()
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        (archive,) = await store.care.archives()
    assert archived(archive.file) == [event for event in before if event.run_id is not None]
    assert [event.run_id for event in await events_of(desk)] == [None]


async def test_space_is_given_back(desk: Path, tmp_path: Path) -> None:
    async with opened(DatabaseStore(desk, SystemClock())) as store:
        await store.care.archive(EventClass.BACKTEST, FUTURE_NS, tmp_path / "old", quiet)
        done = await store.care.vacuum()
        assert done.before is not None
        assert done.after is not None
        assert done.after < done.before
        assert (await asyncio.to_thread(desk.stat)).st_size == done.after
        assert (await check_store(store, quiet)).findings == ()
        (event,) = await store.log.append([note("after", run_id=None)])
        assert event.seq > (await store.care.archives())[0].last_seq
