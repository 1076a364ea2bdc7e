"""A run at a broker is not removed while its orders work there, or its positions stand after an interruption."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.sim import ID
from core.errors import RunError, UnknownName
from core.model.order import OrderStatus
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import Store
from tests.contract.samples import fill, order
from tests.unit.runs.lasting import lasting

CONFIG = RunConfig(strategy_id="plain", symbols=("BTC/USD",), timeframe="1m", mode=RunMode.PAPER, broker=ID)


async def stored(store: Store, status: RunStatus, *, order_is: OrderStatus, filled: bool) -> Run:
    run = Run(id="abc", config=CONFIG, status=status, created_ns=1)
    async with store.runs.begin() as work:
        work.put_run(run)
        work.put_orders([msgspec.structs.replace(order("o1", "abc"), status=order_is)])
        if filled:
            work.add_fills([msgspec.structs.replace(fill("f1"), order_id="o1", run_id="abc")])
    return run


@pytest.mark.parametrize(
    ("status", "order_is", "filled", "words"),
    [
        (
            RunStatus.INTERRUPTED,
            OrderStatus.ACCEPTED,
            False,
            r"has 1 order that may work at the broker: .* Close it first: weaver runs close abc",
        ),
        (RunStatus.INTERRUPTED, OrderStatus.SUBMITTING, False, r"has 1 order that may work at the broker"),
        (RunStatus.INTERRUPTED, OrderStatus.FILLED, True, r"has {held} BTC/USD: .* Close it first"),
        (RunStatus.STOPPED, OrderStatus.ACCEPTED, False, r"1 order that may work at the broker: .* Reconcile the account first"),
    ],
)
async def test_it_says_what_stands(tmp_path: Path, status: RunStatus, order_is: OrderStatus, filled: bool, words: str) -> None:
    async with lasting(tmp_path) as scene:
        await stored(scene.store, status, order_is=order_is, filled=filled)
        qty = Decimal(fill("f1").qty).normalize()
        with pytest.raises(RunError, match=words.replace("{held}", f"{qty:f}")):
            await scene.runs.delete("abc")
        assert await scene.store.runs.run("abc") is not None
        assert len(await scene.store.runs.orders("abc")) == 1


async def test_one_that_left_nothing_is_removed(tmp_path: Path) -> None:
    async with lasting(tmp_path) as scene:
        await stored(scene.store, RunStatus.INTERRUPTED, order_is=OrderStatus.CANCELLED, filled=False)
        await scene.runs.delete("abc")
        with pytest.raises(UnknownName):
            await scene.runs.get("abc")
