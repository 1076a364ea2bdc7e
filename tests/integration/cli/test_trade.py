"""`weaver trade`, `weaver kill` and `weaver runs parity`: a paper run from the command line, and what reaches it from outside."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver, read_until

Begin = Callable[..., "subprocess.Popen[str]"]
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
QUICK = ("trade", "sma-cross", "--symbol", "DEMO/USD", "--timeframe", "1m", "--param", "fast=2", "--param", "slow=4", "--speed", "600")


def test_a_run_goes_to_its_end_and_is_the_same_in_greta(weaver: Weaver) -> None:
    said = weaver(*QUICK, "--minutes", "20", "--json")
    assert said.code == 0, said.err
    document = said.json()
    assert (document["run"]["mode"], document["run"]["status"]) == ("paper", "completed")
    assert "Started: it goes on in real time." in said.err
    parity = weaver("runs", "parity", document["run"]["id"], "--json")
    assert parity.code == 0, parity.err
    assert parity.json()["is_same"] is True
    told = weaver("runs", "parity", document["run"]["id"])
    assert "the same as Greta's" in told.out
    verified = weaver("runs", "verify", document["run"]["id"])
    assert "weaver runs parity" in verified.err


@on_unix
def test_sigterm_ends_it_in_good_order(begin: Begin, weaver: Weaver) -> None:
    process = begin(*QUICK, "--log-json", "--json")
    read_until(process, '"orders.Filled"')
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    run = json.loads(out)["run"]
    assert (run["status"], run["error"]["sentence"]) == ("stopped", "It was stopped.")
    lines = [json.loads(line) for line in err.splitlines()]
    assert lines[-1]["type"] == "run.Stopped"
    listed = weaver("runs", "list", "--json").json()["runs"]
    assert [item["status"] for item in listed] == ["stopped"]


def test_what_the_log_says_is_json_too_where_that_is_asked_for(weaver_process: Weaver, weaver_home: Path) -> None:
    weaver_home.mkdir(parents=True, exist_ok=True)
    (weaver_home / "settings.json").write_text('{"run.cash": "much"}')
    assert weaver_process("kill", "--halt").code == 0
    said = weaver_process(*QUICK, "--minutes", "3", "--log-json", "--json", "--verbose")
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in said.err.splitlines()]
    logged = [line["message"] for line in lines if "level" in line]
    assert any(message.startswith("Setting run.cash is ignored.") for message in logged)
    assert "The kill switch is thrown (halt): orders are refused until `weaver kill --off`." in logged
    assert {frozenset(line) for line in lines if "level" in line} == {frozenset({"time", "level", "logger", "message"})}
    assert any(line.get("type") == "run.Completed" for line in lines)


def test_kill_reaches_a_run_in_another_process_and_stays(begin: Begin, weaver: Weaver) -> None:
    process = begin(*QUICK, "--log-json")
    read_until(process, '"orders.Filled"')
    said = weaver("kill", "--flatten", "--reason", "It is enough.", "--json")
    assert said.code == 0, said.err
    document = said.json()
    assert document["level"] == "flatten"
    (answer,) = document["carried_out"]
    assert answer["account"].startswith("sim:")
    assert answer["left"] == ""
    read_until(process, '"risk.Refused"')  # what the strategy wants next does not leave
    process.kill()
    process.communicate()
    late = weaver(*QUICK, "--minutes", "30", "--json")
    assert "The kill switch is thrown (flatten)" in late.err
    document = late.json()
    assert document["fills"] == []
    assert {one["code"] for one in document["rejections"]} == {"risk_halted"}
    assert weaver("kill", "--off").out.startswith("The kill switch is off")
    assert "The kill switch" not in weaver(*QUICK, "--minutes", "1").err


def test_limits_are_given_by_name(weaver: Weaver) -> None:
    said = weaver(*QUICK, "--minutes", "30", "--limit", "max_order_value=100", "--json")
    assert said.code == 0
    assert {one["code"] for one in said.json()["rejections"]} == {"risk_order_value"}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            ("trade", "sma-cross", "--mode", "live", "--broker", "sim", "--symbol", "DEMO", "--timeframe", "1m"),
            "error[invalid_value]: broker cannot be sim: it has no live account.",
        ),
        ((*QUICK, "--confirm", "SIM1"), "error[input_error]: --confirm is for real money. Add --mode live, or leave it out."),
        ((*QUICK, "--broker", "alpaca"), "error[input_error]: --speed is of the simulated market, and alpaca goes in real time."),
        (("trade", "sma-cross"), "error[input_error]: trade does not know what to trade."),
        ((*QUICK, "--broker", "sin"), "error[unknown_name]: There is no broker named 'sin'. Did you mean sim?"),
        ((*QUICK, "--speed", "0"), "error[invalid_value]: --speed cannot be 0.0"),
        ((*QUICK, "--limit", "max_order"), "error[input_error]: --limit max_order is not a name and a value."),
        ((*QUICK, "--limit", "max_order_vale=1"), "error[unknown_name]: There is no risk limit named 'max_order_vale'."),
        ((*QUICK, "--limit", "max_order_value=x"), "error[input_error]: A risk limit cannot be read"),
        (("kill", "--flatten", "--off"), "error[input_error]: kill takes one of"),
        (("kill", "--run", "nothing"), "error[unknown_name]: There is no run named 'nothing'."),
    ],
)
def test_a_wrong_call_is_one_sentence_and_does_nothing(weaver: Weaver, call: tuple[str, ...], error: str) -> None:
    said = weaver(*call)
    assert said.code == 2
    assert said.err.startswith(error)
    assert weaver("runs", "list", "--json").json()["runs"] == []


def test_faults_on_purpose_are_said_and_gone_through(weaver: Weaver) -> None:
    said = weaver(*QUICK, "--minutes", "12", "--fault", "doubled", "--fault", "lost-answers=0.5", "--json")
    assert said.code == 0, said.err
    words = "This market misbehaves on purpose, from the first order on: 30 % of the news of orders are told twice; 50 % of the orders"
    assert words in said.err
    assert said.json()["run"]["status"] == "completed"
    told = weaver("events", "tail", "--type", "live.FaultsDeclared", "--json").json()["events"]
    assert len(told) == 1
    for wrong in (("--fault", "dubled"), ("--fault", "doubled=2"), ("--broker", "paper", "--fault", "doubled")):
        refused = weaver(*QUICK, "--minutes", "2", *wrong)
        assert refused.code == 2, refused.err


def test_a_symbol_that_the_market_does_not_know_is_a_wrong_call(weaver: Weaver) -> None:
    said = weaver("trade", "sma-cross", "--symbol", "NOPE", "--timeframe", "1m", "--speed", "3600", "--minutes", "2")
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith("error[unknown_name]: There is no symbol at Simulated market named 'NOPE'.")
    assert said.out == ""
    assert weaver("runs", "list", "--json").json()["runs"] == []
