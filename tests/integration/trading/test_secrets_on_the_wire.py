"""The keys are nowhere after every way in which a broker can refuse them, even by saying them back."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from app.logs import FaultReporter, start_logging
from core.brokers.credentials import Credentials
from core.clock.realtime import SystemClock
from core.errors import BrokerError, KnownError
from core.model.broker import Watch
from core.model.instants import DAY_NS
from core.model.order import OrderStatus
from core.model.result import RunResult
from core.model.run import RunStatus
from core.store.database import DatabaseStore
from tests.broker.bench import fake_broker
from tests.broker.desk import POST, WireScene, wired
from tests.broker.faults import Fault, StreamMood, Way
from tests.broker.server import KEY, SECRET, FakeBroker
from tests.integration.cli.conftest import Said
from tests.integration.cli.conftest import weaver as weaver

S = OrderStatus
ECHO = json.dumps({"code": 42210000, "message": f"the key {KEY} with the secret {SECRET} is not welcome"})
PAGE = f"<html><body>403 Forbidden APCA-API-KEY-ID: {KEY} APCA-API-SECRET-KEY: {SECRET}</body></html>"


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


@pytest.fixture
def logged(weaver_home: Path) -> Iterator[Path]:
    """The program's own log at its most talkative, in the data directory."""
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    level = root.level
    start_logging(weaver_home / "logs", verbose=True)
    root.setLevel(logging.DEBUG)
    yield weaver_home
    logging.setLogRecordFactory(factory)
    root.setLevel(level)


async def refused_in_every_way(folder: Path, server: FakeBroker) -> list[str]:
    """Trade while the keys are refused, and return all that errors said and looked like."""
    said: list[str] = []

    def note(error: BaseException) -> None:
        said.extend((str(error), repr(error), repr(error.__dict__)))

    async def trade(scene: WireScene) -> None:
        await scene.run()
        working = await scene.working()
        for status in (401, 403, 422, 400, 404, 500, 429):
            for body in (ECHO, PAGE):
                server.fail(Fault(POST, Way.STATUS, status, body=body, content_type="text/html" if body is PAGE else "application/json"))
                order = await scene.until_status(await scene.place(limit="390"), S.REJECTED)
                said.append(order.reason or "")
                server.fail(Fault("GET /v2/clock", Way.STATUS, status, body=body), Fault("DELETE", Way.STATUS, status, body=body))
                for call in (scene.link.market.clock(), scene.link.desk.cancel(scene.broker_id(working))):
                    try:
                        await call
                    except BrokerError as error:
                        note(error)
        server.fail(Fault("GET /v2/clock", Way.STATUS, 200, body=PAGE))
        try:
            await scene.link.market.clock()
        except BrokerError as error:
            note(error)
        said.append(repr(scene.link) + repr(scene.link.streams) + repr(vars(scene.link)) + repr(scene.desk.state.account))
        server.send_raw_update(f'{{"stream": "trade_updates", "data": {{"{SECRET}": 1}}}}'.encode())
        await scene.until_said("a message could not be read")
        for message in ({"code": 402, "msg": f"auth failed: {KEY} {SECRET}"}, {"code": 405, "msg": ECHO}, {"code": 500, "msg": ECHO}):
            said.extend(await market_error(scene, server, message))
        server.do(lambda: setattr(server, "mood", StreamMood.REFUSES))
        server.do(lambda: setattr(server, "revoked", True))
        server.drop_streams()
        await scene.until(lambda: bool(scene.stopped))
        said.extend(scene.stopped)
        await asyncio.Event().wait()

    try:
        async with wired(folder, server) as scene:
            await trade(scene)
    except KnownError as error:
        note(error)
    await end(folder, said)
    return said


