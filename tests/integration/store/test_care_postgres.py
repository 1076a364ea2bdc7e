"""Looking after a database on a server: it is checked, moved, archived and given back its space as a file is."""

from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.model.result import Progress
from core.model.retention import EventClass
from core.runs.checking import check_store
from core.runs.history import RunHistories
from core.store.database import DatabaseStore
from tests.contract.samples import KEY, bars, note, run, same_bars
from tests.integration.store.care_desk import fill_desk, opened
from tests.integration.store.test_transfer import same_stores


def quiet(_: Progress) -> None:
    pass


def on_server(url: str, tmp_path: Path) -> DatabaseStore:
    return DatabaseStore(url, SystemClock(), locks=tmp_path, hash_chain=True)


async def test_everything_moves_from_a_server_to_a_file_and_back(postgres_url: str, empty_postgres_url: str, tmp_path: Path) -> None:
    async with opened(on_server(postgres_url, tmp_path)) as store:
        await fill_desk(store, tmp_path)
        assert (await check_store(store, quiet)).findings == ()
        await store.care.export_to(tmp_path / "all.weaver", quiet)
        async with opened(DatabaseStore(tmp_path / "file.db", SystemClock())) as file:
            await file.care.import_from(tmp_path / "all.weaver", quiet)
            await same_stores(store, file)
            assert (await check_store(file, quiet)).findings == ()
            await file.care.export_to(tmp_path / "again.weaver", quiet)
        async with opened(on_server(empty_postgres_url, tmp_path)) as again:
            await again.care.import_from(tmp_path / "again.weaver", quiet)
            await same_stores(store, again)
            assert (await check_store(again, quiet)).findings == ()
            async with again.runs.begin() as work:
                work.put_run(run("next", created_ns=2**62))
            assert (await again.runs.runs())[0].id == "next"
            (event,) = await again.log.append([note("next", run_id=None)])
            assert event.seq > (await store.log.read_back(limit=1))[0].seq


async def test_events_are_archived_and_chains_go_on(postgres_url: str, tmp_path: Path) -> None:
    async with opened(on_server(postgres_url, tmp_path)) as store:
        runs = await fill_desk(store, tmp_path)
        before = await store.log.read(limit=10**9)
        for kind in (EventClass.TRACE, EventClass.BACKTEST):
            assert await store.care.archive(kind, 2**62, tmp_path / "old", quiet) is not None
            assert (await check_store(store, quiet)).findings == ()
            for each in runs:
                assert (await store.care.verify_chain(each.id, quiet)).first_changed is None
        assert sum(archive.events for archive in await store.care.archives()) == len(before)
        assert await store.log.read() == []
        for archive in await store.care.archives():
            await store.care.restore_archive(Path(archive.file), quiet)
        assert await store.log.read(limit=10**9) == before
        assert (await check_store(store, quiet)).findings == ()
        assert await store.care.archives() == []
        assert (await store.care.vacuum()).after is not None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM outbox WHERE seq = 70", "Event 70 is missing"),
        ("UPDATE outbox SET ts = ts + 1 WHERE seq = 70", "Event 70 ("),
        ("DELETE FROM bar_chunks WHERE set_id = 2 AND period = 1", "4 bars are said to be stored, and 3 are"),
        ("UPDATE fills SET order_id = 'nobody' WHERE ordinal = 1", "belongs to order nobody, which is not there"),
    ],
)
async def test_what_is_damaged_is_found(postgres_url: str, tmp_path: Path, statement: str, expected: str) -> None:
    import psycopg

    async with opened(on_server(postgres_url, tmp_path)) as store:
        await fill_desk(store, tmp_path)
        with psycopg.connect(postgres_url) as connection:
            connection.execute(statement.encode())
        report = await check_store(store, quiet)
    assert any(expected in finding.sentence for finding in report.findings), report.findings


async def test_a_run_at_its_events_and_bars_by_their_hash(postgres_url: str, tmp_path: Path) -> None:
    async with opened(on_server(postgres_url, tmp_path)) as store:
        runs = await fill_desk(store, tmp_path)
        last = (await store.log.read_back(limit=1, run_id=runs[0].id))[0]
        view = await RunHistories(store.log, SystemClock()).view_at(runs[0].id, last.seq)
        assert list(view.fills) == await store.runs.fills(runs[0].id)
        folder = tmp_path / "bars"
        async with opened(DatabaseStore(postgres_url, SystemClock(), locks=tmp_path, bar_cache=folder)) as near:
            sets = await near.bars.sets()
            for held in sets:
                assert same_bars(await near.bars.read(held.key), await store.bars.read(held.key))
        # Fetched once, and kept under the hash of what they are.
        assert {path.stem for path in folder.iterdir()} == {held.sha256 for held in sets}
    async with opened(DatabaseStore(tmp_path / "file.db", SystemClock(), bar_cache=tmp_path / "unused")) as file:
        await file.bars.merge(KEY, bars([1, 2]))
        assert len(await file.bars.read(KEY)) == 2
    assert not (tmp_path / "unused").exists()
