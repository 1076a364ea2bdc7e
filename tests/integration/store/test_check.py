"""A check finds each thing that was damaged in a real file, and nothing in one that was not."""

import asyncio
import re
import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.model.care import CheckReport
from core.runs.checking import check_store
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from tests.contract.paper_samples import BUYING, OPENING
from tests.integration.store.care_desk import fill_desk, manager_of, opened, ran


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that nobody damaged, with a run deleted in its middle and hash chains."""
    folder = tmp_path_factory.mktemp("whole")

    async def make() -> None:
        async with opened(DatabaseStore(folder / "desk.db", SystemClock(), hash_chain=True)) as store:
            await fill_desk(store, folder)
            manager: RunManager = manager_of(store, folder)
            gone = await ran(manager, seed=9)
            await ran(manager, seed=10)
            await manager.delete(gone.id)
            await manager.close()
            await store.paper.save(OPENING)
            await store.paper.save(BUYING)

    asyncio.run(make())
    return folder / "desk.db"


async def checked(path: Path) -> CheckReport:
    async with opened(DatabaseStore(path, SystemClock())) as store:
        return await check_store(store, lambda _: None)


async def test_what_nobody_damaged_is_clean(whole: Path) -> None:
    report = await checked(whole)
    assert report.findings == ()
    looked = report.counts
    assert (looked["runs"], looked["bar_sets"], looked["results"], looked["chains"], looked["bars"]) == (
        4,
        2,
        4,
        5,
        394,
    )  # that a run was deleted begins a chain again
    assert looked["paper_accounts"] == 1
    assert looked["events"] > 1_000
    assert looked["orders"] > 150
    assert looked["fills"] > 100


DAMAGES: dict[str, tuple[str, str]] = {
    "an event is lost": (
        "DELETE FROM outbox WHERE seq = 700",
        r"Event 700 is missing, and nothing says that it was deleted\.",
    ),
    "events are lost": (
        "DELETE FROM outbox WHERE seq BETWEEN 20 AND 22",
        r"Events 20 to 22 are missing, and nothing says that they were deleted\.",
    ),
    "an event beside a deleted run is lost": (
        "DELETE FROM outbox WHERE seq = (SELECT min(first_seq) - 1 FROM deleted_seqs)",
        r"Event \d+ is missing, and nothing says that it was deleted\.",
    ),
    "the newest events are lost": (
        "DELETE FROM outbox WHERE seq > (SELECT seq - 2 FROM log_head)",
        r"Events \d+ to \d+ are missing",
    ),
    "the log counts too low": ("UPDATE log_head SET seq = seq - 10", r"The log counts up to \d+, and its newest event is \d+"),
    "an id stands twice": (
        "UPDATE outbox SET id = (SELECT id FROM outbox WHERE seq = 40) WHERE seq = 41",
        r"The id \S+ stands twice in the log, at events 40 and 41\.",
    ),
    "a payload is cut off": ("UPDATE outbox SET payload = substr(payload, 1, 20) WHERE seq = 40", r"Event 40 \(\S+\) cannot be read"),
    "a type that nobody knows": ("UPDATE outbox SET type = 'orders.Eaten' WHERE seq = 40", r"Event 40 \(orders\.Eaten\) cannot be read"),
    "a cause is not there": (
        "UPDATE outbox SET causation_id = 'nothing' WHERE seq = (SELECT min(seq) FROM outbox WHERE type = 'orders.Created')",
        r"Event \d+ \(orders\.Created\) was caused by nothing, which is not in the log\.",
    ),
    "a run is lost": ("DELETE FROM runs WHERE ordinal = 1", r"Order \S+ belongs to run \w+, which is not there\."),
    "a result of no run": ("UPDATE results SET run_id = 'nobody' WHERE rowid = 1", r"There is a result of run nobody, which is not there"),
    "an order is lost": (
        "DELETE FROM orders WHERE id = (SELECT order_id FROM fills ORDER BY ordinal LIMIT 1)",
        r"Fill \S+ belongs to order \S+, which is not there\.",
    ),
    "a fill is lost": (
        "DELETE FROM fills WHERE ordinal = 3",
        r"Order \S+ says it filled \d+, and its fills come to [\d.]+\.",
    ),
    "a fill's quantity is changed": (
        "UPDATE fills SET body = replace(body, '\"qty\":\"3\"', '\"qty\":\"4\"')"
        " WHERE ordinal = (SELECT min(ordinal) FROM fills WHERE body LIKE '%\"qty\":\"3\"%')",
        r"Fill \S+ is stored as \w+ 4 SPY at \S+, fee \S+, and its event says \w+ 3 SPY",
    ),
    "a fill's price is changed": (
        "UPDATE fills SET body = replace(body, '\"price\":\"', '\"price\":\"1') WHERE ordinal = 5",
        r"Fill \S+ is stored as \w+ \S+ SPY at 1\S+, fee \S+, and its event says",
    ),
    "an order's status is changed": (
        "UPDATE orders SET body = replace(body, '\"status\":\"filled\"', '\"status\":\"accepted\"'), status = 'accepted'"
        " WHERE ordinal = (SELECT min(ordinal) FROM orders WHERE status = 'filled')",
        r"Order \S+ is stored as accepted, .+, and its events say filled, ",
    ),
    "a column says something else": (
        "UPDATE orders SET status = 'rejected' WHERE ordinal = 2",
        r"Order \S+ says status \w+, and its column says rejected\.",
    ),
    "a row is cut off": ("UPDATE runs SET body = substr(body, 1, 50) WHERE ordinal = 2", r"Run \w+ cannot be read"),
    "a run's status is changed": (
        "UPDATE runs SET body = replace(body, '\"status\":\"completed\"', '\"status\":\"stopped\"'), status = 'stopped' WHERE ordinal = 2",
        r"Run \w+ is stopped, and its events say completed\.",
    ),
    "a result is changed": (
        "UPDATE results SET body = replace(body, '\"open_positions\":[{', '\"open_positions\":[{\"symbol\":\"QQQ\",\"qty\":\"5\"},{')",
        r"The result of run \w+ holds 5 QQQ, .+ SPY, and its fills leave .+ SPY\.",
    ),
    "equity is cut off": ("UPDATE results SET arrays = substr(arrays, 1, 40) WHERE rowid = 1", r"The result of run \w+ cannot be read"),
    "a part of the bars is lost": (
        "DELETE FROM bar_chunks WHERE set_id = 2 AND period = 1",
        r"X/Y 1m from feed, raw: 4 bars are said to be stored, and 3 are\.",
    ),
    "a part of the bars is cut off": (
        "UPDATE bar_chunks SET data = substr(data, 1, 60) WHERE set_id = 1",
        r"SPY 1m from file, raw, part \d+: its bars cannot be read",
    ),
    "bars are another's": (
        "UPDATE bar_chunks SET data = (SELECT data FROM bar_chunks WHERE set_id = 2 AND period = 0) WHERE set_id = 2 AND period = 1",
        r"X/Y 1m from feed, raw, part 1: 1 bars are said to be stored, and 2 are\.",
    ),
    "a hash of bars is changed": (
        "UPDATE bar_chunks SET sha256 = 'feed' WHERE set_id = 2 AND period = 1",
        r"X/Y 1m from feed, raw, part 1: its bars do not have the hash it says, feed\.",
    ),
    "the hash of a set is changed": ("UPDATE bar_sets SET sha256 = 'beef' WHERE id = 1", r"its bars do not have the hash it says, beef\."),
    "a set says other times": ("UPDATE bar_sets SET last_ns = last_ns + 1 WHERE id = 1", r"its first and last bar are not those it says\."),
    "bars of no set": ("DELETE FROM bar_sets WHERE id = 2", r"There are bars of set 2, which is not there\."),
    "an offset beyond the end": ("INSERT INTO consumer_offsets VALUES ('mail', 999999999, 0)", r"The offset of mail is 999999999, beyond"),
    "an event is changed": (
        "UPDATE outbox SET ts = ts + 1 WHERE seq = (SELECT min(seq) + 3 FROM event_hashes)",
        r"Run \w+: Event \d+ \(\S+\) is not what it was when it was stored\.",
    ),
    "an execution of a paper account is lost": (
        "DELETE FROM paper_executions",
        r"Paper account sim says that it holds 2 SPY, and all that happened in it makes 0\.",
    ),
    "the money of a paper account is changed": (
        "UPDATE paper_accounts SET body = replace(body, '\"799.5\"', '\"999.5\"')",
        r"Paper account sim says that it has 999\.5, and all that happened in it makes 799\.5\.",
    ),
    "an order of a paper account is lost": (
        "DELETE FROM paper_orders WHERE id = 'P1-o1'",
        r"Paper account sim has executions of order P1-o1, which is not there\.",
    ),
    "an order of a paper account says that less is filled": (
        "UPDATE paper_orders SET body = replace(body, '\"filled_qty\":\"2\"', '\"filled_qty\":\"1\"')",
        r"Order P1-o1 of paper account sim says that 1 are filled, and its executions make 2\.",
    ),
    "a row of a paper account is cut off": (
        "UPDATE paper_orders SET body = substr(body, 1, 40) WHERE id = 'P1-o2'",
        r"Paper account sim cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
async def test_each_damage_is_found(whole: Path, tmp_path: Path, name: str) -> None:
    statement, expected = DAMAGES[name]
    path = tmp_path / "desk.db"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as db:
        assert db.execute(statement).rowcount > 0
    db.close()
    report = await checked(path)
    assert any(re.search(expected, finding.sentence) for finding in report.findings), [item.sentence for item in report.findings]


async def test_a_damaged_index_is_found(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as db:
        # The rows stay, and the index forgets them: a page that a disk lost looks like this.
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_fills_run_id_ordinal'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x0a" + b"\x00" * 7)  # an empty leaf
    report = await checked(path)
    assert any(finding.kind == "file" for finding in report.findings), report.findings


async def test_an_order_that_filled_before_and_after_a_split_adds_up(tmp_path: Path) -> None:
    async with opened(DatabaseStore(tmp_path / "desk.db", SystemClock())) as store:
        await fill_desk(store, tmp_path)
        manager = manager_of(store, tmp_path)
        run = await ran(manager, "patient", volume_cap=Decimal("0.5"))
        await manager.close()
        (order,) = [order for order in await store.runs.orders(run.id) if order.request.limit_price is not None]
        fills = await store.runs.fills(run.id)
        assert len(fills) > 200
        assert order.filled_qty > sum(fill.qty for fill in fills), "it was counted anew in the units of after the split"
        assert (await check_store(store, lambda _: None)).findings == ()


async def test_memory_is_checked_as_far_as_it_can_be(tmp_path: Path) -> None:
    async with opened(MemoryStore(SystemClock())) as store:
        runs = await fill_desk(store, tmp_path)
        report = await check_store(store, lambda _: None)
    assert report.findings == ()
    assert report.counts["runs"] == len(runs)
