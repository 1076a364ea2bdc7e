"""A run's position was closed on the broker's own page: the run does not close it once more."""

from decimal import Decimal
from pathlib import Path

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.model.broker import BrokerOrderRequest
from core.model.order import OrderSide, OrderStatus, RejectCode
from core.model.run import AccountKind, AccountTerms
from tests.unit.trading.desk import opened

S, D = OrderStatus, Decimal


async def test_a_run_does_not_turn_the_account_around(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns, terms=AccountTerms(kind=AccountKind.MARGIN))
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await scene.run()
        broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        broker.exchange.submit(BrokerOrderRequest(client_order_id="theirs", symbol="DEMO", side=OrderSide.SELL, qty=D(6)))
        await scene.desk.reconcile()
        await scene.until(lambda: scene.desk.state.outside.get("DEMO") == -6)
        order_id = await scene.place("sell")
        order = scene.desk.state.lives[order_id].order
        assert (order.status, order.reject_code) == (S.REJECTED, RejectCode.INSUFFICIENT_POSITION)
        assert order.reason == (
            "Risk rule the run's own account: 6 DEMO of this run were closed outside, and 4 DEMO are left to be closed."
        )
        await scene.until_status(await scene.place("sell", 4), S.FILLED)
        assert not broker.exchange.positions()
        assert scene.desk.state.lives[await scene.place("sell", 6)].order.status is S.REJECTED
        assert scene.stopped == []
