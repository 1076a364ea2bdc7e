"""`weaver events tail --follow` as a process of its own, while others append: on a file, and on a server."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.model.run import RunStatus
from core.store.database import DatabaseStore
from tests.contract.samples import NOW_NS, note, run
from tests.integration.cli.conftest import Weaver
from tests.integration.store.writers import Place, append_many, other_process
from tests.postgres import PostgresServer

Begin = Callable[..., "subprocess.Popen[str]"]
BATCHES = 40

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database that several processes may open."""
    url = tmp_path / "desk.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return Place(url, tmp_path)


@pytest.fixture
def follow(begin: Begin, place: Place) -> Begin:
    """Begin to follow the log of that database, with these options."""

    def call(*options: str) -> "subprocess.Popen[str]":
        url = f"sqlite:///{place.url}" if isinstance(place.url, Path) else place.url
        return begin("events", "tail", "--follow", *options, "--db", url, PYTHONUNBUFFERED="")  # what is not flushed does not come

    return call


@asynccontextmanager
async def _open(place: Place) -> AsyncIterator[DatabaseStore]:
    store = place.store()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def append(place: Place, *texts: str) -> None:
    """Append a note for each text, by a store of its own."""
    async with _open(place) as store:
        await store.log.append([note(text) for text in texts])


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    """The next lines that it prints."""
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def objects(process: "subprocess.Popen[str]", count: int) -> list[Any]:
    return [json.loads(line) for line in lines(process, count)]


def ended(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    """Its exit code, and what else it said, after a signal."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.send_signal(number)
    out = process.stdout.read()  # not by `communicate`: it knows nothing of what reading a line has read already
    return process.wait(timeout=60), out, process.stderr.read()


async def test_what_others_append_is_printed_after_the_tail_none_left_out_and_none_twice(place: Place, follow: Begin) -> None:
    await append(place, "there", "before")
    # They append from before it reads the end of the log until long after.
    with other_process(append_many, (place, "a", BATCHES)), other_process(append_many, (place, "b", BATCHES)):
        process = follow("--json", "--limit", "1000")
        seen = objects(process, 2 + 2 * 3 * BATCHES)
    assert [event["seq"] for event in seen] == list(range(1, 2 + 2 * 3 * BATCHES + 1))
    assert [event["payload"]["text"] for event in seen[:2]] == ["there", "before"]
    assert ended(process) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_as_done(place: Place, follow: Begin, number: signal.Signals) -> None:
    await append(place, "first")
    process = follow()
    (line,) = lines(process, 1)
    assert line.startswith("     1 ")
    assert line.endswith("strategy.Noted text first\n")
    await append(place, "second")
    assert lines(process, 1)[0].endswith("text second\n")
    assert ended(process, number) == (0, "", "")


async def test_only_what_fits_is_printed(place: Place, follow: Begin) -> None:
    async with _open(place) as store:
        for number, run_id in enumerate(("aaaa", "bbbb")):
            async with store.runs.begin() as work:
                work.put_run(run(run_id, created_ns=NOW_NS + number, status=RunStatus.COMPLETED))
        await store.log.append([note("1", run_id="aaaa"), note("2", run_id="bbbb"), note("3", run_id="bbbb")])
        process = follow("--json", "--run", "bb", "--type", "strategy.*", "--limit", "1")
        tail = objects(process, 1)
        await store.log.append([note("4"), note("5", run_id="aaaa"), note("6", run_id="bbbb")])
        after = objects(process, 1)
    assert [event["payload"]["text"] for event in tail + after] == ["3", "6"]
    assert ended(process) == (0, "", "")


async def test_without_a_tail_it_begins_with_what_comes(place: Place, follow: Begin) -> None:
    await append(place, "old")
    process = follow("--json", "--limit", "0")
    async with _open(place) as store, asyncio.TaskGroup() as group:
        reading = group.create_task(asyncio.to_thread(objects, process, 1))
        while not reading.done():  # that it listens shows in what it prints
            await store.log.append([note("new")])
    (first,) = reading.result()
    assert first["seq"] > 1
    code, out, _ = ended(process)
    seqs = [first["seq"], *(json.loads(line)["seq"] for line in out.splitlines())]
    assert code == 0
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_a_reader_that_goes_away_ends_it_though_nothing_comes(place: Place, follow: Begin) -> None:
    await append(place, "first")
    process = follow("--json")
    lines(process, 1)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


async def test_a_reader_that_goes_away_ends_it_in_the_middle_of_much(place: Place, follow: Begin) -> None:
    await append(place, *(f"note {number}" for number in range(3_000)))
    process = follow("--json", "--limit", "3000")
    assert len(lines(process, 3)) == 3  # the pipe holds no 3000 lines: it is still printing
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_server_that_ends_the_connections_costs_no_event(place: Place, follow: Begin, postgres_server: PostgresServer) -> None:
    await append(place, "0")
    process = follow("--json")
    lines(process, 1)
    assert isinstance(place.url, str)
    ended_by_server = 0
    for number in range(1, 6):
        ended_by_server += postgres_server.terminate(place.url)
        await append(place, f"{number}", "then")
    assert ended_by_server
    seen = objects(process, 10)
    assert [event["seq"] for event in seen] == list(range(2, 12))
    code, out, err = ended(process)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_server_that_is_stopped_and_started_costs_no_event(place: Place, follow: Begin, postgres_server: PostgresServer) -> None:
    await append(place, "0")
    process = follow("--json")
    lines(process, 1)
    postgres_server.pause()
    postgres_server.resume()
    await append(place, "1", "2")
    assert [event["seq"] for event in objects(process, 2)] == [2, 3]
    assert ended(process)[:2] == (0, "")


def test_a_run_that_is_not_there_and_a_pattern_that_fits_nothing_are_told(weaver: Weaver) -> None:
    said = weaver("events", "tail", "--follow", "--run", "nobody")
    assert (said.code, said.out) == (2, "")
    for pattern in ("orders.F*", "*.Created", "ordres.*"):
        said = weaver("events", "tail", "--type", pattern)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("error[unknown_name]: ")
