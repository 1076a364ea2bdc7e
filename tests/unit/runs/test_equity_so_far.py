"""The equity of a run that goes on is drawn up from what is stored of it, the same as the run itself knows it."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from core.events.envelope import envelope
from core.events.live_payloads import CoinFee
from core.runs.equity_so_far import equity_so_far
from core.runs.net_fills import net_fills
from tests.unit.runs.live_desk import live


async def test_it_is_what_the_run_knows_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.brokers.sim.STANDS_S", 60.0)  # half of each minute to decide in: nothing fills between a bar and its decision
    async with live(tmp_path, speed=150.0) as scene:
        scene.strategy()
        run = await scene.start(minutes=None)
        await scene.until("orders.Filled", 6)
        stored = await scene.store.runs.run(run.id)
        assert stored is not None
        times_ns, equity = await equity_so_far(stored, scene.store)
        over = await scene.runs.stop(run.id)
        result = await scene.store.runs.result(over.id)
        assert result is not None
        assert len(times_ns) >= 4
        assert times_ns[0] == over.first_bar_ns
        known = dict(zip(result.equity_ns.tolist(), result.equity.tolist(), strict=True))
        if int(times_ns[-1]) not in known:  # stored, and the run was stopped before it decided on it
            times_ns, equity = times_ns[:-1], equity[:-1]
        assert [known[at] for at in times_ns.tolist()] == equity.tolist()
        assert len(np.unique(equity)) > 1


async def test_before_the_first_bar_there_is_none(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start(minutes=2)
        times_ns, equity = await equity_so_far(run, scene.store)
        assert len(times_ns) == len(equity) == 0
        await scene.over(run)


async def test_fees_in_coin_are_taken_off_the_fills(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=6))
        fill, *others = await scene.store.runs.fills(run.id)
        fee = CoinFee(account="sim:1", symbol=fill.symbol, fill_id=fill.id, qty=Decimal("0.01"), price=fill.price)
        await scene.store.log.append([envelope(fee, id="fee", ts=1, producer="trading", run_id=run.id)])
        net, *same = await net_fills(run.id, scene.store)
        assert (net.qty, net.fee) == (fill.qty - Decimal("0.01"), fill.fee + Decimal("0.01") * fill.price)
        assert same == others
