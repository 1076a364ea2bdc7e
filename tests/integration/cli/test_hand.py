"""`weaver orders place` and `change`, `positions close` and `reverse`, `runs resume` and `close`: by hand, on the command line."""

import asyncio
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from core.model.desk import LeaseKind
from core.model.instants import MINUTE_NS
from tests.integration.cli.conftest import Weaver
from tests.integration.trading.test_killed_run import KEEPER
from tests.unit.runs.lasting import LastingSource, lasting
from tests.unit.runs.live_desk import BEGINS_NS


@pytest.fixture
def by_hand(weaver: Weaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weaver:
    """Calls at an account that outlives each of them."""
    monkeypatch.setattr("app.compose.SimSource", lambda *_, **__: LastingSource(tmp_path / "broker.json", begins_ns=BEGINS_NS))
    return partial(weaver, "--db", f"sqlite:///{tmp_path / 'desk.db'}")


def test_an_order_is_placed_and_its_fill_told(weaver: Weaver) -> None:
    said = weaver("orders", "place", "DEMO/USD", "buy", "2", "--broker", "sim", "--note", "cheap")
    assert (said.code, said.err) == (0, "")
    assert "(buy 2 DEMO/USD at market): filled, 2 at " in said.out


def test_a_preview_sends_nothing(by_hand: Weaver) -> None:
    said = by_hand("orders", "place", "DEMO", "buy", "--notional", "5000", "--broker", "sim", "--preview", "--json")
    preview = said.json()
    assert preview["is_allowed"]
    assert float(preview["cost"]) <= 5_000
    assert by_hand("positions", "close", "DEMO", "--broker", "sim").code == 2


def test_an_order_is_changed_and_found_by_the_beginning_of_its_id(by_hand: Weaver) -> None:
    order = by_hand("orders", "place", "DEMO", "buy", "2", "--type", "limit", "--limit", "1", "--broker", "sim", "--json").json()
    assert order["status"] == "accepted"
    changed = by_hand("orders", "change", order["id"][:15], "--limit", "1.5", "--qty", "3", "--broker", "sim", "--json").json()
    assert (changed["id"], changed["limit_price"], changed["qty"]) == (order["id"], "1.5", "3")
    again = by_hand("orders", "change", order["id"], "--limit", "1.5", "--broker", "sim")
    assert (again.code, again.err) == (2, "error[invalid_value]: The order cannot be changed: it has these terms already.\n")


def test_a_position_is_closed_in_part_turned_around_and_closed(by_hand: Weaver) -> None:
    by_hand("orders", "place", "DEMO", "buy", "3", "--broker", "sim")
    closed = by_hand("positions", "close", "DEMO", "--qty", "1", "--broker", "sim", "--json").json()
    assert (closed["side"], closed["qty"], closed["status"]) == ("sell", "1", "filled")
    turned = by_hand("positions", "reverse", "DEMO", "--broker", "sim", "--json").json()
    assert (turned["side"], turned["qty"], turned["status"]) == ("sell", "4", "filled")
    assert by_hand("positions", "close", "DEMO", "--owner", "nobody", "--broker", "sim").code == 2
    closed = by_hand("positions", "close", "DEMO", "--broker", "sim", "--json").json()
    assert (closed["side"], closed["qty"]) == ("buy", "2")
    assert by_hand("db", "check").code == 0


def test_exits_leave_before_the_call_ends(by_hand: Weaver) -> None:
    placed = by_hand("orders", "place", "DEMO", "buy", "1", "--target", "100000", "--stop-loss", "1", "--broker", "sim", "--json")
    assert "this call waits" in placed.err
    changed = by_hand("orders", "change", f"{placed.json()['id']}.target", "--limit", "90000", "--broker", "sim", "--json").json()
    assert (changed["qty"], changed["limit_price"]) == ("1", "90000")


def test_a_position_that_is_held_gets_a_target_and_a_stop(by_hand: Weaver) -> None:
    by_hand("orders", "place", "DEMO", "buy", "3", "--broker", "sim")
    asked = ("positions", "protect", "DEMO", "--target", "100000", "--stop-loss", "1", "--qty", "2", "--broker", "sim", "--json")
    preview = by_hand(*asked, "--preview").json()
    assert (preview["qty"], preview["open_qty"], preview["is_allowed"], preview["exits_leave"]) == ("2", "3", True, "each by itself")
    assert float(preview["at_stop_loss"]) < 0 < float(preview["at_target"])
    placed = by_hand(*asked)
    assert "while no program has the account open, one that fills does not take the other back" in placed.err
    assert [(one["type"], one["side"], one["qty"], one["status"]) for one in placed.json()["orders"]] == [
        ("stop", "sell", "2", "accepted"),
        ("limit", "sell", "2", "accepted"),
    ]
    again = by_hand(*asked)
    assert (again.code, "The quantity cannot be 2: 3 are held, and orders that close them are over all but 1." in again.err) == (2, True)
    said = by_hand("positions", "protect", "DEMO", "--stop-loss", "1", "--broker", "sim")
    assert (said.code, said.err, "(sell 1 DEMO" in said.out, "accepted." in said.out) == (0, "", True, True)
    assert by_hand("db", "check").code == 0


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("orders", "place", "DEMO", "buy"), 2, "either a quantity or an amount of money"),
        (("orders", "place", "DEMO", "by", "1"), 2, "Did you mean buy?"),
        (("orders", "place", "DEMO", "buy", "1", "--type", "limit"), 2, "a limit order needs it"),
        (("orders", "place", "DEMO", "buy", "1", "--reduce-only"), 1, "There are no 1 DEMO to reduce."),
        (("orders", "place", "DEMO", "buy", "1", "--type", "trailing_stop", "--trail", "x%"), 2, "--trail cannot be 'x'"),
        (("orders", "change", "nothing", "--limit", "1"), 2, "There is no working order"),
        (("orders", "change", "nothing"), 2, "The order cannot be changed: neither a new quantity nor a new price was given."),
        (("positions", "protect", "DEMO"), 2, "give a target, a stop loss, or both."),
        (("positions", "protect", "DEMO", "--target", "5"), 2, "DEMO cannot be given exits: nothing of it is held."),
        (("positions", "reverse", "DEMO"), 2, "cannot be closed or turned around: nothing of it is held."),
    ],
)
def test_what_cannot_be_done_is_said(weaver: Weaver, words: tuple[str, ...], code: int, part: str) -> None:
    said = weaver(*words, "--broker", "sim")
    assert said.code == code
    assert part in said.err


