"""`weaver runs offer` and `weaver runs take-over`: two desks, each with processes of its own, on one server."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Said, Weaver, read_until

Begin = Callable[..., "subprocess.Popen[str]"]
TRADE = ("trade", "sma-cross", "--broker", "paper", "--symbol", "DEMO/USD", "--timeframe", "1m", "--param", "fast=2", "--param", "slow=4")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_run_goes_from_a_desk_to_another(postgres_url: str, begin: Begin, weaver_process: Weaver, tmp_path: Path) -> None:
    def at(desk: str, *arguments: str) -> Said:
        home = tmp_path / desk
        home.mkdir(exist_ok=True)
        return weaver_process(*arguments, WEAVER_HOME=str(home), WEAVER_DB=postgres_url, WEAVER_DESK_NAME=desk)

    assert at("Ben", "runs", "list").code == 0  # from now on Ann knows of him
    (tmp_path / "Ann").mkdir()
    process = begin(
        *TRADE, "--speed", "600", "--log-json", "--json", WEAVER_HOME=str(tmp_path / "Ann"), WEAVER_DB=postgres_url, WEAVER_DESK_NAME="Ann"
    )
    run_id = json.loads(read_until(process, '"run.Started"').splitlines()[-1])["run_id"]
    listed = at("Ann", "runs", "offer", run_id, "--json").json()
    assert [desk["name"] for desk in listed["desks"]] == ["Ben"]
    refused = at("Ben", "runs", "take-over", run_id)
    assert refused.code == 1
    assert "held_elsewhere" in refused.err
    assert "in the hands of the desk Ann" in " ".join(refused.err.split())
    both = at("Ann", "runs", "offer", run_id, "--to", "Ben", "--withdraw")
    assert both.code == 2
    offered = at("Ann", "runs", "offer", run_id, "--to", "Ben")
    assert offered.code == 0
    # How long ago he was seen stands behind his name when that is long, as on a busy machine.
    assert re.search(r"goes on here until the desk Ben\b.* takes it over", " ".join(offered.out.split()))
    taken = at("Ben", "runs", "take-over", run_id, "--json").json()
    assert taken["taken"] == run_id
    assert taken["said"].startswith("The desk Ben took it over from the desk Ann and compared it with the broker: ")
    _, said = process.communicate(timeout=60)
    assert '"run.TakenOver"' in said
    closed = at("Ben", "runs", "close", run_id, "--flatten", "--json").json()
    assert closed["closed"] == run_id
