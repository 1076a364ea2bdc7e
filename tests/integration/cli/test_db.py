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
