"""The paper account's process is killed at any point and started again: what was acknowledged is there, once, and everything adds up."""

import json
import random
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock.realtime import SystemClock
from core.model.broker import AccountName
from core.runs.checking import check_store
from core.store.database import DatabaseStore
from tests.broker.inside_bench import HandClock, HandMarket, hand_source

ROOT = Path(__file__).resolve().parents[3]


def lived(path: Path, life: int, lines: int) -> list[dict[str, Any]]:
    """Let a process trade until it has said so much, kill it there, and return all that it said whole."""
    command = [sys.executable, "-m", "tests.integration.brokers.paper_trader", str(path), str(life)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return [json.loads(line) for line in said if line.endswith("\n")]


async def proved(path: Path, said: list[dict[str, Any]]) -> None:
    """Compare what was acknowledged with what is kept."""
    store = DatabaseStore(path, SystemClock())
    await store.open()
    try:
        books = await store.paper.load("hand")
        assert books is not None
        orders = Counter(one.order.client_order_id for one in books.orders)
        executions = Counter(one.id for one in books.executions)
        assert set(orders.values()) | set(executions.values()) == {1}
        kept = {one.id: one.qty for one in books.executions}
        for one in said:
            if "order" in one:
                assert one["order"] in orders
            elif "execution" in one:
                assert kept[one["execution"]] == Decimal(one["qty"])
        assert (await check_store(store, lambda _: None)).findings == ()
        async with hand_source(HandMarket(HandClock()), HandClock(), store.paper).open("paper", AccountName.PAPER) as broker:
            assert len(await broker.account.executions()) == len(books.executions)
            assert (await broker.account.account()).cash == books.account.cash
    finally:
        await store.close()


async def _lives(path: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    said: list[dict[str, Any]] = []
    for life in range(1, count + 1):
        said += lived(path, life, chance.randrange(1, 60))
        await proved(path, said)
    assert sum("execution" in one for one in said) > count


async def test_what_was_acknowledged_is_there_once_after_every_kill(tmp_path: Path) -> None:
    await _lives(tmp_path / "desk.db", 5, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
async def test_two_hundred_kills(tmp_path: Path) -> None:
    await _lives(tmp_path / "desk.db", 200, seed=2)
