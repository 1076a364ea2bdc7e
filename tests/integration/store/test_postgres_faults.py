"""A server that goes away, a connection that is cut: what was acknowledged is there once, and the rest goes on."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text

from core.errors import BugError, DatabaseMissing, DatabaseNewer, DatabaseRefused, DatabaseUnreachable, DiskFull, StoreError, StoreReadOnly
from core.events.envelope import Envelope
from core.store.database import DatabaseStore
from core.store.dialect import driver
from core.store.postgres import PostgresDatabase
from tests.contract.samples import KEY, StillClock, bars, note, order, run, same_bars
from tests.integration.store.test_across_processes import Hearer, opened
from tests.integration.store.test_faults import fill_up
from tests.integration.store.writers import Place
from tests.postgres import PostgresServer, name_of
from tests.proxy import Proxy, proxy_to
from tests.strictness.log_guard import AllowLog

ENOUGH = 150


@pytest.fixture
def place(postgres_url: str, tmp_path: Path) -> Place:
    return Place(postgres_url, tmp_path)


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[Proxy]:
    async with proxy_to(postgres_server.socket) as made:
        yield made


def through(proxy: Proxy, place: Place) -> Place:
    """The same database, over the network."""
    return Place(f"postgresql://postgres@127.0.0.1:{proxy.port}/{name_of(str(place.url))}?gssencmode=disable&sslmode=disable", place.locks)


async def check_told_once(store: DatabaseStore, acknowledged: list[str], heard: Hearer) -> None:
    """Everything acknowledged is in the log, once, in order, and was told so."""
    stored = await store.log.read(limit=100_000)
    texts = [getattr(event.payload, "text", "") for event in stored]
    assert len(set(texts)) == len(texts)
    assert [text for text in texts if text in set(acknowledged)] == acknowledged
    await heard.wait_for(len(stored))
    assert heard.events == stored


# --- connections that are cut ---


async def test_connections_that_the_server_ends_are_made_anew(place: Place, postgres_server: PostgresServer, allow_log: AllowLog) -> None:
    allow_log("does not answer")
    async with opened(place) as store, opened(place) as other:
        here, there = Hearer(), Hearer()
        acknowledged: list[str] = []
        is_enough = asyncio.Event()

        async def append() -> None:
            while len(acknowledged) < ENOUGH or not is_enough.is_set():
                (event,) = await store.log.append([note(f"{len(acknowledged)}")])
                acknowledged.append(str(event.payload.text))  # type: ignore[attr-defined]

        async def terminate() -> None:
            ended = 0
            while ended < 8 or len(acknowledged) < ENOUGH - 10:
                later = len(there.events) + 4
                ended += await asyncio.to_thread(postgres_server.terminate, str(place.url))
                await there.wait_for(later)
            is_enough.set()

        with store.log.subscribe("*", here, owner="test"), other.log.subscribe("*", there, owner="test"):
            async with asyncio.TaskGroup() as group:
                group.create_task(append())
                group.create_task(terminate())
            await check_told_once(store, acknowledged, here)
            await check_told_once(other, acknowledged, there)
        assert len(acknowledged) >= ENOUGH


@pytest.mark.parametrize("count", [1, 2, 40, 3_000])  # some go in one journey, many are copied
@pytest.mark.parametrize("reached_the_server", [False, True])
async def test_a_commit_whose_answer_is_lost_is_looked_up(place: Place, proxy: Proxy, reached_the_server: bool, count: int) -> None:
    texts = [f"{number}." for number in range(count)]
    async with opened(through(proxy, place)) as store, opened(place) as other:
        heard = Hearer()
        with store.log.subscribe("*", heard, owner="test"):
            await store.log.append([note("first")])
            await other.log.append([note("of another")])
            (proxy.cut_after if reached_the_server else proxy.cut_before)(f'"{texts[-1]}"'.encode())
            appended = await store.log.append([note(text) for text in texts])
            assert proxy.cuts == 1
            assert [event.seq for event in appended] == list(range(3, count + 3))
            assert [event.seq for event in await store.log.append([note("last")])] == [count + 3]
        found = await store.log.read(limit=10_000)
        assert [event.payload for event in found] == [note(text).payload for text in ("first", "of another", *texts, "last")]
        assert heard.events == found


@pytest.mark.parametrize("reached_the_server", [False, True])
async def test_a_unit_of_work_whose_answer_is_lost_is_looked_up(place: Place, proxy: Proxy, reached_the_server: bool) -> None:
    async with opened(through(proxy, place)) as store:
        heard = Hearer()
        with store.log.subscribe("*", heard, owner="test"):
            await store.log.append([note("first")])
            (proxy.cut_after if reached_the_server else proxy.cut_before)(b"COMMIT")
            async with store.runs.begin() as work:
                work.put_run(run())
                work.append([note("second"), note("third")])
            assert proxy.cuts == 1
        assert heard.seqs == [1, 2, 3]
        assert heard.events == await store.log.read()
        assert await store.runs.run("run-1") == run()


async def test_a_connection_that_is_lost_in_the_middle_of_work_is_made_anew(
    place: Place, postgres_server: PostgresServer, allow_log: AllowLog
) -> None:
    allow_log("does not answer")
    asked = []

    def work(connection: Connection) -> int:
        asked.append(connection)
        if len(asked) == 1:
            postgres_server.terminate(str(place.url))
        answer: int = connection.execute(text("SELECT 41 + 1")).scalar_one()
        return answer

    async with opened(place) as store:
        assert await store._threads.write_and_wait(work) == 42
    assert len(asked) == 2


async def ask(store: DatabaseStore, statement: bytes) -> None:
    """Let the writer's connection carry out a statement between two of its own."""
    await store._threads.write_and_wait(lambda connection: driver(connection).execute(statement))


