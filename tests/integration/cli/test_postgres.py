"""The program on a server's database: by option, by variable and by setting; nothing it says has a password in it."""

import json
from pathlib import Path

import pytest

from app.config import SettingsFile
from core.settings import Settings
from tests.integration.cli.conftest import Weaver
from tests.postgres import PostgresServer, name_of

HUSH = "hush-hush"


@pytest.fixture
def url(postgres_server: PostgresServer, empty_postgres_url: str) -> str:
    """An empty database, with a password in its address that the server does not ask for."""
    return postgres_server.url(name_of(empty_postgres_url), user=f"postgres:{HUSH}")


def imported(weaver: Weaver, hours: Path, *options: str) -> None:
    said = weaver("data", "import", hours, "--symbol", "X/Y", "--timeframe", "1h", *options)
    assert said.code == 0, said.err


def test_the_verbs_work_on_a_server(weaver: Weaver, hours: Path, url: str) -> None:
    imported(weaver, hours, "--db", url)
    strategy = ("sma-cross", "--symbol", "X/Y", "--timeframe", "1h", "--param", "fast=1", "--param", "slow=2")
    ran = weaver("backtest", *strategy, "--json", "--db", url)
    assert ran.code == 0, ran.err
    (run,) = weaver("runs", "list", "--json", "--db", url).json()["runs"]
    assert run["status"] == "completed"
    shown = weaver("runs", "show", run["id"], "--json", "--db", url)
    assert len(shown.json()["fills"]) == len(ran.json()["fills"]) == 2
    assert weaver("runs", "verify", run["id"], "--db", url).code == 0
    events = weaver("events", "tail", "--json", "--db", url).json()["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert weaver("runs", "delete", run["id"], "--db", url).code == 0


def test_doctor_says_what_is_there_and_never_the_password(
    weaver: Weaver, url: str, monkeypatch: pytest.MonkeyPatch, weaver_home: Path
) -> None:
    monkeypatch.setenv("WEAVER_DB", url)
    monkeypatch.setenv("WEAVER_DESK_NAME", "Ann")
    said = weaver("doctor", "--json", "--verbose")
    found = {check["name"]: check["said"] for check in said.json()["checks"]}
    assert found["database"].startswith("postgresql://postgres@")
    assert "PostgreSQL" in found["database server"]
    assert found["database size"].endswith("MB")
    assert found["this desk"] == "Ann"
    assert HUSH not in said.out + said.err
    assert all(HUSH not in file.read_text(errors="replace") for file in (weaver_home / "logs").rglob("*") if file.is_file())


def test_the_settings_name_the_database_unless_the_call_does(weaver: Weaver, hours: Path, url: str, weaver_home: Path) -> None:
    weaver_home.mkdir(parents=True)
    SettingsFile(weaver_home / "settings.json", {}).save(Settings({"database.url": url}, {}))
    imported(weaver, hours)
    assert len(weaver("data", "list", "--json").json()["sets"]) == 1
    assert weaver("data", "list", "--json", "--db", "memory").json()["sets"] == []
    assert not (weaver_home / "weaver.db").exists()
    assert json.loads((weaver_home / "settings.json").read_text())["database.url"] == url
    assert (weaver_home / "settings.json").stat().st_mode & 0o077 == 0  # a password may be in it


@pytest.mark.parametrize(
    ("code", "user", "database"), [("database_missing", "postgres", "nowhere"), ("database_refused", f"nobody:{HUSH}", "postgres")]
)
def test_what_the_server_does_not_have_is_a_sentence(
    weaver: Weaver, postgres_server: PostgresServer, code: str, user: str, database: str
) -> None:
    said = weaver("runs", "list", "--db", postgres_server.url(database, user=user))
    assert said.code == 1
    assert said.err.startswith(f"error[{code}]: ")
    assert len(said.err.splitlines()) == 1
    assert HUSH not in said.err
    found = weaver("doctor", "--json", "--db", postgres_server.url(database, user=user)).json()
    assert found["state"] == "fail"


def test_a_server_that_is_not_there_is_a_sentence(weaver: Weaver) -> None:
    said = weaver("runs", "list", "--db", f"postgresql://ann:{HUSH}@127.0.0.1:1/weaver")
    assert said.code == 1
    assert said.err.startswith("error[database_unreachable]: postgresql://ann@127.0.0.1:1/weaver does not answer")
    assert HUSH not in said.err


def test_everything_is_copied_from_a_file_to_an_empty_server_and_no_second_time(weaver: Weaver, hours: Path, url: str) -> None:
    imported(weaver, hours)
    strategy = ("sma-cross", "--symbol", "X/Y", "--timeframe", "1h", "--param", "fast=1", "--param", "slow=2")
    assert weaver("backtest", *strategy).code == 0
    copied = weaver("db", "copy", url, "--json")
    assert copied.code == 0, copied.err
    assert copied.json()["rows"]["fills"] == 2
    for question in (("runs", "list", "--json"), ("data", "list", "--json"), ("events", "tail", "--json")):
        assert weaver(*question, "--db", url).json() == weaver(*question).json()
    again = weaver("db", "copy", url)
    assert again.code == 1
    assert "empty" in again.err
    assert HUSH not in copied.err + again.err + again.out


def test_a_copy_to_nowhere_says_so(weaver: Weaver) -> None:
    said = weaver("db", "copy", "memory")
    assert (said.code, "memory" in said.err) == (2, True), said.err
