"""`weaver runs stop`: the run goes on in a process of its own, and hears of it through the log, of a file and of a server."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.runs import stop_requests
from tests.integration.cli.conftest import ROOT, Weaver, read_until

Begin = Callable[..., "subprocess.Popen[str]"]
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
BACKTEST = ("backtest", "slow", "--symbol", "ETH/USD", "--timeframe", "1m")
TRADE = ("trade", "sma-cross", "--symbol", "DEMO/USD", "--timeframe", "1m", "--param", "fast=2", "--param", "slow=4", "--speed", "600")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the environment says of the database, for this process and for those that it begins."""
    if request.param == "sqlite":
        return {}
    url = str(request.getfixturevalue("empty_postgres_url"))
    monkeypatch.setenv("WEAVER_DB", url)
    return {"WEAVER_DB": url}


@pytest.fixture
def dawdler(database: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """That database, with the strategy `slow` and bars for it."""
    request.getfixturevalue("slow_strategy")
    return database


def the_run(weaver: Weaver) -> str:
    (run,) = weaver("runs", "list", "--json").json()["runs"]
    assert run["status"] == "running"
    return str(run["id"])


def test_a_backtest_of_another_process_is_stopped(dawdler: dict[str, str], begin: Begin, weaver: Weaver) -> None:
    process = begin(*BACKTEST, "--json", **dawdler)
    read_until(process, "the run goes on")
    run_id = the_run(weaver)
    said = weaver("runs", "stop", run_id[:6], "--json")
    assert said.code == 0, said.err
    assert said.json() == {"stopped": run_id, "status": "stopped", "said": "It was stopped."}
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.endswith("It is kept as stopped.\n")
    document = json.loads(out)["run"]
    assert (document["id"], document["status"]) == (run_id, "stopped")
    assert 0 < document["bars"] < 5_000
    told = [event["type"] for event in weaver("events", "tail", "--run", run_id, "--type", "run.*", "--json").json()["events"]]
    assert told == ["run.Created", "run.Started", "run.StopRequested", "run.Stopped"]
    again = weaver("runs", "stop", run_id)
    assert (again.code, again.err) == (1, f"error[run_not_stoppable]: Run {run_id} is stopped and cannot be stopped.\n")


def test_a_paper_run_of_another_process_is_stopped_and_says_how(database: dict[str, str], begin: Begin, weaver: Weaver) -> None:
    process = begin(*TRADE, **database)
    read_until(process, "Bought")
    run_id = the_run(weaver)
    said = weaver("runs", "stop", run_id)
    assert (said.code, said.out) == (0, f"Run {run_id} is stopped. It was stopped.\n"), said.err
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "It is asked to stop, from another window or terminal." in err
    assert all(event["type"] != "run.Error" for event in weaver("events", "tail", "--run", run_id, "--json").json()["events"])


@on_unix
def test_a_run_whose_process_is_gone_is_told_to_be_resumed_or_closed(begin: Begin, weaver: Weaver) -> None:
    process = begin(*TRADE)
    read_until(process, "Bought")
    run_id = the_run(weaver)
    process.kill()
    process.wait()
    said = weaver("runs", "stop", run_id)
    assert said.code == 1
    assert said.err.startswith(f"error[run_not_stoppable]: The program that ran {run_id} is gone: the run is interrupted")
    assert f"`weaver runs resume {run_id}`, `weaver runs close {run_id}`" in said.err
    assert weaver("runs", "close", run_id).code == 0


@on_unix
def test_a_process_that_dies_while_it_is_waited_for_is_not_waited_for(
    slow_strategy: None, begin: Begin, weaver: Weaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = begin(*BACKTEST)
    read_until(process, "the run goes on")
    run_id = the_run(weaver)
    process.send_signal(signal.SIGSTOP)  # it hears nothing
    asked = stop_requests.StopRequests._over

    async def die_first(*given: object) -> object:
        process.kill()
        process.wait()
        return await asked(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(stop_requests.StopRequests, "_over", die_first)
    said = weaver("runs", "stop", run_id)
    assert said.code == 1
    assert said.err.startswith(f"error[run_not_stoppable]: The program that ran {run_id} is gone")


@on_unix
def test_it_does_not_wait_for_ever(slow_strategy: None, begin: Begin, weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_requests, "WAIT_S", 1.0)
    process = begin(*BACKTEST, "--json")
    read_until(process, "the run goes on")
    run_id = the_run(weaver)
    process.send_signal(signal.SIGSTOP)
    said = weaver("runs", "stop", run_id)
    assert said.code == 1
    assert said.err.startswith(f"error[still_running]: Run {run_id} was asked to stop and is not over after 1 seconds.")
    process.send_signal(signal.SIGCONT)  # it hears of it now
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["run"]["status"] == "stopped"


def test_another_desk_is_refused(postgres_url: str, begin: Begin, weaver_process: Weaver, tmp_path: Path) -> None:
    database = {"WEAVER_DB": postgres_url}
    process = begin(*TRADE, **database, WEAVER_DESK_NAME="Ann")
    read_until(process, "Bought")
    other = {**database, "WEAVER_HOME": str(tmp_path / "ben"), "WEAVER_DESK_NAME": "Ben"}
    (run,) = weaver_process("runs", "list", "--json", **other).json()["runs"]
    said = weaver_process("runs", "stop", run["id"], **other)
    assert said.code == 1
    assert said.err.startswith(f"error[run_not_stoppable]: Run {run['id']} goes on at the desk Ann, and only that desk stops it.")
    assert f"`weaver kill --run {run['id']}`" in said.err
    assert process.poll() is None
    events = weaver_process("events", "tail", "--type", "run.StopRequested", "--json", **database).json()["events"]
    assert events == []
    assert weaver_process("runs", "stop", run["id"], **database).code == 0  # at its own desk
    assert process.wait(timeout=60) == 0


def test_told_to_end_while_it_loads_it_ends_with_its_own_code_and_not_by_a_signal() -> None:
    # CPython ends a process by SIGINT, whatever it caught, once a KeyboardInterrupt went through `exec`: dataclasses use it.
    code = """
import app.cli, app.__main__
app.cli.main = lambda: exec("import os, signal; os.kill(os.getpid(), signal.SIGTERM); [None for _ in range(1000)]")
app.__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "error[cancelled]: Stopped on request.\n")