@pytest.mark.parametrize("forgets", [b"DEALLOCATE ALL", b"SELECT 1"])
async def test_a_connection_that_forgot_what_was_prepared_on_it(place: Place, forgets: bytes) -> None:
    async with opened(place) as store:
        heard = Hearer()
        with store.log.subscribe("*", heard, owner="test"):
            for number in range(8):  # often enough for the driver to prepare it
                await ask(store, forgets)
                await store.log.append([note(f"{number}")])
            async with store.runs.begin() as work:
                work.put_run(run())
            with pytest.raises(BugError):
                await unknown_run(store)  # after a rollback the driver forgets, too
            await ask(store, forgets)
            await store.log.append([note("last")])
        assert heard.seqs == list(range(1, 10))
        assert heard.events == await store.log.read()


async def unknown_run(store: DatabaseStore) -> None:
    """A unit of work that the server refuses."""
    async with store.runs.begin() as work:
        work.put_orders([order("o-1", "nobody")])
        work.append([note("never")])


async def test_a_merge_of_bars_whose_answer_is_lost_is_made_once(place: Place, proxy: Proxy) -> None:
    async with opened(through(proxy, place)) as store:
        proxy.cut_after(b"COMMIT")
        report = await store.bars.merge(KEY, bars([1, 2, 3]))
        assert (report.added, report.identical) == (3, 0)
        assert same_bars(await store.bars.read(KEY), bars([1, 2, 3]))


async def test_a_listener_that_was_cut_off_reads_what_it_missed(place: Place, proxy: Proxy, allow_log: AllowLog) -> None:
    allow_log("does not answer")
    async with opened(place) as one, opened(through(proxy, place)) as other:
        heard = Hearer()
        with other.log.subscribe("*", heard, owner="test"):
            await one.log.append([note("a")])
            await heard.wait_for(1)
            proxy.stand_still()
            await one.log.append([note("b"), note("c")])  # the notice of it never arrives
            proxy.cut()
            await one.log.append([note("d")])
            proxy.go_on()
            await heard.wait_for(4)
        assert heard.events == await one.log.read()


async def test_a_network_that_stands_still_holds_nobody_else_up(place: Place, proxy: Proxy) -> None:
    async with opened(place) as one, opened(through(proxy, place)) as other:
        await other.log.append([note("a")])
        proxy.stand_still()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(other.log.append([note("b")]))
            for number in range(20):
                await one.log.append([note(str(number))])
            proxy.go_on()
        assert [event.seq for event in waiting.result()] == [22]


# --- a network that drops what is said, and keeps the connections ---


