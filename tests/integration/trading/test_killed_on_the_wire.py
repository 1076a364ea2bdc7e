"""The process is killed at each step of the order path, with a broker over HTTP, while the market goes on; then it is started again."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.model.order import OrderStatus, RejectCode
from tests.broker.bench import fake_broker
from tests.broker.desk import POST, wired
from tests.broker.faults import Fault, Mischief, Way
from tests.broker.server import FakeBroker

S = OrderStatus


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


@contextmanager
def another_process(server: FakeBroker, folder: Path, step: str, what: str = "order") -> Iterator[subprocess.Popen[bytes]]:
    """Trade in a process of its own; at the end of the block it is dead."""
    command = [sys.executable, "-m", "tests.integration.trading.dying_on_the_wire", server.url, str(folder), step, what]
    with subprocess.Popen(command) as process:
        try:
            yield process
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def killed_before_the_answer(server: FakeBroker, folder: Path, what: str = "order") -> None:
    """Trade in another process until the broker has what it sent, and kill it before it can know."""
    server.fail(Fault(POST, Way.DONE_THEN_SILENT))
    server.mischief = Mischief.MISSING  # or the stream tells what the answer does not
    with another_process(server, folder, "before the answer", what) as process:
        server.wait_for(lambda: is_there(server), seconds=30)
        process.kill()
    server.mischief = Mischief.NONE


def fill(server: FakeBroker, qty: str) -> None:
    server.do(lambda: server.book.fill(server.book.by_client_id("run-1")["id"], qty, "390"))


def is_there(server: FakeBroker, status: str = "new") -> bool:
    return any(order["status"] == status for order in list(server.book.orders.values()))


@pytest.mark.parametrize("step", ["before the commit of the order", "after the commit of the order"])
async def test_killed_before_it_was_sent_it_is_never_sent(tmp_path: Path, server: FakeBroker, step: str) -> None:
    with another_process(server, tmp_path, step):
        pass
    async with wired(tmp_path, server, settle_ns=0) as scene:
        await scene.run()
        if step.startswith("before"):
            assert scene.desk.state.lives == {}
        else:
            order = await scene.until_status("run-1", S.REJECTED)
            assert order.reject_code is RejectCode.NEVER_SENT
            assert "The broker does not have order run-1, which was submitting here." in await scene.told()
        assert server.requests[POST] == 0
        await scene.assert_books_equal()
        # A new one is an order like any other.
        scene.count = 1
        again = await scene.working()
        scene.fill(again, 10)
        await scene.until_status(again, S.FILLED)
        await scene.assert_books_equal()


@pytest.mark.parametrize("filled", [0, 4, 10])
async def test_killed_between_the_sending_and_the_answer(tmp_path: Path, server: FakeBroker, filled: int) -> None:
    killed_before_the_answer(server, tmp_path)
    if filled:
        fill(server, str(filled))
    async with wired(tmp_path, server) as scene:
        await scene.run()
        assert scene.status("run-1") is {0: S.ACCEPTED, 4: S.PARTIALLY_FILLED, 10: S.FILLED}[filled]
        assert server.requests[POST] == 1
        assert "Order run-1 is new at the broker and was submitting here." in await scene.told() or filled
        await scene.assert_books_equal()


@pytest.mark.parametrize("step", ["before the commit of a fill", "after the commit of a fill"])
async def test_killed_between_a_fill_and_its_commit(tmp_path: Path, server: FakeBroker, step: str) -> None:
    with another_process(server, tmp_path, step):
        server.wait_for(lambda: is_there(server), seconds=30)
        fill(server, "4")
    fill(server, "3")  # while nobody lives
    async with wired(tmp_path, server) as scene:
        await scene.run()
        assert scene.desk.state.lives["run-1"].order.filled_qty == 7
        await scene.assert_books_equal()
        scene.fill("run-1", 3)
        await scene.until_status("run-1", S.FILLED)
        await scene.assert_books_equal()
    async with wired(tmp_path, server) as scene:  # and once more, as nothing happened
        assert await scene.desk.reconcile() == ()
        await scene.assert_books_equal()


@pytest.mark.parametrize("way", [Way.SILENT, Way.DONE_THEN_SILENT], ids=lambda way: way.value)
async def test_killed_between_a_cancel_and_its_answer(tmp_path: Path, server: FakeBroker, way: Way) -> None:
    server.fail(Fault("DELETE /v2/orders/", way))
    with another_process(server, tmp_path, "before the answer to a cancel") as process:
        if way is Way.SILENT:
            server.wait_for(lambda: any(name.startswith("DELETE") for name in list(server.requests)), seconds=30)
        else:
            server.wait_for(lambda: is_there(server, "canceled"), seconds=30)
        process.kill()
    async with wired(tmp_path, server) as scene:
        await scene.run()
        assert scene.status("run-1") is (S.ACCEPTED if way is Way.SILENT else S.CANCELLED)
        await scene.assert_books_equal()


# --- an entry with its exits ---

FAMILY = ("run-1", "run-2", "run-3")
"""The entry, its stop and its target."""


def leg(server: FakeBroker, kind: str) -> str:
    return str(next(one["id"] for one in server.book.by_client_id("run-1")["legs"] if one["type"] == kind))


@pytest.mark.parametrize("step", ["before the commit of the order", "after the commit of the order"])
async def test_a_bracket_that_was_not_sent_never_is(tmp_path: Path, server: FakeBroker, step: str) -> None:
    with another_process(server, tmp_path, step, "bracket"):
        pass
    async with wired(tmp_path, server, settle_ns=0) as scene:
        await scene.run()
        if step.startswith("before"):
            assert scene.desk.state.lives == {}
        else:
            for each in FAMILY:
                assert (await scene.until_status(each, S.REJECTED)).reject_code is RejectCode.NEVER_SENT
        assert server.requests[POST] == 0
        await scene.assert_books_equal()


@pytest.mark.parametrize(("filled", "sold"), [(0, ""), (4, ""), (10, ""), (10, "limit"), (10, "stop")])
async def test_a_bracket_whose_answer_was_not_heard_is_found_with_its_exits(
    tmp_path: Path, server: FakeBroker, filled: int, sold: str
) -> None:
    killed_before_the_answer(server, tmp_path, "bracket")
    if filled:
        fill(server, str(filled))
    if sold:
        server.do(lambda: server.book.fill(leg(server, sold), "10", "400"))
    async with wired(tmp_path, server, settle_ns=0) as scene:
        await scene.run()
        assert scene.status("run-1") is {0: S.ACCEPTED, 4: S.PARTIALLY_FILLED, 10: S.FILLED}[filled]
        wanted = {"": (S.ACCEPTED, S.ACCEPTED), "limit": (S.CANCELLED, S.FILLED), "stop": (S.FILLED, S.CANCELLED)}[sold]
        assert (scene.status("run-2"), scene.status("run-3")) == wanted
        assert server.requests[POST] == 1
        assert scene.desk.state.outside == {}
        await scene.assert_books_equal()
        await scene.desk.reconcile()
        await scene.assert_books_equal()


@pytest.mark.parametrize("step", ["before the commit of a fill", "after the commit of a fill"])
async def test_killed_between_a_fill_of_a_bracket_and_its_commit(tmp_path: Path, server: FakeBroker, step: str) -> None:
    with another_process(server, tmp_path, step, "bracket"):
        server.wait_for(lambda: is_there(server), seconds=30)
        fill(server, "4")
    fill(server, "6")  # while nobody lives
    server.do(lambda: server.book.fill(leg(server, "limit"), "3", "420"))
    async with wired(tmp_path, server) as scene:
        await scene.run()
        assert [scene.status(each) for each in FAMILY] == [S.FILLED, S.ACCEPTED, S.PARTIALLY_FILLED]
        await scene.assert_books_equal()
        server.do(lambda: server.book.fill(leg(server, "limit"), "7", "420"))
        await scene.until_status("run-3", S.FILLED)
        await scene.until_status("run-2", S.CANCELLED)
        await scene.assert_books_equal()
    async with wired(tmp_path, server) as scene:  # and once more, as nothing happened
        assert await scene.desk.reconcile() == ()
        await scene.assert_books_equal()


@pytest.mark.parametrize("way", ["the lists are short", "nobody names them"])
async def test_exits_that_are_not_named_at_once_are_never_taken_for_ones_that_never_came(
    tmp_path: Path, server: FakeBroker, way: str
) -> None:
    killed_before_the_answer(server, tmp_path, "bracket")
    lead = server.book.by_client_id("run-1")
    legs = lead["legs"]
    if way == "the lists are short":
        for _ in range(2):  # those since an instant, and those that are open
            server.fail(Fault("GET /v2/orders", Way.STATUS, 200, body="[]"))
    else:
        server.do(lambda: [server.book.orders.pop(one["id"]) for one in legs] and lead.update(legs=None))
    async with wired(tmp_path, server, settle_ns=0) as scene:
        await scene.run()
        assert scene.status("run-1") is S.ACCEPTED
        wanted = S.ACCEPTED if way == "the lists are short" else S.SUBMITTING
        assert (scene.status("run-2"), scene.status("run-3")) == (wanted, wanted)
        server.do(lambda: [server.book.orders.update({one["id"]: one}) for one in legs] and lead.update(legs=legs))
        fill(server, "10")
        await scene.until_status("run-1", S.FILLED)
        await scene.desk.reconcile()
        assert (scene.status("run-2"), scene.status("run-3")) == (S.ACCEPTED, S.ACCEPTED)
        await scene.assert_books_equal()


# --- what the broker booked by itself ---


@pytest.mark.parametrize("step", ["before the commit of an entry", "after the commit of an entry"])
async def test_killed_between_the_reading_of_a_split_and_its_commit_it_is_booked_once(
    tmp_path: Path, server: FakeBroker, step: str
) -> None:
    with another_process(server, tmp_path, step):
        server.wait_for(lambda: is_there(server), seconds=30)
        fill(server, "10")

        def happens() -> None:
            server.activities.split("SPY", 3, 2)
            server.activities.money("CSD", "100")
            server.cut_streams()  # whoever comes back looks at once

        server.wait_for(lambda: is_filled_there(tmp_path), seconds=30)
        server.do(happens)
    for _ in range(2):
        async with wired(tmp_path, server, settle_ns=0) as scene:
            await scene.run()
            assert await scene.desk.reconcile() == ()
            assert scene.desk.state.books["run"].held("SPY") == 15
            assert [event.type for event in await scene.events("account.*")].count("account.SplitApplied") == 1
            assert len(await scene.events("live.EntryTaken")) == 2
            assert scene.stopped == []


def is_filled_there(folder: Path) -> bool:
    """Whether the other process has booked the fill."""
    with sqlite3.connect(folder / "desk.db") as there:
        return bool(there.execute("SELECT count(*) FROM fills").fetchone()[0])
