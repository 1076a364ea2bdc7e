"""`weaver db`: what looking after the database prints, and with which exit code."""

import sqlite3
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver
from tests.integration.cli.test_verify import ran


def test_a_database_is_made_and_brought_up_to_date(weaver: Weaver, weaver_home: Path) -> None:
    said = weaver("db", "upgrade")
    assert (said.code, said.out) == (0, f"{weaver_home / 'weaver.db'} has the tables of this version.\n")
    assert weaver("db", "upgrade", "--json").json() == {"database": str(weaver_home / "weaver.db")}


def test_a_sound_database_is_clean(with_hours: Weaver) -> None:
    ran(with_hours, "--param", "slow=2")
    said = with_hours("db", "check")
    assert said.code == 0, said.err
    assert said.out.startswith("Looked at ")
    assert said.out.endswith(" All of it is as it must be.\n")
    document = with_hours("db", "check", "--json").json()
    assert (document["clean"], document["findings"]) == (True, [])
    assert document["looked_at"]["fills"] == 2


def test_what_is_damaged_is_told_with_exit_code_1(with_hours: Weaver, weaver_home: Path) -> None:
    ran(with_hours, "--param", "slow=2")
    with sqlite3.connect(weaver_home / "weaver.db") as db:
        db.execute("DELETE FROM outbox WHERE seq = 3")
    db.close()
    said = with_hours("db", "check")
    assert said.code == 1
    assert "Event 3 is missing, and nothing says that it was deleted." in said.out
    assert said.err.startswith("error[damaged_store]: ")
    said = with_hours("db", "check", "--json")
    assert said.code == 1
    assert said.json()["clean"] is False
    assert {"kind": "events", "sentence": "Event 3 is missing, and nothing says that it was deleted."} in said.json()["findings"]


@pytest.mark.parametrize("verb", ["check"])
def test_memory_has_nothing_to_look_after(weaver: Weaver, verb: str) -> None:
    assert weaver("--db", "memory", "db", verb).code == 0


