"""`weaver data seal` and `unseal`: what is sealed stays, and the list says so."""

from pathlib import Path

from tests.integration.cli.conftest import Weaver


def test_a_sealed_set_refuses_imports_until_it_is_unsealed(with_hours: Weaver, tmp_path: Path) -> None:
    (before,) = with_hours("data", "list", "--json").json()["sets"]
    said = with_hours("data", "seal", "--symbol", "BTC/USD")
    assert said.code == 0, said.err
    assert said.out == f"8 1h bars of BTC/USD from {before['source']}, raw, are sealed. Their hash is {before['sha256']}.\n"
    (sealed,) = with_hours("data", "list", "--json").json()["sets"]
    assert (sealed["sealed"], sealed["sha256"]) == (True, before["sha256"])
    line = with_hours("data", "list").out.splitlines()[-1]
    assert line.split()[-2:] == [before["sha256"][:8], "sealed"]

    (tmp_path / "one.csv").write_text("time,open,high,low,close,volume\n2024-01-02T03:00:00Z,12,12.5,8.5,9.5,4\n", encoding="utf-8")
    add = ("data", "import", tmp_path / "one.csv", "--symbol", "BTC/USD", "--timeframe", "1h", "--source", before["source"])
    said = with_hours(*add)
    assert said.code == 1
    assert said.err.startswith("error[sealed_bars]: The 1h bars of BTC/USD from")
    assert "weaver data unseal --symbol BTC/USD --timeframe 1h" in said.err
    assert with_hours("data", "delete", "--symbol", "BTC/USD").code == 1
    assert with_hours("data", "list", "--json").json()["sets"] == [sealed]

    assert with_hours("data", "unseal", "--symbol", "BTC/USD", "--json").json()["sealed"] is False
    assert with_hours(*add).code == 0
    (after,) = with_hours("data", "list", "--json").json()["sets"]
    assert (after["bars"], after["sealed"]) == (9, False)
    assert after["sha256"] != before["sha256"]
    types = [event["type"] for event in with_hours("events", "tail", "--type", "data.*", "--json").json()["events"]]
    assert types == ["data.BarsImported", "data.BarsSealed", "data.BarsUnsealed", "data.BarsImported"]


def test_what_to_seal_must_be_said(with_hours: Weaver) -> None:
    assert with_hours("data", "seal").code == 2
    assert with_hours("data", "unseal", "--symbol", "NOPE").code == 2
