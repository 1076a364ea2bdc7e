"""`weaver trade` at a broker: warm-up, bars, decisions, orders and fills over real HTTP and websockets, and a stop in good order."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.brokers.alpaca.fields import instant
from core.model.instants import MINUTE_NS, SECOND_NS, to_ns
from tests.broker.server import KEY, SECRET
from tests.integration.cli.broker_scene import Scenes, broker_scene, terminated
from tests.integration.cli.conftest import Weaver, read_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

FRIDAYS_CLOSE = to_ns(datetime(2026, 11, 27, 18, 0, tzinfo=UTC))
"""Of the half day after Thanksgiving."""
SATURDAY = to_ns(datetime(2026, 11, 28, 20, 0, tzinfo=UTC))
MONDAY = to_ns(datetime(2026, 11, 30, 14, 30, tzinfo=UTC))
"""The opening bell."""
TRADE = ("trade", "turn", "--timeframe", "1m", "--log-json", "--json", "--broker", "alpaca")


@pytest.fixture
def at(tmp_path: Path, weaver_home: Path) -> Iterator[Scenes]:
    with ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(broker_scene(tmp_path, weaver_home, *given, **more))


def exported(weaver: Weaver, folder: Path, run_id: str, symbol: str) -> list[int]:
    """When the bars began that a run saw."""
    path = folder / "seen.csv"
    said = weaver("data", "export", path, "--symbol", symbol, "--source", f"run-{run_id}")
    assert said.code == 0, said.err
    return [instant(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]


def test_equities_wait_for_the_bell_trade_over_a_gap_and_end_in_good_order(at: Scenes, weaver: Weaver, tmp_path: Path) -> None:
    scene = at(SATURDAY, {"SPY": 400.0, "AAPL": 190.0})
    process = scene.begin(*TRADE, "--mode", "paper", "--symbol", "SPY", "--symbol", "AAPL")
    said = read_until(process, '"live.MarketClosed"')
    assert json.loads(said.splitlines()[-1])["payload"]["opens_ns"] == MONDAY
    scene.server.wait_for(lambda: bool(scene.server.subscribed))
    assert scene.orders() == []
    scene.clock.jump(MONDAY - 2 * SECOND_NS)
    read_until(process, '"orders.Filled"')
    before = scene.server.do(lambda: len(scene.server.subscribed))
    scene.server.drop_streams()
    scene.server.wait_for(lambda: len(scene.server.subscribed) > before)
    for _ in range(2):
        read_until(process, '"orders.Filled"')
    document = terminated(process)
    run = document["run"]
    assert (run["mode"], run["status"], run["error"]["sentence"]) == ("paper", "stopped", "It was stopped.")
    # What it saw are the market's minutes, all of them, and none from outside the sessions.
    seen = exported(weaver, tmp_path, run["id"], "SPY")
    told = scene.server.do(lambda: [instant(row["t"]) for row in scene.server.bars["SPY", "1Min"]])
    assert seen[:5] == [FRIDAYS_CLOSE - count * MINUTE_NS for count in range(5, 0, -1)]
    assert seen[5:] == [start for start in told if start >= MONDAY][: len(seen) - 5]
    # Its orders are the broker's, its fills too, and nothing works on.
    orders = scene.orders()
    assert {order["status"] for order in orders} == {"filled", "canceled"}
    filled = [order["client_order_id"] for order in orders if order["status"] == "filled"]
    assert [fill["order_id"] for fill in document["fills"]] == filled
    assert {(order["symbol"], order["time_in_force"]) for order in orders} == {("SPY", "day"), ("AAPL", "gtc")}
    assert all(instant(order["submitted_at"]) >= MONDAY for order in orders)
    assert {query["feed"] for name, query in scene.server.queries if name == "GET /v2/stocks/bars"} == {"iex"}
    parity = weaver("runs", "parity", run["id"], "--json")
    assert parity.json()["is_same"] is True, parity.out


def test_a_second_process_is_told_who_has_the_account_and_kill_reaches_the_first(at: Scenes) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    process = scene.begin(*TRADE, "--symbol", "BTC/USD")
    read_until(process, '"orders.Filled"')
    second = scene.begin(*TRADE, "--symbol", "BTC/USD")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "error[held_elsewhere]: Account alpaca:PA3FAKE00001 is in the hands of the desk" in err
    assert "Another program of this desk has the account open: end what trades there" in err
    out, _ = scene.begin("runs", "list", "--json").communicate(timeout=60)
    assert [run["status"] for run in json.loads(out)["runs"]] == ["running"]  # what was refused left nothing
    killed = scene.begin("kill", "--flatten", "--json")
    out, err = killed.communicate(timeout=60)
    assert killed.returncode == 0, err
    (answer,) = json.loads(out)["carried_out"]
    assert (answer["account"], answer["left"]) == ("alpaca:PA3FAKE00001", "")
    assert scene.held() == {}
    run = terminated(process)["run"]
    assert run["status"] == "stopped"


def test_real_money_asks_for_the_accounts_name(at: Scenes) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    live = {"ALPACA_LIVE_API_KEY": KEY, "ALPACA_LIVE_API_SECRET": SECRET, "ALPACA_LIVE_BASE_URL": scene.server.url}
    scene.server.number = "987654321"
    for typed in ((), ("--confirm", "PA3FAKE00001")):
        refused = scene.begin(*TRADE, "--mode", "live", "--symbol", "BTC/USD", *typed, **live)
        out, err = refused.communicate(timeout=60)
        assert (refused.returncode, out) == (2, "")
        assert err.splitlines()[-1].endswith("Type the account's name to confirm it: 987654321")
        assert err.splitlines()[-1].startswith("error[not_armed]: ")
    assert scene.orders() == []
    process = scene.begin(*TRADE, "--mode", "live", "--symbol", "BTC/USD", "--confirm", "987654321", **live)
    said = read_until(process, '"orders.Filled"')
    assert '"risk.Armed"' in said
    document = terminated(process)
    assert (document["run"]["mode"], document["run"]["status"]) == ("live", "stopped")
    listed = scene.begin("runs", "list", "--json")
    out, _ = listed.communicate(timeout=60)
    assert [run["id"] for run in json.loads(out)["runs"]] == [document["run"]["id"]]  # what was refused left nothing


def test_a_live_run_is_stopped_from_another_terminal_and_its_order_cancelled_at_the_broker(at: Scenes) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0})
    live = {"ALPACA_LIVE_API_KEY": KEY, "ALPACA_LIVE_API_SECRET": SECRET, "ALPACA_LIVE_BASE_URL": scene.server.url}
    scene.server.number = "987654321"
    pair = ("--symbol", "BTC/USD", "--symbol", "ETH/USD")
    process = scene.begin(*TRADE, "--mode", "live", *pair, "--confirm", "987654321", **live)
    said = read_until(process, '"orders.Filled"')
    run_id = json.loads(said.splitlines()[-1])["run_id"]
    out, err = scene.begin("runs", "stop", run_id, "--json", **live).communicate(timeout=90)
    assert json.loads(out) == {"stopped": run_id, "status": "stopped", "said": "It was stopped."}, err
    assert {order["status"] for order in scene.orders()} <= {"filled", "canceled"}
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (json.loads(out)["run"]["mode"], json.loads(out)["run"]["status"]) == ("live", "stopped")


def test_a_killed_process_leaves_its_account_to_the_next_which_knows_what_it_left(at: Scenes) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0})
    pair = ("--symbol", "BTC/USD", "--symbol", "ETH/USD")
    process = scene.begin(*TRADE, *pair)
    said = read_until(process, '"orders.Filled"')
    if '"orders.Accepted"' not in said:
        read_until(process, '"orders.Accepted"')
    process.kill()
    process.communicate()
    left = {order["client_order_id"] for order in scene.orders()}
    compared = scene.begin("reconcile", "--json")
    out, err = compared.communicate(timeout=60)
    assert compared.returncode == 0, err
    document = json.loads(out)
    assert document["unhealed"] == []
    assert not document["is_new"]
    assert not [one for one in document["differences"] if one["what"].startswith("strange")]  # all of it is known as ours
    again = scene.begin(*TRADE, *pair)
    read_until(again, '"orders.Filled"')
    run = terminated(again)["run"]
    assert run["status"] == "stopped"
    own = [order for order in scene.orders() if order["client_order_id"] not in left]
    assert own
    assert all(order["client_order_id"].startswith(run["id"]) and order["status"] in {"filled", "canceled"} for order in own)