def test_a_changed_event_is_named_by_its_chain(with_hours: Weaver, weaver_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = ran(with_hours, "--param", "slow=2")
    monkeypatch.setenv("WEAVER_EVENTS_HASH_CHAIN", "true")
    run_id = ran(with_hours, "--param", "slow=2")
    said = with_hours("db", "verify-chain", run_id[:8])
    assert said.code == 0, said.err
    assert said.out.endswith(f"events of run {run_id} are as they were stored.\n")
    assert "has no chain" in with_hours("db", "verify-chain", without).out
    with sqlite3.connect(weaver_home / "weaver.db") as db:
        (seq,) = db.execute("SELECT max(seq) - 3 FROM outbox").fetchone()
        db.execute("UPDATE outbox SET payload = replace(payload, '1', '2') WHERE seq = ?", (seq,))
    db.close()
    said = with_hours("db", "verify-chain", run_id)
    assert said.code == 1
    assert said.err.startswith(f"error[events_changed]: Run {run_id}: Event {seq} (")
    document = with_hours("db", "verify-chain", run_id, "--json").json()
    assert (document["same"], document["first_changed"]) == (False, seq)
    assert with_hours("db", "verify-chain", "nothing").code == 2


def test_everything_moves_to_another_database(with_hours: Weaver, tmp_path: Path) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    file, other = tmp_path / "all.weaver", tmp_path / "other.db"
    said = with_hours("db", "export", file)
    assert said.code == 0, said.err
    assert said.out.endswith(f"3 orders, 2 fills, 1 bar sets are written to {file}.\n")
    said = with_hours("--db", other, "db", "import", file)
    assert said.code == 0, said.err
    assert said.out.endswith(f"3 orders, 2 fills, 1 bar sets are in {other} now.\n")
    assert with_hours("--db", other, "runs", "show", run_id, "--json").json() == with_hours("runs", "show", run_id, "--json").json()
    assert with_hours("--db", other, "runs", "verify", run_id).code == 0
    said = with_hours("--db", other, "db", "import", file)
    assert (said.code, said.err.startswith("error[store_error]: The database is not empty")) == (1, True)
    rows = with_hours("db", "export", tmp_path / "again.weaver", "--json").json()["rows"]
    assert (rows["runs"], rows["fills"]) == (1, 2)
    said = with_hours("--db", tmp_path / "third.db", "db", "import", tmp_path / "hours.csv")
    assert (said.code, said.err.startswith("error[unreadable_file]: ")) == (1, True)


def test_old_events_go_to_a_file_that_can_be_read(with_hours: Weaver, tmp_path: Path) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    events = with_hours("events", "tail", "--run", run_id, "--limit", "999", "--json").json()["events"]
    fill = next(event for event in events if event["type"] == "orders.Filled")
    chain = with_hours("events", "show", str(fill["seq"]), "--json").json()
    folder = tmp_path / "old"
    assert with_hours("db", "archive", "--older-than", "90d", "--to", folder).out == "No events are that old; nothing was archived.\n"
    said = with_hours("db", "archive", "--older-than", "0d", "--to", folder)
    assert said.code == 0, said.err
    assert f"{len(events)} events (backtest-events) are in {folder}" in said.out
    (archive,) = with_hours("db", "archives", "--json").json()["archives"]
    assert archive["events"] == len(events)
    assert str(archive["first_seq"]) in with_hours("db", "archives").out
    assert with_hours("events", "tail", "--run", run_id).out == "No event fits.\n"
    assert with_hours("events", "tail", "--archive", archive["file"], "--limit", "999", "--json").json()["events"] == events
    tail = ("events", "tail", "--archive", archive["file"])
    assert with_hours(*tail, "--run", run_id[:6], "--limit", "2", "--json").json()["events"] == events[-2:]
    assert with_hours("events", "show", str(fill["seq"]), "--archive", archive["file"], "--json").json() == chain
    assert with_hours("events", "show", "1", "--archive", archive["file"]).code == 2
    said = with_hours("runs", "show", run_id, "--at", str(fill["seq"]))
    assert "They may have been archived: `weaver db archives` lists where." in said.err
    assert with_hours("runs", "show", run_id).code == 0
    assert with_hours("db", "check").code == 0
    assert with_hours("db", "vacuum").out.startswith("The database takes ")


def test_the_settings_say_from_which_age_on(with_hours: Weaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(with_hours, "--param", "slow=2", "--trace")
    folder = tmp_path / "old"
    said = with_hours("db", "archive", "--to", folder)
    assert (said.code, said.err) == (
        2,
        "error[input_error]: Nothing says from which age on events are archived. Say it with --older-than 90d, or in the settings.\n",
    )
    assert with_hours("db", "archive", "--older-than", "1d").code == 2
    assert with_hours("db", "archive", "--older-than", "1d", "--to", folder, "--class", "backtest").code == 2
    monkeypatch.setenv("WEAVER_RETENTION_BACKTEST_DAYS", "30")
    monkeypatch.setenv("WEAVER_RETENTION_TRACE_DAYS", "7")
    assert with_hours("db", "archive", "--to", folder, "--json").json() == {"archives": []}
    assert with_hours("db", "archive", "--to", folder, "--class", "live-events").code == 2, "records are taken only at an age that is said"
    (archive,) = with_hours("db", "archive", "--older-than", "0d", "--class", "trace-events", "--to", folder, "--json").json()["archives"]
    assert archive["kind"] == "trace-events"


def test_memory_has_nothing_to_give_back(weaver: Weaver, tmp_path: Path) -> None:
    assert weaver("--db", "memory", "db", "vacuum").out == "There is nothing to give back.\n"
    assert weaver("--db", "memory", "db", "export", tmp_path / "empty.weaver").code == 0
    assert weaver("--db", tmp_path / "new.db", "db", "import", tmp_path / "empty.weaver").code == 0


def test_a_check_takes_the_database_as_it_is(with_hours: Weaver, weaver_home: Path) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    with sqlite3.connect(weaver_home / "weaver.db") as db:
        db.execute('UPDATE runs SET status = \'running\', body = replace(body, \'"status":"completed"\', \'"status":"running"\')')
    db.close()
    assert f"Run {run_id} is running, and its events say completed." in with_hours("db", "check").out
    with sqlite3.connect(weaver_home / "weaver.db") as db:
        assert db.execute("SELECT status FROM runs").fetchall() == [("running",)], "a start would find it interrupted"
    db.close()
