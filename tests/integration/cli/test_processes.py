"""What only a process of its own can show: pure streams, signals, imports, locks, and death."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, Weaver, environment_of, read_until
from tests.strictness.log_guard import AllowLog

Begin = Callable[..., "subprocess.Popen[str]"]
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


def test_no_verb_imports_qt(weaver_home: Path, hours: Path) -> None:
    calls = [
        ["--help"],
        ["data", "import", str(hours), "--symbol", "BTC/USD", "--timeframe", "1h"],
        ["data", "list"],
        ["data", "gaps"],
        ["strategies", "list"],
        ["strategies", "show", "sma-cross"],
        ["backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h"],
        ["runs", "list"],
        ["events", "tail"],
        ["doctor"],
        ["--demo"],
    ]
    probe = (
        "import json, sys\nfrom app.cli import main\n"
        f"codes = [main(call) for call in {calls!r}]\n"
        "qt = [name for name in sys.modules if name.partition('.')[0] in {'PySide6', 'shiboken6', 'qasync', 'qtpy', 'qtawesome', 'ui'}]\n"
        "sys.stderr.write(json.dumps([codes, qt]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment_of(weaver_home), capture_output=True, text=True, timeout=100, check=True
    )
    codes, qt = json.loads(done.stderr.splitlines()[-1])
    assert codes == [0] * len(calls)
    assert qt == []


def test_the_window_imports_what_needs_no_qt_before_it(weaver_home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    probe = (
        "import sys\nfrom app.cli import main\n"
        f"code = main(['--screenshot', {str(picture)!r}, '--size', '800x600'])\n"
        "order = list(sys.modules)\n"
        "late = [name for name in ('core.engine', 'numpy', 'app.compose') if order.index(name) > order.index('PySide6')]\n"
        "sys.stderr.write(f'{code} {late}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment_of(weaver_home), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr.endswith("0 []"), done.stderr
    assert picture.exists()


def test_help_imports_neither_the_engine_nor_numpy(weaver_home: Path) -> None:
    probe = (
        "import sys\nfrom app.cli import main\nmain(['--help'])\n"
        "heavy = {'numpy', 'polars', 'sqlalchemy', 'alembic', 'rich.table', 'exchange_calendars', 'core.engine'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment_of(weaver_home), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stderr.split() == []
    assert done.returncode == 0


def test_stdout_is_the_document_alone(with_hours: Weaver, weaver_process: Weaver) -> None:
    said = weaver_process("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--json", "--verbose")
    assert said.code == 0
    assert said.json()["run"]["status"] == "completed"
    quiet = weaver_process("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--json")
    assert quiet.err == ""
    assert quiet.json()["stats"] == said.json()["stats"]


@on_unix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_keeps_it(
    slow_strategy: None, begin: Begin, weaver: Weaver, weaver_home: Path, number: signal.Signals
) -> None:
    process = begin("backtest", "slow", "--symbol", "ETH/USD", "--timeframe", "1m", "--json")
    read_until(process, "the run goes on")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("error[cancelled]: Run ")
    assert err.endswith("It is kept as stopped.\n")
    document = json.loads(out)
    assert document["run"]["status"] == "stopped"
    assert 0 < document["run"]["bars"] < 5_000
    (run,) = weaver("runs", "list", "--json").json()["runs"]
    assert (run["id"], run["status"]) == (document["run"]["id"], "stopped")
    _check_database(weaver_home)


@on_unix
def test_a_killed_run_is_found_interrupted(slow_strategy: None, begin: Begin, weaver: Weaver, weaver_home: Path) -> None:
    process = begin("backtest", "slow", "--symbol", "ETH/USD", "--timeframe", "1m")
    read_until(process, "the run goes on")
    (before,) = weaver("runs", "list", "--json").json()["runs"]
    assert before["status"] == "running"  # another process has it: it is left alone
    process.kill()
    process.wait()
    (after,) = weaver("runs", "list", "--json").json()["runs"]
    assert (after["id"], after["status"]) == (before["id"], "interrupted")
    assert weaver("runs", "show", before["id"]).code == 0
    _check_database(weaver_home)


@on_unix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_cut_short_leaves_nothing_half_done(
    begin: Begin, weaver: Weaver, weaver_home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    rows = 300_000
    path = tmp_path / "large.csv"
    lines = (f"{1_500_000_000 // 60 * 60 + 60 * minute},10,11,9,10,1" for minute in range(rows))
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    process = begin("data", "import", path, "--symbol", "ETH/USD", "--timeframe", "1m", "--verbose")
    read_until(process, "Reading: ")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    stored = [item["bars"] for item in weaver("data", "list", "--json").json()["sets"]]
    # Should the signal come too late, all of it is there; a part of it never is.
    assert stored in ([], [rows])
    if number is signal.SIGINT and not stored:
        assert process.returncode == 1
        assert err.endswith("error[cancelled]: Stopped on request. What was not finished was not kept.\n")
    _check_database(weaver_home)


def _check_database(home: Path) -> None:
    with sqlite3.connect(home / "weaver.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_a_reader_of_the_pipe_that_goes_away_is_no_error(with_hours: Weaver, begin: Begin) -> None:
    process = begin("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--json", "--equity")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


def test_a_data_directory_that_cannot_be_written_is_told(weaver_process: Weaver, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    home = str(tmp_path / "file" / "home")
    said = weaver_process("data", "list", WEAVER_HOME=home)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[store_read_only]: ")
    assert "WEAVER_HOME" in said.err
    assert weaver_process("runs", "list", "--db", "memory", WEAVER_HOME=home).code == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a directory that nobody can write to")
def test_a_database_where_nothing_can_be_made_is_told(weaver: Weaver) -> None:
    said = weaver("runs", "list", "--db", "sqlite:////proc/weaver/w.db")
    assert said.code == 1
    assert "/proc/weaver" in said.err
    assert "Traceback" not in said.err


def test_a_database_of_a_newer_version_is_left_alone(with_hours: Weaver, weaver_home: Path) -> None:
    connection = sqlite3.connect(weaver_home / "weaver.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    said = with_hours("data", "list")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[database_newer]: ")


def test_a_locked_database_is_told(with_hours: Weaver, hours: Path, weaver_home: Path) -> None:
    connection = sqlite3.connect(weaver_home / "weaver.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        said = with_hours("data", "import", hours, "--symbol", "ETH/USD", "--timeframe", "1h")
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    assert said.code == 1
    assert said.err.startswith("error[database_busy]: ")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://desk:hunter2@db:p/weaver",
        "postgresql://desk:hunter2/@db/weaver",
        "mysql://desk:hunter2@db/x",
        "https://desk:hunter2@x/y",
    ],
)
def test_a_database_of_another_kind_is_refused_without_its_password(weaver: Weaver, url: str) -> None:
    said = weaver("runs", "list", "--db", url)
    assert said.code == 2
    assert "hunter2" not in said.err
    assert "memory" in said.err or "%2F" in said.err


def test_a_file_that_is_no_database_is_told(weaver: Weaver, tmp_path: Path) -> None:
    (tmp_path / "photo.db").write_bytes(b"\x89PNG" + bytes(range(256)) * 20)
    said = weaver("runs", "list", "--db", f"sqlite:///{tmp_path / 'photo.db'}")
    assert said.code == 1
    assert said.err.startswith("error[store_error]: ")
    assert "photo.db" in said.err


def test_the_doctor_says_what_is_wrong_and_no_secret(
    weaver: Weaver, weaver_home: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("settings.json cannot be read as settings")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hunter2")
    well = weaver("doctor", "--json")
    assert well.code == 0
    states = {check["name"]: check["state"] for check in well.json()["checks"]}
    assert {"weaver", "python", "numpy", "data directory", "free space", "database", "strategies", "environment", "display"} <= set(states)
    assert set(states.values()) <= {"ok", "warn"}
    assert "APCA_API_SECRET_KEY" in well.out
    assert "hunter2" not in well.out
    (weaver_home / "strategies" / "oops.py").write_text("class Broken(:\n")
    (weaver_home / "settings.json").write_text("{broken")
    unwell = weaver("doctor", "--json").json()
    warned = [check["said"] for check in unwell["checks"] if check["state"] == "warn"]
    assert any("oops.py" in said for said in warned)
    assert any("settings.json" in said for said in warned)
    (weaver_home / "settings.json").unlink()
    ill = weaver("doctor", "--db", "sqlite:////proc/weaver/w.db")
    assert ill.code == 1
    assert "fail" in ill.out
    assert ill.err == ""