async def market_error(scene: WireScene, server: FakeBroker, message: dict[str, Any]) -> list[str]:
    """What a market stream says that the server refused in the middle."""
    said: list[str] = []
    lost = asyncio.Event()
    listening = asyncio.Event()

    def on_status(status: Any) -> None:
        said.append(repr(status))
        (listening if status.state == "listening" else lost).set()

    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            task = group.create_task(scene.link.streams.market(Watch(quotes=("SPY",)), lambda _: None, on_status))
            await listening.wait()
            lost.clear()
            server.send_ticks({"T": "error", **message})
            await lost.wait()
            task.cancel()
    except BaseExceptionGroup as errors:
        said.extend(str(error) for error in errors.exceptions)
    return said


async def end(folder: Path, said: list[str]) -> None:
    """End the run as its session would: with the broker's sentence, and a result."""
    store = DatabaseStore(folder / "desk.db", SystemClock())
    await store.open()
    run = await store.runs.run("run")
    assert run is not None
    result = RunResult(
        run_id="run", stats={}, equity_ns=np.array([0, DAY_NS]), equity=np.array([1.0, 1.0]), trades=(), open_positions=(),
        rejections=(), plots=(), state=None,
    )  # fmt: skip
    async with store.runs.begin() as work:
        work.put_run(run.moved_to(RunStatus.ERROR, ended_ns=DAY_NS, error=" ".join(said)[:100_000], error_code="keys_refused"))
        work.put_result(result)
    await store.close()


def test_the_keys_are_nowhere(
    logged: Path, server: FakeBroker, weaver: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = asyncio.run(refused_in_every_way(logged, server))
    terminal = capsys.readouterr().err
    assert "***" in " ".join(said)  # the server did say them
    assert any("does not accept the keys" in one for one in said)
    crash_with_the_keys_at_hand(logged)
    database = logged / "desk.db"
    calls: list[tuple[str | Path, ...]] = [
        ("db", "export", logged / "all.weaver"),
        ("events", "tail", "--json", "--limit", "10000"),
        ("runs", "show", "run", "--json"),
        ("runs", "show", "run", "--report", logged / "report.html"),
        ("runs", "show", "run", "--report", logged / "report"),
    ]
    shown = ""
    for call in calls:
        done: Said = weaver("--db", database, *call)
        assert done.code == 0, done.err
        shown += done.out + done.err
    unpacked = logged / "unpacked.db"  # the export is compressed
    assert weaver("--db", unpacked, "db", "import", logged / "all.weaver").code == 0
    rows = rows_of(database) + rows_of(unpacked)
    archive = ("--db", unpacked, "db", "archive", "--older-than", "0d", "--to", logged / "archives")
    for kind in ("paper-events", "live-events", "desk-events"):
        assert weaver(*archive, "--class", kind).code == 0
    archived = ""
    for path in (logged / "archives").iterdir():
        archived += zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read().decode()
        done = weaver("events", "tail", "--archive", path, "--json", "--limit", "10000")
        assert done.code == 0, done.err
        shown += done.out + done.err
    assert archived.count("orders.Rejected") > 10
    files = {path: path.read_bytes() for path in logged.rglob("*") if path.is_file()}
    kinds = {path.suffix for path in files}
    assert {".db", ".log", ".html", ".txt", ".weaver"} <= kinds, kinds
    assert rows.count("orders.Rejected") > 20
    for secret in (KEY, SECRET):
        for where, text in {
            "said": " ".join(said),
            "shown": shown,
            "rows": rows,
            "archived": archived,
            "terminal": terminal,
            "log": caplog.text,
        }.items():
            assert secret not in text, where
        for path, content in files.items():
            assert secret.encode() not in content, path


def rows_of(database: Path) -> str:
    """All that a database holds, as text."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(str(row) for table in tables for row in connection.execute(f"select * from {table}"))


def crash_with_the_keys_at_hand(folder: Path) -> None:
    """A bug in a frame that holds the keys, kept as the program keeps bugs."""
    credentials = Credentials(KEY, SECRET)
    reporter = FaultReporter(folder / "logs", SystemClock())
    kept: Path | None = None
    try:
        raise RuntimeError(f"bug with {credentials!r} and {credentials}")
    except RuntimeError as error:
        kept = reporter.keep(error)
    reporter.close()
    assert kept is not None
