"""The adapter of the documents, put where they say, and the program with it: by hand, in a run, and when things go wrong."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.instants import SECOND_NS, to_ns
from tests.broker.harbour.bench import EXAMPLES
from tests.broker.harbour.market import HarbourMarket
from tests.broker.harbour.server import PASSWORD, USER, FakeHarbour
from tests.broker.shared_clock import SharedClock
from tests.integration.cli.broker_scene import SPEED, TURN, Scene, terminated
from tests.integration.cli.conftest import Weaver, read_until

OPENS = to_ns(datetime(2026, 11, 30, 14, 30, tzinfo=UTC))
"""Of a Monday in New York."""


@pytest.fixture
def harbour(weaver_home: Path) -> Iterator[FakeHarbour]:
    """A fake Harbour, and its adapter in the data directory."""
    shutil.copytree(EXAMPLES / "harbour", weaver_home / "adapters" / "harbour")
    with FakeHarbour().running() as server:
        yield server


@pytest.fixture
def variables(harbour: FakeHarbour, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """What is set to trade there."""
    made = {
        "WEAVER_ACCOUNT_PAPER_ADAPTER": "harbour",
        "HARBOUR_PAPER_API_KEY": USER,
        "HARBOUR_PAPER_API_SECRET": PASSWORD,
        "HARBOUR_URL": harbour.url,
    }
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.usefixtures("variables")
def test_a_person_trades_there(harbour: FakeHarbour, weaver: Weaver) -> None:
    listed = {info["id"]: info for info in weaver("accounts", "adapters", "--json").json()["adapters"]}
    assert (listed["harbour"]["name"], listed["harbour"]["error"]) == ("Harbour", None)
    account = weaver("account", "--json").json()
    assert (account["number"], account["status"], account["kind"], account["cash"]) == ("H-000042", "OPEN", "paper", "100000")
    placed = weaver("orders", "place", "SPY", "buy", "10", "--json")
    assert (placed.code, placed.json()["status"]) == (0, "filled"), placed.err
    harbour.do(lambda: harbour.lose.add("/orders"))
    waiting = weaver("orders", "place", "SPY", "buy", "5", "--type", "limit", "--limit", "390", "--json").json()
    assert waiting["status"] == "accepted"  # its answer was lost: it was looked up, and not sent again
    changed = weaver("orders", "change", waiting["id"], "--limit", "391", "--json").json()
    assert (changed["id"], Decimal(changed["limit_price"])) == (waiting["id"], Decimal(391))
    (open_,) = weaver("orders", "list", "--json").json()["orders"]
    assert (open_["broker_status"], open_["limit_price"]) == ("RESTING", "391")
    assert weaver("orders", "cancel", waiting["id"]).code == 0
    closed = weaver("positions", "close", "SPY", "--qty", "4", "--json").json()
    assert (closed["side"], closed["qty"], closed["status"]) == ("sell", "4", "filled")
    assert [(row["kind"], row["state"]) for row in harbour.book.orders.values()] == [
        ("MKT", "DONE"),
        ("LMT", "AMENDED"),
        ("LMT", "PULLED"),
        ("MKT", "DONE"),
    ]
    assert harbour.book.held == {"SPY": [6, 6 * 4_000_100]}
    told = weaver("events", "tail", "--type", "orders.*", "--json").json()["events"]
    assert [event["payload"]["fee"] for event in told if event["type"] == "orders.Filled"] == ["0.01", "0.01"]
    assert weaver("reconcile", "--json").json()["unhealed"] == []
    assert weaver("db", "check").code == 0


@pytest.mark.usefixtures("variables", "harbour")
def test_what_it_refuses_is_told_in_its_own_code_and_words(weaver: Weaver) -> None:
    refused = weaver("orders", "place", "SPY", "buy", "10000")
    assert refused.code == 1
    assert "the order costs more than there is to spend" in refused.out + refused.err
    (event,) = weaver("events", "tail", "--type", "orders.Rejected", "--json").json()["events"]
    assert (event["payload"]["broker_code"], event["payload"]["code"]) == ("NO_FUNDS", "broker_refused")
    for wrong in (("--tif", "opg"), ("--type", "trailing_stop", "--trail", "1"), ("--extended-hours", "--type", "limit", "--limit", "1")):
        said = weaver("orders", "place", "SPY", "buy", "1", *wrong)
        assert said.code in {1, 2}
        assert said.err.startswith("error[")
    assert weaver("db", "check").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_run_trades_there_over_lost_streams_and_lost_updates(
    harbour: FakeHarbour, variables: Mapping[str, str], weaver: Weaver, weaver_home: Path, tmp_path: Path
) -> None:
    (weaver_home / "strategies").mkdir()
    (weaver_home / "strategies" / "turn.py").write_text(TURN.replace("{qty}", "10"))
    clock = SharedClock.begin(tmp_path / "clock", OPENS - 5 * SECOND_NS, SPEED)
    scene = Scene(weaver_home, {**variables, "WEAVER_TEST_CLOCK": str(tmp_path / "clock")})
    with HarbourMarket(harbour, clock).running():
        try:
            process = scene.begin("trade", "turn", "--symbol", "SPY", "--timeframe", "1m", "--log-json", "--json", "--broker", "harbour")
            read_until(process, '"orders.Filled"')
            harbour.do(harbour.cut)
            read_until(process, '"orders.Filled"')
            harbour.do(lambda: setattr(harbour, "skip_update", True))
            read_until(process, '"orders.Filled"')
            read_until(process, '"orders.Filled"')
            document = terminated(process)
        finally:
            scene.end_all()
    run = document["run"]
    assert (run["mode"], run["status"], run["error"]["sentence"]) == ("paper", "stopped", "It was stopped.")
    filled = [row["ref"] for row in harbour.book.orders.values() if row["state"] == "DONE"]
    assert len(filled) >= 4
    assert [fill["order_id"] for fill in document["fills"]] == filled
    assert {fill["fee"] for fill in document["fills"]} == {"0.01"}
    assert harbour.logins == 1
    parity = weaver("runs", "parity", run["id"], "--json")
    assert json.loads(parity.out)["is_same"] is True, parity.out
