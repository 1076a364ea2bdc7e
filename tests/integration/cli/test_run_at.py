"""`weaver runs show --at`: a run as it was at one of its events."""

from tests.integration.cli.conftest import Weaver
from tests.integration.cli.test_verify import ran


def test_a_run_is_shown_as_it_was(with_hours: Weaver) -> None:
    run_id = ran(with_hours, "--param", "slow=2", "--fees", "bps:10")
    events = with_hours("events", "tail", "--run", run_id, "--limit", "1000", "--json").json()["events"]
    bought, sold = (event for event in events if event["type"] == "orders.Filled")
    at = with_hours("runs", "show", run_id[:8], "--at", str(bought["seq"]), "--json").json()
    assert at["run"]["status"] == "running"
    assert (at["at"]["seq"], at["at"]["time"]) == (bought["seq"], bought["time"])
    (position,) = at["positions"]
    assert (position["symbol"], position["qty"], position["avg_price"]) == ("BTC/USD", "1", bought["payload"]["price"])
    assert [order["status"] for order in at["orders"]] == ["filled"]
    assert len(at["fills"]) == 1
    assert float(at["account"]["cash"]) == 100_000 - float(bought["payload"]["price"]) - float(bought["payload"]["fee"])
    before = with_hours("runs", "show", run_id, "--at", str(bought["seq"] - 1), "--json").json()
    assert ([order["status"] for order in before["orders"]], before["fills"], before["positions"]) == (["accepted"], [], [])
    after = with_hours("runs", "show", run_id, "--at", str(sold["seq"]), "--json").json()
    assert [row["qty"] for row in after["positions"]] == ["0"]
    (trade,) = after["trades"]
    assert (trade["exit_order_id"], trade["exit_price"]) == (sold["payload"]["order_id"], sold["payload"]["price"])
    assert at["trades"] == []
    said = with_hours("runs", "show", run_id, "--at", str(bought["seq"]))
    assert said.code == 0, said.err
    assert f"As of event {bought['seq']}" in said.out
    assert "BTC/USD" in said.out
    assert "0 of them working; 1 fills" in said.out
    assert "No trade is closed." in said.out
    assert "1 trades closed" in with_hours("runs", "show", run_id, "--at", str(sold["seq"])).out


def test_what_cannot_be_shown_is_said(with_hours: Weaver) -> None:
    run_id = ran(with_hours, "--param", "slow=2")
    said = with_hours("runs", "show", run_id, "--at", "1")
    assert (said.code, said.err.startswith("error[run_error]: Run")) == (1, True)
    assert "did not exist at event 1" in said.err
    assert with_hours("runs", "show", run_id, "--at", "5", "--equity").code == 2
    assert with_hours("runs", "show", "nothing", "--at", "5").code == 2
