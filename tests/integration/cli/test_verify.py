"""`weaver runs verify` and `weaver runs compare`: what they print, as sentences and as documents, and with which exit code."""

from pathlib import Path

from tests.integration.cli.conftest import Weaver

CROSS = ("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--param", "fast=1")


def ran(weaver: Weaver, *more: str) -> str:
    """Run and return the run's id."""
    said = weaver(*CROSS, *more, "--json")
    assert said.code == 0, said.err
    return str(said.json()["run"]["id"])


def test_a_run_is_verified(with_hours: Weaver) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    said = with_hours("runs", "verify", run_id[:8])
    assert said.code == 0, said.err
    assert said.out == f"Run {run_id} was repeated: 2 fills, 3 orders, equity and statistics are the same, bit for bit.\n"
    document = with_hours("runs", "verify", run_id, "--json").json()
    assert (document["same"], document["repeated"], document["whole"], document["differences"]) == (True, True, True, [])


def test_changed_bars_are_named_with_exit_code_1(with_hours: Weaver, tmp_path: Path) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    (tmp_path / "one.csv").write_text("time,open,high,low,close,volume\n2024-01-01T03:00:00Z,12,12.5,8.5,9.5,4\n", encoding="utf-8")
    stored = with_hours("data", "list", "--json").json()["sets"][0]["source"]
    said = with_hours("data", "import", tmp_path / "one.csv", "--symbol", "BTC/USD", "--timeframe", "1h", "--source", stored)
    assert said.code == 0, said.err
    said = with_hours("runs", "verify", run_id)
    assert said.code == 1
    assert said.err == f"error[not_the_same]: Run {run_id} cannot be repeated: The stored bars have changed since.\n"
    said = with_hours("runs", "verify", run_id, "--json")
    assert said.code == 1
    assert [cause["what"] for cause in said.json()["causes"]] == ["bars"]


def test_runs_are_compared(with_hours: Weaver) -> None:
    one, other = ran(with_hours, "--param", "slow=2"), ran(with_hours, "--param", "slow=3", "--fees", "bps:10")
    said = with_hours("runs", "compare", one, other)
    assert said.code == 0, said.err
    assert "param slow" in said.out
    assert "bps:10" in said.out
    assert "Total return" in said.out
    assert "fill 1" in said.out
    document = with_hours("runs", "compare", one, other, "--json").json()
    assert document["runs"] == [one, other]
    assert document["settings"] == {"param slow": ["2", "3"], "fees": ["none", "bps:10"]}
    assert document["stats"]["start_equity"] == [100_000, 100_000]
    assert document["fills"]["differences"][0]["number"] == 1
    assert with_hours("runs", "compare", one).code == 2
    assert with_hours("runs", "compare", one, "nothing").code == 2


def test_the_chain_of_a_fill_is_told_in_sentences(with_hours: Weaver) -> None:
    ran(with_hours, "--param", "slow=2")
    (bought, _) = with_hours("events", "tail", "--type", "orders.Filled", "--json").json()["events"]
    said = with_hours("events", "show", str(bought["seq"]))
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert [line.split("Z ")[1].partition(":")[0] for line in lines] == ["Tick", "Decision", "Routed", "Order", "Accepted", "Filled"]
    assert "Decided to buy" in lines[1]
    assert "its close" in lines[1]
    assert lines[-1].endswith("(orders.Filled)")
    chain = with_hours("events", "show", str(bought["seq"]), "--json").json()["chain"]
    assert [step["step"] for step in chain] == ["Decision", "Routed", "Order", "Accepted", "Filled"]
