"""What the program asks at its start and when a run is opened uses indexes: it costs the same in a log of any length."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from app.compose import compose_engine
from core.clock.realtime import SystemClock
from core.engine import Engine
from core.model.run import Run
from core.settings import Settings
from core.store.database import DatabaseStore
from tests.contract.samples import note
from tests.integration.store.care_desk import fill_desk
from ui.run_loader import _JOURNAL_PATTERNS

LONG = ("outbox", "orders", "fills", "results", "bar_chunks", "event_hashes", "deleted_seqs")
"""Tables that grow with every run; all runs and all bar sets are listed at a start, as they are in the window."""


class Desk:
    """An engine whose statements are recorded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.statements: list[str] = []
        self.store = DatabaseStore(path, SystemClock(), hash_chain=True)
        self.engine: Engine = compose_engine(self.store, path.parent, Settings({}, {}), lambda _error, _where: None)
        self.runs: list[Run] = []

    async def plans(self, work: Callable[[], Awaitable[object]]) -> list[tuple[str, str]]:
        """Return each statement of `work` that looks for rows, with what SQLite says of how."""
        self.statements.clear()
        await work()
        asked = [text for text in dict.fromkeys(self.statements) if re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", text)]
        assert asked, "nothing was asked"
        found: list[tuple[str, str]] = []
        with sqlite3.connect(self.path) as db:
            for text in asked:
                found += [(text, row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
        db.close()
        return found


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    connect, statements = sqlite3.dbapi2.connect, list[str]()

    def traced(*given: object, **more: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **more)  # type: ignore[call-overload]
        connection.set_trace_callback(statements.append)
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3.dbapi2, "connect", traced)
        made = Desk(tmp_path / "desk.db")
        made.statements = statements
        await made.engine.open()
        try:
            made.runs = await fill_desk(made.store, tmp_path)
            yield made
        finally:
            await made.engine.close()


def slow(plans: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the steps that read a whole table, or sort it."""
    scans = re.compile(rf"SCAN (?:{'|'.join(LONG)})\b(?! USING)|USE TEMP B-TREE")
    return [(text, step) for text, step in plans if scans.search(step) and "sqlite_master" not in text]


async def test_the_start(desk: Desk) -> None:
    async def start() -> None:
        again = compose_engine(DatabaseStore(desk.path, SystemClock()), desk.path.parent, Settings({}, {}), lambda _error, _where: None)
        await again.open()
        await again.runs()
        await again.bar_sets()
        await again.close()

    assert slow(await desk.plans(start)) == []


@pytest.mark.parametrize("pattern", _JOURNAL_PATTERNS)
async def test_the_journal_of_the_window(desk: Desk, pattern: str) -> None:
    plans = await desk.plans(lambda: desk.engine.events(pattern=pattern, after_seq=100, limit=500))
    assert slow(plans) == []
    assert any("USING INDEX ix_outbox_type_seq (type=? AND seq>?)" in step for _, step in plans), plans


async def test_opening_a_run(desk: Desk) -> None:
    run_id = desk.runs[1].id

    async def open_run() -> None:
        await desk.engine.run(run_id)
        await desk.engine.result(run_id)
        await desk.engine.orders(run_id)
        await desk.engine.fills(run_id)
        await desk.engine.events(run_id=run_id, pattern="account.SplitApplied")
        await desk.engine.run_bar_sets(run_id)

    plans = await desk.plans(open_run)
    assert slow(plans) == []
    assert any("ix_orders_run_id_ordinal" in step for _, step in plans)
    assert any("ix_fills_run_id_ordinal" in step for _, step in plans)


async def test_a_run_at_one_of_its_events_and_the_chain_of_one(desk: Desk) -> None:
    run_id = desk.runs[1].id
    last = (await desk.engine.events_back(run_id=run_id, limit=1))[0]

    async def ask() -> None:
        await desk.engine.view_at(run_id, last.seq - 50)
        await desk.engine.chain(last.seq - 20)

    plans = await desk.plans(ask)
    assert slow(plans) == []
    assert any("ix_outbox_run_id_seq (run_id=? AND seq>?)" in step for _, step in plans)


@pytest.mark.parametrize("pattern", ["*", "run.*", "orders.Filled", "account.*"])
async def test_the_end_of_the_log(desk: Desk, pattern: str) -> None:
    plans = await desk.plans(lambda: desk.engine.events_back(limit=20, pattern=pattern))
    assert slow(plans) == []
    plans = await desk.plans(lambda: desk.engine.events_back(limit=20, pattern=pattern, run_id=desk.runs[0].id))
    assert slow(plans) == []


async def test_appending(desk: Desk) -> None:
    assert slow(await desk.plans(lambda: desk.store.log.append([note("one", run_id=desk.runs[0].id), note("two", run_id=None)]))) == []


async def test_reading_bars(desk: Desk) -> None:
    (first, *_) = await desk.engine.bar_sets()
    assert slow(await desk.plans(lambda: desk.engine.bars(first.key, first.first_ns, first.last_ns))) == []


async def test_a_scan_is_told(desk: Desk) -> None:
    """So that the tests above can fail."""
    with sqlite3.connect(desk.path) as db:
        db.execute("DROP INDEX ix_outbox_type_seq")
        db.execute("DROP INDEX ix_orders_run_id_ordinal")
    db.close()
    plans = await desk.plans(lambda: desk.engine.events(pattern="run.*", after_seq=100, limit=500))
    assert not any("ix_outbox_type_seq" in step for _, step in plans)