def test_another_broker_than_those_there_are_is_said(weaver: Weaver) -> None:
    said = weaver("orders", "place", "DEMO", "buy", "1", "--broker", "smi")
    assert (said.code, said.err) == (2, "error[unknown_name]: There is no broker named 'smi'. Did you mean sim?\n")


@pytest.fixture
def killed(by_hand: Weaver, tmp_path: Path, weaver_home: Path, monkeypatch: pytest.MonkeyPatch) -> Weaver:
    """Calls beside a run whose process was killed, when the time that it was to go on is over."""
    for folder in (tmp_path, weaver_home / "strategies"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keeper.py").write_text(KEEPER)
    arguments = [sys.executable, "-m", "tests.integration.trading.dying_run", str(tmp_path), "orders.Replaced", "2", "200"]
    assert subprocess.run(arguments, check=False, timeout=30).returncode == -signal.SIGKILL
    later_ns = BEGINS_NS + 240 * MINUTE_NS

    async def found() -> None:
        async with lasting(tmp_path, begins_ns=later_ns) as scene:  # the desk that it was killed at
            await scene.runs.recover()
            # As that desk's process is gone it takes the account at once; the calls are another desk's, and would wait.
            await scene.store.leases.release(await scene.store.leases.acquire(LeaseKind.ACCOUNT, "sim:LASTING", 1.0))

    asyncio.run(found())
    monkeypatch.setattr("app.compose.SimSource", lambda *_, **__: LastingSource(tmp_path / "broker.json", begins_ns=later_ns))
    return by_hand


def test_an_interrupted_run_is_closed(killed: Weaver) -> None:
    (run,) = killed("runs", "list", "--json").json()["runs"]
    assert run["status"] == "interrupted"
    closed = killed("runs", "close", run["id"][:6], "--flatten", "--json").json()
    assert closed == {"closed": run["id"], "said": "It was closed."}
    again = killed("runs", "close", run["id"])
    assert (again.code, "cannot be closed" in again.err) == (1, True)


def test_an_interrupted_run_goes_on_to_its_end(killed: Weaver) -> None:
    (run,) = killed("runs", "list", "--json").json()["runs"]
    resumed = killed("runs", "resume", run["id"], "--json")
    assert "It goes on, with its own positions and cash." in resumed.err
    assert resumed.json()["run"]["status"] == "completed"
    again = killed("runs", "resume", run["id"])
    assert (again.code, "cannot go on" in again.err) == (1, True)


def test_an_account_s_losses_are_counted_anew(by_hand: Weaver) -> None:
    by_hand("orders", "place", "DEMO", "buy", "3", "--broker", "sim")
    counted = by_hand("accounts", "count-anew", "paper", "--broker", "sim")
    assert (counted.code, counted.err) == (0, "")
    assert counted.out.startswith("The losses of account LASTING are counted from ")
    assert by_hand("accounts", "count-anew", "paper", "--broker", "sim", "--json").json().keys() == {"account", "number", "equity"}


def test_what_is_not_turned_around_is_said_and_opens_nothing(weaver: Weaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def source(*_: object, **__: object) -> LastingSource:
        return LastingSource(tmp_path / "broker.json", begins_ns=BEGINS_NS, reverses=False)

    monkeypatch.setattr("app.compose.SimSource", source)
    by_hand = partial(weaver, "--db", f"sqlite:///{tmp_path / 'desk.db'}")
    by_hand("orders", "place", "DEMO", "buy", "3", "--broker", "sim")
    by_hand("kill", "--halt")
    said = by_hand("positions", "reverse", "DEMO", "--broker", "sim")
    assert said.code == 1
    assert said.err.startswith("DEMO was not turned around. The order that was to close it is rejected. The order to sell 3 ")
    by_hand("kill", "--off")
    assert by_hand("positions", "reverse", "DEMO", "--broker", "sim").err == ""
    closed = by_hand("positions", "close", "DEMO", "--broker", "sim", "--json").json()
    assert (closed["side"], closed["qty"]) == ("buy", "3")
