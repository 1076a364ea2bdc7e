"""The program is killed at each step of a strategy's closing: what is held has its exits afterwards, and nothing is sold twice."""

import asyncio
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.broker import AccountName
from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.market import Market
from tests.broker.shared_clock import SharedClock
from tests.integration.trading.dying_while_closing import STEPS
from tests.unit.runs.broker_desk import NOON, broker_desk
from tests.unit.runs.making_way import Leaving

S, D = OrderStatus, Decimal
CASES = [(step, 4) for step in STEPS]
# Where all of it is sold, fewer steps come; those that come are the same.
LONG_CASES = [pytest.param(step, 10, marks=pytest.mark.soak) for step in STEPS if not step.endswith("the exits")]


def killed(url: str, folder: Path, step: str, how: str) -> None:
    command = [sys.executable, "-m", "tests.integration.trading.dying_while_leaving", url, str(folder), step, how]
    with subprocess.Popen(command) as process:
        try:
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("step", "qty"), [*CASES, *LONG_CASES])
async def test_it_is_sold_once_or_not_at_all(tmp_path: Path, step: str, qty: int) -> None:
    with fake_broker() as server:
        clock = SharedClock.begin(tmp_path / "clock", NOON, 120)
        with Market(server, clock, {"SPY": 400.0}, days=7).running():
            await asyncio.to_thread(killed, server.url, tmp_path, step, f"self.sell({qty})")
            async with broker_desk(str(tmp_path / "desk.db"), tmp_path, server, clock) as desk:
                await desk.runs.recover()
                (run,) = await desk.runs.all()
                hand = await desk.runs.connect_by_hand("alpaca", AccountName.PAPER, "")
                scene = Leaving(desk, run, tmp_path / "word")
                async with asyncio.timeout(20):
                    while hand._owed.owes and step not in {"before the cancel", "after the commit of what is owed"}:
                        await hand.desk.state.moved()
                sold = scene.sales()
                assert sold in ([], [(str(qty), str(qty), "filled")])
                left = 10 - (qty if sold else 0)
                assert scene.at_broker() == left
                assert (scene.over("limit"), scene.over("stop")) == (left, left)
                assert hand.desk.state.books[run.id].held("SPY") == left
                if left:  # and then it is closed as any other
                    await hand.close("SPY", run.id)
                    async with asyncio.timeout(20):
                        while hand._owed.owes or hand.desk.state.working():
                            await hand.desk.state.moved()
                assert (scene.at_broker(), scene.working()) == (0, set())


async def test_a_run_that_goes_on_leaves_under_a_number_that_was_never_given(tmp_path: Path) -> None:
    with fake_broker() as server:
        clock = SharedClock.begin(tmp_path / "clock", NOON, 120)
        with Market(server, clock, {"SPY": 400.0}, days=7).running():
            await asyncio.to_thread(killed, server.url, tmp_path, "before the commit of the sale", "self.sell(10, ref='out')")
            async with broker_desk(str(tmp_path / "desk.db"), tmp_path, server, clock) as desk:
                await desk.runs.recover()
                (run,) = await desk.runs.all()
                scene = Leaving(desk, run, tmp_path / "word")
                await desk.runs.resume(run.id)
                await scene.fills(2)
                await scene.so(set())
                assert (scene.sales(), scene.at_broker()) == ([("10", "10", "filled")], 0)
                assert set(await scene.rows()) == {"1", "2", "3", "2.back", "3.back", "5"}
                await desk.runs.stop(run.id)
