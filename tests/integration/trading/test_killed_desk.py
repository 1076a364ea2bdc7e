"""The process is killed at each step of the order path and started again: one order for one intent, every fill once."""

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.model.order import OrderStatus, RejectCode
from tests.integration.trading.dying import BOOKS
from tests.unit.trading.desk import opened

S = OrderStatus


@pytest.mark.parametrize(
    ("step", "status", "filled"),
    [
        ("before the send", S.SUBMITTING, 0),
        ("before the answer", S.ACCEPTED, 0),
        ("before the commit of a fill", S.PARTIALLY_FILLED, 4),
        ("after the commit of a fill", S.PARTIALLY_FILLED, 4),
    ],
)
async def test_a_killed_process_is_made_good_at_the_next_start(tmp_path: Path, step: str, status: OrderStatus, filled: int) -> None:
    ended = subprocess.run(  # noqa: ASYNC221 - nothing else goes on in this loop
        [sys.executable, "-m", "tests.integration.trading.dying", str(tmp_path), step], check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    broker = FakeBroker(SystemClock().now_ns, path=tmp_path / BOOKS)
    async with opened(tmp_path, broker) as scene:
        order = scene.desk.state.lives["run-1"].order
        assert (order.status, order.filled_qty) == (status, Decimal(filled))
        assert len(broker.exchange.orders()) == (0 if step == "before the send" else 1)
        await scene.assert_books_equal()
        if step == "before the send":
            # It left no trace at the broker. Once that is certain, it counts as never sent; it is not sent now.
            assert scene.desk.comparisons._reconciler is not None
            scene.desk.comparisons._reconciler.settle_ns = 0
            await scene.desk.reconcile()
            closed = await scene.until_status("run-1", S.REJECTED)
            assert closed.reject_code is RejectCode.NEVER_SENT
            assert broker.exchange.orders() == []
    # And once more, as nothing happened.
    async with opened(tmp_path, FakeBroker(SystemClock().now_ns, path=tmp_path / BOOKS)) as scene:
        told = [one for one in await scene.types() if one in {"orders.PartiallyFilled", "orders.Filled"}]
        assert len(told) == (1 if filled else 0)
        await scene.assert_books_equal()
