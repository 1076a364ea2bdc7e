"""`weaver trade` whose terminal takes nothing any more: the run goes on, and what is asked of it is done."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, Weaver, environment_of, read_until

TRADE = ("trade", "sma-cross", "--broker", "sim", "--symbol", "DEMO/USD", "--timeframe", "1m", "--param", "fast=2", "--param", "slow=4")


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe can be made small on Linux alone")
def test_a_run_whose_output_nobody_reads_trades_on_and_is_stopped(weaver: Weaver, weaver_home: Path) -> None:
    command = [sys.executable, "-m", "app", *TRADE, "--speed", "600", "--log-json", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_of(weaver_home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4_096, text=True
    ) as process:
        try:
            run_id = json.loads(read_until(process, '"run.Started"').splitlines()[-1])["run_id"]

            def told() -> int:
                return int(weaver("events", "tail", "--limit", "1", "--json").json()["events"][-1]["seq"])

            before = told()
            while told() < before + 100:  # many times what the pipe holds
                pass
            stopped = weaver("runs", "stop", run_id, "--json")
            assert stopped.code == 0, stopped.err
            _, said = process.communicate(timeout=60)
            assert '"run.Stopped"' in said  # nothing of it is lost
        finally:
            process.kill()
