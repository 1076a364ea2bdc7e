"""The program is killed at each step of closing a position that has exits; when it is started again what is held has its exits."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.server import FakeBroker
from tests.integration.trading.dying_while_closing import STEPS
from tests.integration.trading.hand_over_http import by_hand
from tests.integration.trading.test_partial_close_over_http import held, until, working

S, D = OrderStatus, Decimal


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        yield server


def killed(server: FakeBroker, folder: Path, step: str, qty: int) -> None:
    command = [sys.executable, "-m", "tests.integration.trading.dying_while_closing", server.url, str(folder), step, str(qty)]
    with subprocess.Popen(command) as process:
        try:
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def over(server: FakeBroker, kind: str) -> Decimal:
    return sum((D(qty) for type_, qty, _ in working(server) if type_ == kind), D(0))


# All of it closed, no exits leave before the sale does.
CASES = [(step, 4) for step in STEPS]
# Where all of it is closed, fewer steps come; those that come are the same.
LONG_CASES = [pytest.param(step, 0, marks=pytest.mark.soak) for step in STEPS if not step.endswith("the exits")]


@pytest.mark.parametrize(("step", "qty"), [*CASES, *LONG_CASES])
async def test_what_is_held_has_its_exits_when_the_program_is_back(tmp_path: Path, server: FakeBroker, step: str, qty: int) -> None:
    killed(server, tmp_path, step, qty)
    left = D(held(server).get("SPY", "0"))
    assert left in {D(10), D(10 - (qty or 10))}
    async with by_hand(tmp_path, server) as account:
        async with asyncio.timeout(20):
            while account._owed.owes and not (step == "before the cancel" or step == "after the commit of what is owed"):
                await account.desk.state.moved()
        assert (over(server, "limit"), over(server, "stop")) == (left, left)
        assert account.desk.state.books[account.run.id].held("SPY") == left
        if left:  # and then it is closed as any other
            await until(account, (await account.close("SPY", account.run.id)).id, S.FILLED)
            async with asyncio.timeout(20):
                while account._owed.owes:
                    await account.desk.state.moved()
        assert (held(server), working(server)) == ({}, [])
    async with by_hand(tmp_path, server) as account:  # and once more, as nothing happened
        assert (account._owed.owes, working(server), await account.desk.reconcile()) == (False, [], ())
