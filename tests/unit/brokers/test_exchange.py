"""The account inside the program: what fills when, what is refused, and that it can be put away and taken up again."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.brokers.exchange import Books, Exchange
from core.errors import BrokerRefused
from core.model.broker import BrokerOrderRequest, OrderClass, OrderUpdate, RefusalReason
from core.model.instants import DAY_NS
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce

S = OrderStatus
D = Decimal


class Time:
    now = 20_000 * DAY_NS + 1


def exchange(cash: int = 10_000) -> Exchange:
    return Exchange(Books(number="A", cash=D(cash)), lambda: Time.now)


def request(id: str = "o", side: str = "buy", qty: str = "10", **terms: Any) -> BrokerOrderRequest:
    return BrokerOrderRequest(
        client_order_id=id, symbol="DEMO/USD", side=OrderSide(side), qty=D(qty), **({"time_in_force": TimeInForce.GTC} | terms)
    )


def test_a_market_order_fills_at_the_last_price_or_at_the_next() -> None:
    account = exchange()
    waiting = account.submit(request())
    assert waiting.status is S.ACCEPTED
    account.show("DEMO/USD", D(100))
    filled = account.order(waiting.id)
    assert filled is not None
    assert (filled.status, filled.avg_fill_price) == (S.FILLED, D(100))
    assert account.submit(request("p", "sell", "4")).status is S.FILLED
    (held,) = account.positions()
    assert (held.qty, held.avg_price, account.account().cash) == (D(6), D(100), D(10_000) - 600)


@pytest.mark.parametrize(
    ("terms", "prices", "status"),
    [
        ({"type": OrderType.LIMIT, "limit_price": D(99)}, [100, 99.5], S.ACCEPTED),
        ({"type": OrderType.LIMIT, "limit_price": D(99)}, [100, 98], S.FILLED),
        ({"type": OrderType.STOP, "stop_price": D(101)}, [100, 102], S.FILLED),
        ({"type": OrderType.TRAILING_STOP, "trail_price": D(2)}, [100, 95, 96], S.ACCEPTED),
        ({"type": OrderType.TRAILING_STOP, "trail_price": D(2)}, [100, 95, 97.5], S.FILLED),
        ({"type": OrderType.LIMIT, "limit_price": D(99), "time_in_force": TimeInForce.IOC}, [100], S.CANCELLED),
    ],
)
def test_other_orders_wait_for_their_price(terms: dict[str, Any], prices: list[float], status: OrderStatus) -> None:
    account = exchange()
    account.show("DEMO/USD", D(str(prices[0])))
    order = account.submit(request(**terms))
    for price in prices[1:]:
        account.show("DEMO/USD", D(str(price)))
    found = account.order(order.id)
    assert found is not None
    assert found.status is status


def test_a_day_order_expires() -> None:
    account = exchange()
    order = account.submit(request(type=OrderType.LIMIT, limit_price=D(1), time_in_force=TimeInForce.DAY))
    Time.now += DAY_NS
    account.show("DEMO/USD", D(100))
    found = account.order(order.id)
    assert found is not None
    assert found.status is S.EXPIRED


def test_what_the_account_cannot_bear_is_rejected_after_it_was_taken() -> None:
    account, told = exchange(cash=999), []
    account.listeners.append(lambda update: told.append(update.event))
    account.show("DEMO/USD", D(100))
    assert account.submit(request()).status is S.REJECTED
    assert told == ["new", "rejected"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time_in_force": TimeInForce.OPG}, RefusalReason.TIME_IN_FORCE),
        ({"order_class": OrderClass.OTO, "target_price": D(101)}, RefusalReason.INVALID_ORDER),
        ({"qty": None, "notional": D(10)}, RefusalReason.INVALID_ORDER),
    ],
)
def test_what_it_does_not_take_is_refused(change: dict[str, Any], reason: RefusalReason) -> None:
    with pytest.raises(BrokerRefused) as refused:
        exchange().submit(msgspec.structs.replace(request(), **change))
    assert refused.value.reason == reason


def test_an_id_is_taken_once_and_a_cancel_needs_a_working_order() -> None:
    account = exchange()
    order = account.submit(request())
    with pytest.raises(BrokerRefused, match="unique"):
        account.submit(request())
    account.cancel(order.id)
    with pytest.raises(BrokerRefused, match="canceled"):
        account.cancel(order.id)
    with pytest.raises(BrokerRefused, match="not found"):
        account.cancel("x")


def test_put_away_and_taken_up_again_it_goes_on() -> None:
    account = exchange()
    order = account.submit(request(type=OrderType.LIMIT, limit_price=D(99)))
    account.execute(order.id, D(4), D(99))
    books = msgspec.json.decode(msgspec.json.encode(account.books()), type=Books)
    again = Exchange(books, lambda: Time.now)
    assert again.positions() == account.positions()
    updates: list[OrderUpdate] = []
    again.listeners.append(updates.append)
    again.show("DEMO/USD", D(98))
    assert [(one.event, one.execution and one.execution.qty) for one in updates] == [("fill", D(6))]
    assert updates[0].execution is not None
    assert updates[0].execution.cum_qty == 10


def test_a_limit_that_the_price_goes_through_fills_at_itself_and_one_that_it_jumps_over_at_the_price() -> None:
    for came_from, expected in ((D(100), D(95)), (None, D(90))):
        market = exchange()
        market.show("DEMO/USD", D(100))
        order = market.submit(request(type=OrderType.LIMIT, limit_price=D(95)))
        market.show("DEMO/USD", D(90), came_from)
        filled = market.order(order.id)
        assert filled is not None
        assert (filled.status, filled.avg_fill_price) == (OrderStatus.FILLED, expected)


def test_what_waits_meets_the_first_price_of_a_minute_after_what_was_decided_before_it() -> None:
    market = exchange()
    market.show("DEMO/USD", D(100))
    kept = market.submit(request("kept", type=OrderType.LIMIT, limit_price=D(95)))
    taken_back = market.submit(request("taken-back", type=OrderType.LIMIT, limit_price=D(95)))
    market.stand("DEMO/USD", D(90))
    market.cancel(taken_back.id)  # decided at the end of the minute before
    new = market.submit(request("new"))
    found = {order.client_order_id: (order.status, order.avg_fill_price) for order in market.orders()}
    assert found == {
        "kept": (OrderStatus.ACCEPTED, None),
        "taken-back": (OrderStatus.CANCELLED, None),
        "new": (OrderStatus.FILLED, D(90)),
    }
    market.show("DEMO/USD", D(97), D(90))
    filled = market.order(kept.id)
    assert filled is not None
    assert (filled.status, filled.avg_fill_price) == (OrderStatus.FILLED, D(90))
    assert new.client_order_id == "new"


def test_a_trailing_stop_follows_a_price_that_only_rises_and_acts_where_it_turns() -> None:
    account = exchange()
    account.show("DEMO/USD", D(100))
    account.submit(request(qty="1"))
    trailing = account.submit(request("t", "sell", "1", type=OrderType.TRAILING_STOP, trail_price=D("0.5")))
    before, filled = D(100), []
    for price in (D(101), D("101.4"), D(103), D("102.4")):
        account.show("DEMO/USD", price, before)
        before = price
        stands = account.order(trailing.id)
        assert stands is not None
        filled.append(stands.avg_fill_price)
    assert filled == [None, None, None, D("102.5")]