@asynccontextmanager
async def hasty(place: Place, options: str = "") -> AsyncIterator[DatabaseStore]:
    """A store that takes a second without an answer for silence."""
    store = DatabaseStore(f"{place.url}{options}", StillClock(), locks=place.locks, busy_timeout_s=0.5)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize("reached_the_server", [False, True])
async def test_a_network_that_falls_silent_in_mid_append(place: Place, proxy: Proxy, reached_the_server: bool) -> None:
    async with hasty(through(proxy, place)) as store:
        heard = Hearer()
        with store.log.subscribe("*", heard, owner="test"):
            await store.log.append([note("first")])
            (proxy.lose_after if reached_the_server else proxy.lose_before)(b'"second"')
            (second,) = await store.log.append([note("second")])
            (third,) = await store.log.append([note("third")])
        assert (second.seq, third.seq) == (2, 3)
        assert heard.events == await store.log.read()
        assert heard.seqs == [1, 2, 3]


async def test_a_network_that_falls_silent_while_it_is_listened_to(place: Place, proxy: Proxy, allow_log: AllowLog) -> None:
    allow_log("fallen silent")
    async with opened(place) as one, hasty(through(proxy, place)) as other:
        heard = Hearer()
        with other.log.subscribe("*", heard, owner="test"):
            await one.log.append([note("a")])
            await heard.wait_for(1)
            proxy.lose()
            await one.log.append([note("b"), note("c")])
            await heard.wait_for(3)
        assert heard.events == await one.log.read()


async def test_a_network_that_falls_silent_while_it_is_read(place: Place, proxy: Proxy, allow_log: AllowLog) -> None:
    allow_log("fallen silent")
    async with hasty(through(proxy, place)) as store:
        await store.log.append([note("a")])
        assert len(await store.log.read()) == 1
        proxy.lose()
        assert len(await store.log.read()) == 1


async def test_a_network_that_stays_silent_is_told(place: Place, proxy: Proxy, allow_log: AllowLog) -> None:
    allow_log("does not answer")
    async with hasty(through(proxy, place), "&connect_timeout=2") as store:
        await store.log.append([note("a")])
        proxy.stand_still()
        with pytest.raises(DatabaseUnreachable, match=r"silent|timeout"):
            await store.log.append([note("b")])
        proxy.go_on()


async def test_a_server_that_works_for_long_is_not_taken_for_a_silent_one(
    place: Place, proxy: Proxy, postgres_server: PostgresServer
) -> None:
    database = PostgresDatabase(str(through(proxy, place).url), patience_s=0.1)
    connection = await asyncio.to_thread(database.connect)
    holder = psycopg.connect(str(place.url), autocommit=True)
    try:
        holder.execute("SELECT pg_advisory_lock(1)")
        waiting = asyncio.get_running_loop().run_in_executor(None, connection.execute, "SELECT pg_advisory_lock(1)")
        while proxy.connections < 3:  # noqa: ASYNC110 - it asked over another connection, and once more
            await asyncio.sleep(0)
        assert not waiting.done()
        holder.execute("SELECT pg_advisory_unlock(1)")
        await waiting
    finally:
        holder.close()
        connection.close()


# --- a server that goes away ---


async def test_a_server_that_is_stopped_and_started_again(
    place: Place, postgres_server: PostgresServer, allow_log: AllowLog, tmp_path: Path
) -> None:
    allow_log("does not answer")
    patient = DatabaseStore(place.url, StillClock(), locks=tmp_path, busy_timeout_s=60.0)
    hasty = DatabaseStore(place.url, StillClock(), locks=tmp_path, busy_timeout_s=0.2)
    await patient.open()
    await hasty.open()
    heard = Hearer()
    acknowledged: list[str] = []
    try:
        with patient.log.subscribe("*", heard, owner="test"):
            await patient.log.append([note("before")])
            acknowledged.append("before")
            await asyncio.to_thread(postgres_server.pause)
            with pytest.raises(DatabaseUnreachable, match="does not answer") as raised:
                await hasty.log.append([note("refused")])
            assert raised.value.todo
            with pytest.raises(DatabaseUnreachable):
                await hasty.runs.runs()
            async with asyncio.TaskGroup() as group:
                appending = [group.create_task(patient.log.append([note(f"during-{number}")])) for number in range(5)]
                reading = group.create_task(patient.log.read())
                await asyncio.to_thread(postgres_server.resume)
            acknowledged += [f"during-{number}" for number in range(5)]
            assert [task.result()[0].seq for task in appending] == [2, 3, 4, 5, 6]
            assert reading.result()
            (after,) = await hasty.log.append([note("after")])
            assert after.seq == 7
            acknowledged.append("after")
            await check_told_once(patient, acknowledged, heard)
    finally:
        await patient.close()
        await hasty.close()


