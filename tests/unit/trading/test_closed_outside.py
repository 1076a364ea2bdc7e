"""A run's position was closed on the broker's own page: the run does not close it once more."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.payloads import OrderReplaced
from core.model.broker import BrokerOrderRequest
from core.model.order import OrderSide, OrderStatus, RejectCode, TimeInForce
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


@pytest.mark.parametrize(("life", "sold"), [(TimeInForce.DAY, "9.9999"), (TimeInForce.GTC, "9")])  # brokers take fractions for a day
async def test_beside_dust_a_run_sells_what_is_there_and_that_is_said(tmp_path: Path, life: TimeInForce, sold: str) -> None:
    broker = FakeBroker(SystemClock().now_ns, terms=AccountTerms(kind=AccountKind.MARGIN))
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await scene.run()
        broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        theirs = BrokerOrderRequest(client_order_id="theirs", symbol="DEMO", side=OrderSide.SELL, qty=D("0.0001"))
        broker.exchange.submit(theirs)
        await scene.desk.reconcile()
        await scene.until(lambda: scene.desk.state.outside.get("DEMO") == D("-0.0001"))
        sale = await scene.until_status(await scene.place("sell", time_in_force=life), S.FILLED)
        assert (sale.request.qty, [one.qty for one in broker.exchange.positions()]) == (D(sold), [D("0.9999")] if sold == "9" else [])
        (told,) = await scene.store.log.read(pattern=OrderReplaced.wire)
        assert isinstance(told.payload, OrderReplaced)
        assert told.payload.reason == "10 were asked for, and 9.9999 of the run's 10 are in the account."
        if sold != "9":  # what is left in its book is nowhere: nothing is sent for that
            assert scene.desk.state.lives[await scene.place("sell", "0.0001")].order.reject_code is RejectCode.INSUFFICIENT_POSITION
            assert scene.desk.state.to_close() == {}
        assert scene.stopped == []
