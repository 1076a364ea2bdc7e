"""Losses are not judged, and nothing is taken that they are counted from, while something that is held has no price."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.model.order import OrderStatus, RejectCode
from core.model.risk import RiskLimits
from core.trading.losses import LossMark
from tests.unit.trading.desk import CASH, Scene, opened

D = Decimal
S = OrderStatus
LIMITS = {"daily loss": RiskLimits(max_daily_loss=D(100)), "drawdown": RiskLimits(max_drawdown=D("0.0001"))}


async def held_at(scene: Scene, limits: RiskLimits) -> None:
    """Ten units, bought at 100."""
    await scene.run(limits=limits)
    scene.broker.exchange.show("DEMO", D(100))
    scene.desk.state.note_price("DEMO", D(100), 1)
    await scene.until_status(await scene.place(), S.FILLED)


@pytest.mark.parametrize("rule", LIMITS)
async def test_an_order_that_opens_is_refused_until_what_is_held_has_a_price(tmp_path: Path, rule: str) -> None:
    async with opened(tmp_path) as scene:
        await held_at(scene, LIMITS[rule])
        del scene.desk.state.prices["DEMO"]  # as after a start: the market stands at 50, and nobody has said so yet
        refused = await scene.until_status(await scene.place(qty=1), S.REJECTED)
        assert refused.reject_code is RejectCode.RISK_NO_PRICE
        assert refused.reason == f"Risk rule {rule}: losses cannot be judged while no price of DEMO, which is held, is known."
        await scene.until_status(await scene.place("sell", qty=1), S.FILLED)  # closing stays possible
        scene.desk.state.note_price("DEMO", D(50), 2)
        refused = await scene.until_status(await scene.place(qty=1), S.REJECTED)
        assert refused.reject_code is {"daily loss": RejectCode.RISK_DAILY_LOSS, "drawdown": RejectCode.RISK_DRAWDOWN}[rule]


async def test_neither_a_peak_nor_a_days_beginning_is_taken_from_what_a_position_cost(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await held_at(scene, RiskLimits())
        book = scene.desk.state.books["run"]
        before = LossMark(CASH - 300, 1, CASH - 300)  # of a run that was 300 down when the program ended, days ago
        book.losses.mark = before
        del scene.desk.state.prices["DEMO"]
        await scene.until_status(await scene.place(qty=1, limit="1"), S.ACCEPTED)
        assert book.losses.mark == before
        scene.desk.state.note_price("DEMO", D(60), 2)
        await scene.until_status(await scene.place(qty=1, limit="2"), S.ACCEPTED)
        assert (book.losses.mark.peak, book.losses.mark.day_start) == (CASH - 300, CASH - 400)


async def test_an_account_that_the_broker_has_not_spoken_of_cannot_be_judged(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=RiskLimits(max_drawdown=D("0.5"))) as scene:
        await held_at(scene, RiskLimits())
        scene.desk.state.account = None  # as where the broker is away when the account is opened
        refused = await scene.until_status(await scene.place(qty=1), S.REJECTED)
        assert refused.reject_code is RejectCode.RISK_NO_PRICE
        assert refused.reason is not None
        assert "while the broker has not said yet what the account is worth" in refused.reason
