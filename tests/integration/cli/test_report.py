"""`--report`: the files of a run, from the call that runs it and from one that looks at it later."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver

CROSS = ("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--param", "fast=1", "--param", "slow=2")


def test_a_run_writes_its_page_and_the_later_call_the_same_with_all_files(with_hours: Weaver, tmp_path: Path) -> None:
    said = with_hours(*CROSS, "--report", tmp_path / "a.html")
    assert said.code == 0, said.err
    assert f"Report: {tmp_path / 'a.html'}" in said.out
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<h1>sma-cross on BTC/USD, 1h" in page
    run_id = with_hours("runs", "list", "--json").json()["runs"][0]["id"]
    assert run_id in page
    document = with_hours("runs", "show", run_id[:6], "--report", tmp_path / "out", "--json").json()
    names = ("report.html", "trades.csv", "equity.csv", "account.csv", "stats.json")
    assert document["report"] == [str(tmp_path / "out" / name) for name in names]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(names)
    kept = json.loads((tmp_path / "out" / "stats.json").read_text(encoding="utf-8"))
    assert kept["stats"] == document["stats"]
    assert kept["run"]["manifest"] == document["run"]["manifest"]
    # Only the links to the files beside it differ.
    body = re.sub(r"<p>Beside this page.*?</p>", "", (tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert body == page
    assert with_hours("runs", "show", run_id, "--report", tmp_path / "out").code == 0


def test_the_benchmark_may_be_another_symbol(with_hours: Weaver, tmp_path: Path) -> None:
    rows = [f"2024-01-01T{hour:02d}:00:00Z,{5 + hour},{9 + hour},{4 + hour},{6 + hour},1" for hour in range(8)]
    (tmp_path / "gold.csv").write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert with_hours("data", "import", tmp_path / "gold.csv", "--symbol", "PAXG/USD", "--timeframe", "1h").code == 0
    said = with_hours(*CROSS, "--report", tmp_path / "out", "--benchmark", "paxg/usd")
    assert said.code == 0, said.err
    compared = json.loads((tmp_path / "out" / "stats.json").read_text(encoding="utf-8"))["benchmark"]
    assert (compared["symbol"], compared["total_return"]) == ("PAXG/USD", pytest.approx(13 / 5 - 1))
    run_id = with_hours("runs", "list", "--json").json()["runs"][0]["id"]
    wrong = with_hours("runs", "show", run_id, "--report", tmp_path / "out", "--benchmark", "DOGE/USD")
    assert wrong.code == 1
    assert wrong.err.startswith("error[no_bars]: There are no 1h bars of DOGE/USD in the run's period to compare with.")


def test_a_place_that_is_taken_is_told_before_anything_runs(with_hours: Weaver, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    for path, sentence in (
        (tmp_path / "mine.html", "exists and is not a report of Weaver. Name another place, or move it away."),
        (tmp_path / "a.pdf", "name a file that ends in .html, or a folder."),
        (tmp_path / "no" / "a.html", "Make it, or name another place."),
    ):
        said = with_hours(*CROSS, "--report", path)
        assert said.code == 2
        assert said.err.rstrip().endswith(sentence)
    assert with_hours(*CROSS, "--report", "").code == 2
    assert with_hours(*CROSS, "--benchmark", "X").err.startswith("error[input_error]: --benchmark is for --report.")
    assert with_hours("runs", "list", "--json").json()["runs"] == []
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_place_that_may_not_be_written_is_refused_before_anything_is_computed(with_hours: Weaver, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    for place in ("locked/page.html", "locked/deep/folder"):
        said = with_hours(*CROSS, "--report", tmp_path / place)
        assert said.code == 1
        assert said.err == f"error[data_error]: {tmp_path / 'locked'} cannot be written to. Choose another place for the report.\n"
    assert with_hours("runs", "list", "--json").json()["runs"] == []


def test_a_folder_that_cannot_be_written_is_a_sentence(with_hours: Weaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        said = with_hours(*CROSS, "--report", tmp_path / "out")
    assert said.code == 1
    what = f"{tmp_path / 'out' / 'trades.csv'} cannot be written: No space left on device."
    assert said.err == f"error[data_error]: {what} Choose another place, or make room.\n"
    assert list((tmp_path / "out").iterdir()) == []
    # The run itself is kept.
    assert with_hours("runs", "list", "--json").json()["runs"][0]["status"] == "completed"


def test_a_report_needs_a_result_but_not_the_bars(with_hours: Weaver, tmp_path: Path) -> None:
    assert with_hours(*CROSS).code == 0
    run_id = with_hours("runs", "list", "--json").json()["runs"][0]["id"]
    assert with_hours("data", "delete", "--symbol", "BTC/USD", "--timeframe", "1h").code == 0
    said = with_hours("runs", "show", run_id, "--report", tmp_path / "out")
    assert said.code == 0, said.err
    kept = json.loads((tmp_path / "out" / "stats.json").read_text(encoding="utf-8"))
    assert kept["benchmark"] is None
    assert kept["coverage"] is None
