"""`weaver trade` at a broker is killed, and `weaver runs resume` or `runs close` takes it up, over real HTTP and websockets."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock.realtime import SystemClock
from core.store.database import DatabaseStore
from tests.broker.faults import Fault, Way
from tests.broker.server import KEY, SECRET
from tests.integration.cli.broker_scene import BrokerScene, Scenes, broker_scene, terminated
from tests.integration.cli.conftest import Weaver, read_until
from tests.integration.cli.test_trade_at_alpaca import SATURDAY, TRADE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
PAIR = ("--symbol", "BTC/USD", "--symbol", "ETH/USD")


@pytest.fixture
def at(tmp_path: Path, weaver_home: Path) -> Iterator[Scenes]:
    with ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(broker_scene(tmp_path, weaver_home, *given, **more))


def killed(scene: BrokerScene, process: "subprocess.Popen[str]", weaver: Weaver) -> str:
    """Kill a process and return the run that it left."""
    process.kill()
    process.communicate()
    (run,) = weaver("runs", "list", "--json").json()["runs"]
    assert run["status"] == "interrupted"
    return str(run["id"])


def said(scene: BrokerScene, *call: str, **more: str) -> Any:
    """What a call says, as JSON."""
    out, err = scene.begin(*call, "--json", **more).communicate(timeout=60)
    assert out, err
    return json.loads(out)


async def _rows(home: Path, run_id: str) -> tuple[list[Any], list[Any]]:
    store = DatabaseStore(home / "weaver.db", SystemClock())
    await store.open()
    try:
        return await store.runs.orders(run_id), await store.runs.fills(run_id)
    finally:
        await store.close()


def assert_books_equal(scene: BrokerScene, home: Path, weaver: Weaver, run_id: str) -> None:
    """One order at the broker for each of the run, filled alike; each execution booked once; the run holds what the account does."""
    orders, fills = asyncio.run(_rows(home, run_id))
    theirs = {one["client_order_id"]: Decimal(one["filled_qty"]) for one in scene.orders()}
    assert len(theirs) == len(scene.orders())
    assert theirs == {order.id: order.filled_qty for order in orders if order.reject_code is None}
    executions = scene.server.do(lambda: [one["id"] for one in scene.server.book.executions])
    assert Counter(fill.id.rpartition("/")[2] for fill in fills) == Counter(executions)
    checked = weaver("db", "check")
    assert checked.code == 0, checked.out
    compared = said(scene, "reconcile")
    assert (compared["unhealed"], [one for one in compared["differences"] if one["what"] != "coin_fee"]) == ([], [])


def test_a_killed_run_goes_on_with_what_happened_meanwhile(at: Scenes, weaver: Weaver, weaver_home: Path) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0})
    process = scene.begin(*TRADE, *PAIR)
    told = read_until(process, '"orders.Filled"')
    if '"orders.Accepted"' not in told:
        read_until(process, '"orders.Accepted"')
    scene.server.wait_for(lambda: any(one["symbol"] == "ETH/USD" and one["status"] == "new" for one in scene.orders()))
    run_id = killed(scene, process, weaver)
    (waiting,) = [one for one in scene.orders() if one["symbol"] == "ETH/USD"]
    scene.server.do(lambda: scene.server.book.fill(waiting["id"], "0.4", "1"))  # while nobody looks
    before = {one["client_order_id"] for one in scene.orders()}
    again = scene.begin("runs", "resume", run_id, "--log-json", "--json")
    read_until(again, '"run.Resumed"')
    read_until(again, '"orders.Filled"')
    document = terminated(again)
    assert (document["run"]["id"], document["run"]["status"]) == (run_id, "stopped")
    after = [one["client_order_id"] for one in scene.orders()]
    assert before < set(after)
    assert all(order_id.startswith(run_id) for order_id in after)
    assert {one["status"] for one in scene.orders()} == {"filled", "canceled"}
    assert ("ETH/USD", "0.4") in [(fill["symbol"], fill["qty"]) for fill in document["fills"]]
    assert_books_equal(scene, weaver_home, weaver, run_id)
    refused = weaver("runs", "resume", run_id)
    assert (refused.code, refused.err.split(":")[0]) == (1, "error[run_not_startable]")


@pytest.mark.parametrize("way", [Way.DONE_THEN_SILENT, Way.SILENT], ids=lambda way: way.value)
def test_killed_before_the_answer_the_order_is_looked_up_and_not_sent_again(
    at: Scenes, weaver: Weaver, weaver_home: Path, way: Way
) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    process = scene.begin(*TRADE, "--symbol", "BTC/USD")
    read_until(process, '"orders.Filled"')
    scene.server.fail(Fault("POST /v2/orders", way))
    sent = scene.server.requests["POST /v2/orders"]
    scene.server.wait_for(lambda: scene.server.requests["POST /v2/orders"] > sent, seconds=30)
    if way is Way.DONE_THEN_SILENT:
        scene.server.wait_for(lambda: len(scene.server.book.orders) > 1, seconds=30)
    run_id = killed(scene, process, weaver)
    at_broker = len(scene.orders())
    assert at_broker == (2 if way is Way.DONE_THEN_SILENT else 1)
    again = scene.begin("runs", "resume", run_id, "--log-json", "--json")
    read_until(again, '"orders.Filled"')
    read_until(again, '"orders.Filled"')
    assert terminated(again)["run"]["status"] == "stopped"
    assert_books_equal(scene, weaver_home, weaver, run_id)


@pytest.mark.parametrize("flatten", [True, False])
def test_a_killed_run_is_closed(at: Scenes, weaver: Weaver, weaver_home: Path, *, flatten: bool) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0})
    process = scene.begin(*TRADE, *PAIR)
    read_until(process, '"orders.Filled"')
    scene.server.wait_for(lambda: any(one["symbol"] == "ETH/USD" and one["status"] == "new" for one in scene.orders()))
    run_id = killed(scene, process, weaver)
    held = scene.held()
    closed = said(scene, "runs", "close", run_id, *(["--flatten"] if flatten else []))
    assert closed["closed"] == run_id
    assert {one["status"] for one in scene.orders()} == {"filled", "canceled"}
    if flatten:
        assert (closed["said"], scene.held()) == ("It was closed.", {})
    else:
        assert scene.held() == held
        assert closed["said"].startswith("It was closed. Still held: ")
    assert_books_equal(scene, weaver_home, weaver, run_id)


def test_a_live_run_goes_on_only_when_the_accounts_number_is_typed(at: Scenes, weaver: Weaver, weaver_home: Path) -> None:
    scene = at(SATURDAY, {"BTC/USD": 42_000.0})
    live = {"ALPACA_LIVE_API_KEY": KEY, "ALPACA_LIVE_API_SECRET": SECRET, "ALPACA_LIVE_BASE_URL": scene.server.url}
    scene.server.number = "987654321"
    process = scene.begin(*TRADE, "--mode", "live", "--symbol", "BTC/USD", "--confirm", "987654321", **live)
    read_until(process, '"orders.Filled"')
    run_id = killed(scene, process, weaver)
    before = len(scene.orders())
    out, err = scene.begin("runs", "resume", run_id, **live).communicate(timeout=60)
    assert (out, "error[not_armed]" in err, len(scene.orders())) == ("", True, before)
    again = scene.begin("runs", "resume", run_id, "--confirm", "987654321", "--log-json", "--json", **live)
    read_until(again, '"orders.Filled"')
    assert terminated(again)["run"]["status"] == "stopped"
    assert len(scene.orders()) > before
