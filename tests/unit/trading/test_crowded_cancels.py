"""Cancels that were too many for the broker: all wait for the one instant when it takes requests again."""

import asyncio
from pathlib import Path

import pytest

from core.errors import RateLimited
from core.model.order import OrderStatus
from core.model.risk import SwitchLevel
from tests.unit.trading.desk import opened

S = OrderStatus


async def test_they_do_not_wait_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as scene:
        await scene.run()
        ids = [await scene.place("buy", limit=str(80 + at)) for at in range(8)]
        for each in ids:
            await scene.until_status(each, S.ACCEPTED)
        loop, real, asked = asyncio.get_running_loop(), scene.broker.desk.cancel, list[float]()
        opens = loop.time() + 2

        async def cancel(order_id: str) -> None:
            asked.append(loop.time())
            if loop.time() < opens:
                raise RateLimited("Too many requests (429).", "", retry_after_s=opens - loop.time())
            await real(order_id)

        monkeypatch.setattr(scene.broker.desk, "cancel", cancel)
        await scene.throw(SwitchLevel.CANCEL_ALL)
        for each in ids:
            await scene.until_status(each, S.CANCELLED)
        # Asked once when it was too much, and once when it was not; each its own two seconds would be sixteen.
        assert len(asked) <= 2 * len(ids)
        assert sum(at >= opens for at in asked) == len(ids)
        assert max(asked) - opens < 2 * 4