async def test_a_server_that_crashes_again_and_again_keeps_what_was_acknowledged(
    place: Place, postgres_server: PostgresServer, allow_log: AllowLog, tmp_path: Path
) -> None:
    allow_log("does not answer")
    store = DatabaseStore(place.url, StillClock(), locks=tmp_path, busy_timeout_s=60.0)
    await store.open()
    heard = Hearer()
    acknowledged: list[str] = []
    over = asyncio.Event()

    async def append(name: str) -> None:
        number = 0
        while not over.is_set():
            await store.log.append([note(f"{name}-{number}-{index}") for index in range(3)])
            acknowledged.extend(f"{name}-{number}-{index}" for index in range(3))
            number += 1

    try:
        with store.log.subscribe("*", heard, owner="test"):
            async with asyncio.TaskGroup() as group:
                for name in "abc":
                    group.create_task(append(name))
                for _ in range(3):
                    await heard.wait_for(len(heard.events) + 60)
                    await asyncio.to_thread(postgres_server.crash)
                    await asyncio.to_thread(postgres_server.resume)
                await heard.wait_for(len(heard.events) + 60)
                over.set()
            stored = await store.log.read(limit=1_000_000)
            texts = [str(event.payload.text) for event in stored]  # type: ignore[attr-defined]
            assert sorted(texts) == sorted(acknowledged)
            for name in "abc":
                assert [text for text in texts if text.startswith(name)] == [text for text in acknowledged if text.startswith(name)]
            assert heard.events == stored
    finally:
        await store.close()


async def test_closing_does_not_wait_for_a_server_that_is_gone(
    place: Place, postgres_server: PostgresServer, allow_log: AllowLog, tmp_path: Path
) -> None:
    allow_log("does not answer")
    store = DatabaseStore(place.url, StillClock(), locks=tmp_path, busy_timeout_s=1_000.0)
    await store.open()
    await asyncio.to_thread(postgres_server.pause)
    try:
        async with asyncio.TaskGroup() as group:
            appending = group.create_task(refused(store))
            await asyncio.sleep(0)
            await store.close()
        assert "does not answer" in appending.result()
    finally:
        await asyncio.to_thread(postgres_server.resume)


async def refused(store: DatabaseStore) -> str:
    """What an append is told."""
    with pytest.raises(DatabaseUnreachable) as raised:
        await store.log.append([note("late")])
    return str(raised.value)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of four megabytes that the server may write on, where the machine lets us make one."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root on Linux can make a small disk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        disk = folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False, capture_output=True).returncode:
            pytest.skip("this machine does not let us mount a small disk")
        try:
            (disk / "space").mkdir()
            shutil.chown(disk / "space", "pgserver")
            yield disk / "space"
        finally:
            subprocess.run(["umount", str(disk)], check=True)


async def one_by_one(store: DatabaseStore) -> list[Envelope]:
    """Append single events until the disk is full, and return what was appended."""
    kept: list[Envelope] = []

    async def fill() -> None:
        while True:
            kept.extend(await store.log.append([note("x" * 900)]))

    with pytest.raises(DiskFull, match="the last change was not made"):
        await fill()
    return kept


