"""A chain of hashes tells which event of a run was changed first, whatever was changed of it."""

import sqlite3
from pathlib import Path

import pytest

from core.model.care import ChainReport
from core.store.database import DatabaseStore
from tests.contract.samples import StillClock, created, note, run
from tests.integration.store.care_desk import opened

EVENTS = 30


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Two runs whose events alternate, stored in parts, with hashes."""
    path = tmp_path / "desk.db"
    async with opened(DatabaseStore(path, StillClock(), hash_chain=True)) as store:
        async with store.runs.begin() as work:
            for run_id in ("run-1", "run-2"):
                work.put_run(run(run_id))
                work.append([created(run_id)])
        for first in range(2, EVENTS, 7):
            await store.log.append(
                [note(f"{number} “é”", run_id=f"run-{number % 2 + 1}") for number in range(first, min(first + 7, EVENTS))]
            )
        await store.log.append([note("of the desk", run_id=None)])
    return path


async def verified(path: Path, run_id: str = "run-1") -> ChainReport:
    async with opened(DatabaseStore(path, StillClock())) as store:
        return await store.care.verify_chain(run_id, lambda _: None)


def tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute(statement).rowcount > 0
    db.close()


async def test_what_nobody_changed_is_as_it_was_stored(path: Path) -> None:
    for run_id in ("run-1", "run-2"):
        report = await verified(path, run_id)
        assert (report.events, report.hashed, report.first_changed) == (EVENTS // 2, EVENTS // 2, None)
        assert report.sentence == f"The 15 events of run {run_id} are as they were stored."


@pytest.mark.parametrize(
    "change",
    [
        "payload = replace(payload, 'é', 'e')", "ts = ts + 1", "type = 'strategy.noted'", "id = 'other'", "kind = 'cmd'", "version = 2",
        "corr_id = 'other'", "causation_id = 'other'", "trace_id = NULL", "producer = 'other'",
    ],
)  # fmt: skip
async def test_the_first_changed_event_is_named(path: Path, change: str) -> None:
    tamper(path, f"UPDATE outbox SET {change} WHERE seq IN (11, 21)")
    report = await verified(path)
    assert report.first_changed == 11
    assert report.sentence.startswith("Run run-1: Event 11 (")
    assert report.sentence.endswith(") is not what it was when it was stored.")
    assert (await verified(path, "run-2")).first_changed is None


async def test_a_lost_event_is_named(path: Path) -> None:
    tamper(path, "DELETE FROM outbox WHERE seq IN (29, 13)")
    report = await verified(path)
    assert (report.first_changed, report.sentence) == (13, "Run run-1: Event 13 is missing.")


async def test_the_last_event_cannot_be_lost_unseen(path: Path) -> None:
    tamper(path, "DELETE FROM outbox WHERE seq = 29")
    assert (await verified(path)).first_changed == 29


async def test_an_event_that_was_put_in_is_named(path: Path) -> None:
    tamper(path, "UPDATE outbox SET run_id = 'run-1' WHERE seq = 12")
    assert (await verified(path)).first_changed == 12
    assert (await verified(path, "run-2")).first_changed == 12  # and there it is missing


async def test_a_hash_that_was_made_anew_gives_the_next_one_away(path: Path) -> None:
    from core.store.hash_chain import next_hash

    with sqlite3.connect(path) as db:
        db.execute("UPDATE outbox SET ts = ts + 1 WHERE seq = 11")
        (before,) = db.execute("SELECT sha256 FROM event_hashes WHERE seq = 9").fetchone()
        cells = list(db.execute("SELECT * FROM outbox WHERE seq = 11").fetchone())
        db.execute("UPDATE event_hashes SET sha256 = ? WHERE seq = 11", (next_hash(before, cells),))
    db.close()
    assert (await verified(path)).first_changed == 13


async def test_events_from_before_a_chain_was_kept_are_told(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    async with opened(DatabaseStore(path, StillClock())) as store, store.runs.begin() as work:
        work.put_run(run("run-1"))
        work.append([created("run-1"), note("one")])
    assert (await verified(path)).sentence == "Run run-1 has no chain: none was kept when its events were stored."
    async with opened(DatabaseStore(path, StillClock(), hash_chain=True)) as store:
        await store.log.append([note("two"), note("three")])
    report = await verified(path)
    assert (report.first_changed, report.events, report.hashed) == (None, 4, 2)
    assert report.sentence.endswith("The first 2 were stored before a chain was kept.")
    async with opened(DatabaseStore(path, StillClock())) as store:
        await store.log.append([note("four")])
    assert (await verified(path)).first_changed == 5


async def test_a_run_that_was_deleted_leaves_no_hashes(path: Path) -> None:
    async with opened(DatabaseStore(path, StillClock())) as store, store.runs.begin() as work:
        work.delete_run("run-1")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT DISTINCT run_id FROM event_hashes").fetchall() == [("run-2",)]
    db.close()
    assert (await verified(path, "run-2")).first_changed is None
