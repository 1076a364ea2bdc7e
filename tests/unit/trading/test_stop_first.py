"""Two exits that do not leave as one: the broker has the stop before it is asked for the target."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors import BrokerUnreachable, OutcomeUnknown
from core.model.broker import BrokerOrder, BrokerOrderRequest, MayLeave
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.intent import Intent
from tests.unit.trading.desk import Scene, opened

S = OrderStatus


def exits(scene: Scene, kinds: Iterable[OrderType]) -> list[Order]:
    """Two sales of what is held, of which one cancels the other."""
    now = scene.desk.state.clock.now_ns()
    prices: dict[OrderType, dict[str, Any]] = {OrderType.LIMIT: {"limit_price": Decimal(120)}, OrderType.STOP: {"stop_price": Decimal(80)}}
    made = [
        Order(
            id=f"run-{kind.value}",
            run_id="run",
            request=OrderRequest(symbol="DEMO", side=OrderSide.SELL, qty=Decimal("2.5"), type=kind, reduce_only=True, **prices[kind]),
            time_in_force=TimeInForce.DAY,
            status=S.CREATED,
            created_ns=now,
            updated_ns=now,
        )
        for kind in kinds
    ]
    return [msgspec.structs.replace(one, sibling_id=made[1 - at].id) for at, one in enumerate(made)]


class Gate:
    """Lets the stop wait on its way to the broker until it is `opened`; `fault`: then it fails. Notes who comes by."""

    def __init__(self, scene: Scene, fault: Exception | None = None) -> None:
        self.came: list[str] = []
        self.is_stop_here = asyncio.Event()
        self.opened = asyncio.Event()
        real = scene.broker.desk.submit

        async def submit(request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
            self.came.append(request.client_order_id)
            if request.type is OrderType.STOP:
                self.is_stop_here.set()
                await self.opened.wait()
                if fault is not None:
                    raise fault
            return await real(request, may_leave)

        scene.broker.desk.submit = submit  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "fault",
    [None, BrokerUnreachable("fake", "it is away"), OutcomeUnknown("fake", "it said nothing", client_order_id="run-stop")],
    ids=["taken", "away", "lost"],
)
@pytest.mark.parametrize(
    "kinds", [(OrderType.LIMIT, OrderType.STOP), (OrderType.STOP, OrderType.LIMIT)], ids=["target-named-first", "stop-named-first"]
)
async def test_the_target_waits_for_what_becomes_of_the_stop(tmp_path: Path, kinds: tuple[OrderType, ...], fault: Exception | None) -> None:
    async with opened(tmp_path) as scene:
        scene.broker.exchange.show("DEMO", Decimal(100))
        await scene.run()
        scene.desk.state.note_price("DEMO", Decimal(100), 1)
        await scene.until_status(await scene.place(qty="2.5"), S.FILLED)
        gate = Gate(scene, fault)
        await scene.desk.place([Intent(order=order) for order in exits(scene, kinds)], [])
        await gate.is_stop_here.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert gate.came == ["run-stop"]
        gate.opened.set()
        await scene.until_status("run-limit", S.ACCEPTED)
        await scene.until_status("run-stop", S.ACCEPTED if fault is None else S.REJECTED)
        assert gate.came == ["run-stop", "run-limit"]