async def test_a_server_whose_disk_is_full(place: Place, postgres_server: PostgresServer, small_disk: Path) -> None:
    database = name_of(str(place.url))
    postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    postgres_server.execute("ALTER TABLE outbox SET TABLESPACE small", database)
    try:
        async with opened(place) as store:
            heard = Hearer()
            with store.log.subscribe("*", heard, owner="test"):
                kept = await fill_up(store)
                kept += await one_by_one(store)  # into what is left of the last page
                assert heard.events == kept
                await asyncio.to_thread(postgres_server.execute, "ALTER TABLE outbox SET TABLESPACE pg_default", database)
                kept.extend(await store.log.append([note("there is room again")]))
            assert await store.log.read(limit=100_000) == kept
            assert [event.seq for event in kept] == list(range(1, len(kept) + 1))
    finally:
        postgres_server.execute("ALTER TABLE outbox SET TABLESPACE pg_default", database)
        postgres_server.execute("DROP TABLESPACE small")


# --- what cannot be opened ---


async def sentence(url: str, error: type[StoreError], tmp_path: Path) -> str:
    """The sentence with which a store at `url` refuses to open."""
    store = DatabaseStore(url, StillClock(), locks=tmp_path, busy_timeout_s=0.1)
    with pytest.raises(error) as raised:
        await store.open()
    assert type(raised.value) is error
    assert raised.value.todo
    await store.close()
    return str(raised.value)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    said = await sentence("postgresql://ann:hush@127.0.0.1:1/weaver", DatabaseUnreachable, tmp_path)
    assert "postgresql://ann@127.0.0.1:1/weaver" in said
    assert "hush" not in said


async def test_a_database_that_is_not_there(postgres_server: PostgresServer, tmp_path: Path) -> None:
    said = await sentence(postgres_server.url("nowhere"), DatabaseMissing, tmp_path)
    assert "nowhere" in said
    assert "createdb" in said


async def test_a_user_or_password_that_is_wrong(postgres_server: PostgresServer, postgres_url: str, tmp_path: Path) -> None:
    assert "nobody" in await sentence(postgres_server.url(name_of(postgres_url), user="nobody"), DatabaseRefused, tmp_path)
    with postgres_server.demanding_passwords():
        postgres_server.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        try:
            said = await sentence(postgres_server.url(name_of(postgres_url), user="ann:hush"), DatabaseRefused, tmp_path)
        finally:
            postgres_server.execute("DROP ROLE ann")
    assert "hush" not in said
    assert "ann" in said


async def test_a_user_that_may_not_write(postgres_server: PostgresServer, empty_postgres_url: str, tmp_path: Path) -> None:
    postgres_server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name_of(empty_postgres_url))  # as it is from version 15 on
    postgres_server.execute("CREATE ROLE guest LOGIN")
    try:
        said = await sentence(postgres_server.url(name_of(empty_postgres_url), user="guest"), StoreReadOnly, tmp_path)
    finally:
        postgres_server.execute("DROP ROLE guest")
    assert "shared-postgres" in said


async def test_a_database_from_a_newer_version(postgres_server: PostgresServer, place: Place, tmp_path: Path) -> None:
    postgres_server.execute("UPDATE alembic_version SET version_num = '9999'", name_of(str(place.url)))
    assert "newer version" in await sentence(str(place.url), DatabaseNewer, tmp_path)


async def test_a_database_of_another_program(postgres_server: PostgresServer, empty_postgres_url: str, tmp_path: Path) -> None:
    postgres_server.execute("CREATE TABLE songs (title TEXT)", name_of(empty_postgres_url))
    assert "another program" in await sentence(empty_postgres_url, StoreError, tmp_path)


async def test_an_event_of_a_newer_program_is_not_shown_and_stops_nothing(
    place: Place, postgres_server: PostgresServer, allow_log: AllowLog
) -> None:
    allow_log("strategy.Dreamt")
    async with opened(place) as one, opened(place) as other:
        heard = Hearer()
        with other.log.subscribe("*", heard, owner="test"):
            await one.log.append([note("a")])
            newer = (
                "INSERT INTO outbox SELECT 2, 'x', kind, 'strategy.Dreamt', 1, run_id, corr_id, NULL, NULL, ts, producer, '{}' FROM outbox"
            )
            postgres_server.execute(newer + "; UPDATE log_head SET seq = 2", name_of(str(place.url)))
            await one.log.append([note("b")])
            await heard.wait_for(2)
        assert heard.seqs == [1, 3]
        with pytest.raises(DatabaseNewer, match=r"strategy\.Dreamt"):
            await other.log.read()
