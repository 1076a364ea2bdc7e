"""`weaver trade` told to end before its run goes on, and told so twice: it is done, and leaves nothing that nobody knows of."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.early_stop import NOT_BEGUN, trades
from core.clock.realtime import SystemClock
from core.model.desk import LeaseKind
from core.model.instants import to_ns
from core.store.database import DatabaseStore
from tests.broker.faults import Fault, Way
from tests.integration.cli.broker_scene import Scenes, broker_scene
from tests.integration.cli.conftest import ROOT, Weaver, read_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

SATURDAY = to_ns(datetime(2026, 11, 28, 20, 0, tzinfo=UTC))
TRADE = ("trade", "turn", "--timeframe", "1m", "--json", "--broker", "alpaca", "--symbol", "BTC/USD")


@pytest.fixture
def at(tmp_path: Path, weaver_home: Path) -> Iterator[Scenes]:
    with ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(broker_scene(tmp_path, weaver_home, *given, **more))


def leases(home: Path) -> list[str]:
    """The leases that are held."""

    async def read() -> list[str]:
        store = DatabaseStore(home / "weaver.db", SystemClock())
        await store.open()
        try:
            return [lease.name for kind in LeaseKind for lease in await store.leases.held(kind)]
        finally:
            await store.close()

    return asyncio.run(read())


def ended(process: "subprocess.Popen[str]") -> tuple[Any, str]:
    """The document of a process that ended as one that is done, and what it said beside."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "error[" not in err
    return json.loads(out), err


@pytest.mark.parametrize("request_name", ["GET /v2/account", "GET /v2/orders", "GET /v2/positions"])
def test_while_it_connects(at: Scenes, weaver: Weaver, weaver_home: Path, request_name: str) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    scene.server.fail(Fault(request_name, Way.SILENT))
    process = scene.begin(*TRADE, "--log-json")
    scene.server.wait_for(lambda: not scene.server.do(lambda: list(scene.server.faults)), seconds=60)
    process.send_signal(signal.SIGTERM)
    document, err = ended(process)
    assert (document["run"]["id"], document["run"]["status"], document["fills"]) == (None, "stopped", [])
    assert document["run"]["error"]["sentence"] == NOT_BEGUN
    assert json.loads(err.splitlines()[-1])["message"] == NOT_BEGUN
    assert weaver("runs", "list", "--json").json()["runs"] == []
    assert leases(weaver_home) == []
    assert scene.orders() == []


def test_while_its_bars_are_fetched_it_is_a_run_that_was_stopped(at: Scenes, weaver: Weaver, weaver_home: Path) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    scene.server.fail(Fault("GET /v1beta3/crypto/us/bars", Way.SILENT))
    process = scene.begin(*TRADE)
    scene.server.wait_for(lambda: not scene.server.do(lambda: list(scene.server.faults)), seconds=60)
    process.send_signal(signal.SIGINT)
    run = ended(process)[0]["run"]
    assert (run["status"], run["error"]["sentence"]) == ("stopped", "It was stopped.")
    assert [one["status"] for one in weaver("runs", "list", "--json").json()["runs"]] == ["stopped"]
    assert leases(weaver_home) == []


def test_a_run_that_was_to_go_on_stays_interrupted(at: Scenes, weaver: Weaver, weaver_home: Path) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    killed = scene.begin(*TRADE, "--log-json")
    read_until(killed, '"orders.Filled"')
    killed.kill()
    killed.communicate()
    (before,) = weaver("runs", "list", "--json").json()["runs"]
    scene.server.fail(Fault("GET /v2/account", Way.SILENT))
    process = scene.begin("runs", "resume", before["id"], "--log-json", "--json")
    scene.server.wait_for(lambda: not scene.server.do(lambda: list(scene.server.faults)), seconds=60)
    process.send_signal(signal.SIGTERM)
    document, err = ended(process)
    assert (document["run"]["id"], document["run"]["status"]) == (before["id"], "interrupted")
    assert json.loads(err.splitlines()[-1])["message"].startswith(f"Stopped on request, before run {before['id']} went on")
    assert weaver("runs", "list", "--json").json()["runs"] == [before]
    assert set(leases(weaver_home)) <= {"alpaca:PA3FAKE00001"}  # that of the killed one, until it is over


def test_told_again_while_it_stops_it_stops_as_it_would(at: Scenes, weaver_home: Path) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0})
    process = scene.begin(*TRADE, "--symbol", "ETH/USD", "--log-json")
    read_until(process, '"orders.Filled"')
    scene.server.wait_for(lambda: any(order["status"] == "new" for order in scene.orders()))
    scene.server.fail(Fault("DELETE /v2/orders/", Way.SILENT))
    process.send_signal(signal.SIGTERM)
    scene.server.wait_for(lambda: not scene.server.do(lambda: list(scene.server.faults)))
    process.send_signal(signal.SIGTERM)
    said = read_until(process, "It is stopping already")
    assert json.loads(said.splitlines()[-1])["level"] == "warning"
    process.send_signal(signal.SIGINT)
    document, _ = ended(process)
    assert document["run"]["status"] == "stopped"
    assert document["fills"]
    assert leases(weaver_home) == []
    assert {order["status"] for order in scene.orders()} <= {"filled", "canceled"}


def test_while_the_database_says_nothing(begin: Callable[..., "subprocess.Popen[str]"]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = begin("trade", "sma-cross", "--symbol", "DEMO/USD", "--timeframe", "1m", WEAVER_DB=f"postgresql://a:b@127.0.0.1:{port}/c")
        server.settimeout(60)
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{NOT_BEGUN}\n", "")


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("--db memory trade sma-cross --symbol DEMO/USD", 0, f"{NOT_BEGUN}\n", ""),
        ("runs --verbose resume 0123456789ab", 0, f"{NOT_BEGUN}\n", ""),
        ("runs list", 1, "", "error[cancelled]: Stopped on request.\n"),
    ],
)
def test_while_it_loads(line: str, code: int, out: str, err: str) -> None:
    done = loading(line)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_while_it_loads_programs_are_told_in_json() -> None:
    done = loading("trade sma-cross --json --log-json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["run"] == {"id": None, "status": "stopped", "bars": 0, "error": {"code": None, "sentence": NOT_BEGUN}}
    assert set(json.loads(done.stderr)) == {"time", "level", "logger", "message"}


def loading(line: str) -> "subprocess.CompletedProcess[str]":
    """A call that is told to end before it has read its line."""
    source = """
import app.cli, app.__main__
app.cli.main = lambda: exec("import os, signal; os.kill(os.getpid(), signal.SIGTERM); [None for _ in range(1000)]")
app.__main__.main()
"""
    return subprocess.run([sys.executable, "-c", source, *line.split()], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("trade sma-cross", True),
        ("--db x --verbose trade sma-cross", True),
        ("runs resume 0123 --json", True),
        ("backtest trade", False),
        ("runs list", False),
        ("trade --db", False),
        ("", False),
    ],
)
def test_which_calls_go_on_until_they_are_told_to_end(line: str, told: bool) -> None:
    assert trades(line.split()) is told
