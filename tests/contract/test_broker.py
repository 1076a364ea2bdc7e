"""What every adapter does, case by case. `bench` is a connection to a broker whose market the test moves.

The cases: 1 the account, 2 taking orders, 3 refusing them, 4 fills, 5 cancelling and changing, 6 finding orders again;
7 the market and 8 streams are in `test_broker_market.py`, 9 what goes wrong on the way to the broker in `test_broker_away.py`,
10 what no execution explains in `test_broker_entries.py`.
"""

import asyncio
from decimal import Decimal

import pytest

from core.errors import BrokerRefused, InvalidValue, NotSent
from core.model.broker import (
    BrokerOrder,
    BrokerOrderRequest,
    OrderChange,
    OrderClass,
    RefusalReason,
)
from core.model.market import AssetClass, asset_class_of
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce
from tests.broker.bench import Bench
from tests.contract.order_kinds import EVERY_KIND, limit, market

BUY, SELL = OrderSide.BUY, OrderSide.SELL
LIMIT = OrderType.LIMIT
D = Decimal


def is_declared(bench: Bench, request: BrokerOrderRequest) -> bool:
    """Whether the adapter says that its broker takes such orders."""
    features = bench.features
    return (
        asset_class_of(request.symbol) in features.assets
        and request.type in features.order_types
        and request.order_class in features.order_classes
        and request.time_in_force in features.times_in_force
        and (features.notional or request.notional is None)
        and (features.fractional or request.qty is None or request.qty % 1 == 0 or "/" in request.symbol)
        and (features.extended_hours or not request.extended_hours)
    )


async def sent(bench: Bench, request: BrokerOrderRequest) -> BrokerOrder | None:
    """The order as it was taken; None where the adapter does not declare such orders, which are refused then."""
    if is_declared(bench, request):
        return await bench.broker.desk.submit(request)
    with pytest.raises(BrokerRefused):
        await bench.broker.desk.submit(request)
    assert await bench.broker.orders.order_by_client_id(request.client_order_id) is None
    return None


async def settled(bench: Bench, id: str, status: OrderStatus) -> BrokerOrder:
    """The order once it has this status; it is asked for until it has."""
    async with asyncio.timeout(10):
        while True:
            order = await bench.broker.orders.order_by_client_id(id)
            if order is not None and order.status is status:
                return order


# --- 1. the account ---------------------------------------------------------------------------------------


async def test_1_1_money_is_exact_and_no_float(bench: Bench) -> None:
    account = await bench.broker.account.account()
    assert (account.cash, account.equity, account.buying_power) == (D(100_000), D(100_000), bench.buying_power)
    assert (account.currency, account.status, account.trading_blocked) == ("USD", bench.words.account, False)
    assert all(not isinstance(getattr(account, field), float) for field in account.__struct_fields__)


async def test_1_2_a_new_account_holds_nothing(bench: Bench) -> None:
    assert await bench.broker.account.positions() == []
    assert await bench.broker.account.executions() == []


async def test_1_3_a_position_tells_what_open_orders_hold_of_it(bench: Bench) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    await bench.broker.desk.submit(limit("b", "500", qty="4", side=SELL))
    (held,) = await bench.broker.account.positions()
    assert (held.symbol, held.qty, held.qty_available, held.avg_price) == ("SPY", D(10), D(6), D("400.01"))


async def test_1_4_a_crypto_position_has_the_symbol_its_orders_have_and_is_what_was_bought_less_a_fee_in_coin(bench: Bench) -> None:
    if await sent(bench, market("a", "BTC/USD", qty="0.5", time_in_force=TimeInForce.GTC)) is None:
        return
    filled = await settled(bench, "a", OrderStatus.FILLED)
    (held,) = await bench.broker.account.positions()
    assert (held.symbol, held.asset_class) == ("BTC/USD", AssetClass.CRYPTO)
    assert filled.filled_qty == D("0.5")
    assert held.qty == filled.filled_qty * (1 - bench.coin_fee)


async def test_1_5_executions_are_kept_apart_by_their_id_and_ordered_by_the_total(bench: Bench) -> None:
    bench.hold()
    bench.one_instant()
    order = await bench.broker.desk.submit(market("a"))
    for _ in range(5):
        bench.fill(order.id, "2", "400")
    executions = await bench.broker.account.executions()
    assert [execution.cum_qty for execution in executions] == [2, 4, 6, 8, 10]
    assert len({execution.id for execution in executions}) == 5
    assert {execution.order_id for execution in executions} == {order.id}


async def test_1_6_executions_of_many_pages_come_all_and_once_and_can_be_continued(bench: Bench) -> None:
    bench.hold()
    order = await bench.broker.desk.submit(limit("a", "1", qty="250"))
    for _ in range(240):
        bench.fill(order.id, "1", "1")
    first = await bench.broker.account.executions()
    assert len(first) == len({execution.id for execution in first}) == 240
    bench.fill(order.id, "10", "1")
    assert [execution.qty for execution in await bench.broker.account.executions(after=first[-1].page_token)] == [10]
    assert len(await bench.broker.account.executions(since_ns=first[100].time_ns)) == 141


# --- 2. taking orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", EVERY_KIND, ids=lambda request: request.client_order_id)
async def test_2_1_every_kind_of_order_comes_back_as_it_was_sent(bench: Bench, request_: BrokerOrderRequest) -> None:
    bench.hold()
    order = await sent(bench, request_)
    if order is None:
        return
    for field in ("client_order_id", "symbol", "side", "type", "time_in_force", "qty", "notional", "limit_price", "stop_price",
                  "trail_price", "trail_percent", "extended_hours"):  # fmt: skip
        assert getattr(order, field) == getattr(request_, field), field
    assert not order.status.is_final
    assert (order.order_class or "simple") == str(request_.order_class)
    assert len(order.legs) == sum(price is not None for price in (request_.target_price, request_.stop_loss_price))


async def test_2_2_an_oco_protects_a_position(bench: Bench) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    oco = market("oco", side=SELL, type=LIMIT, time_in_force=TimeInForce.GTC, order_class=OrderClass.OCO,
                 target_price=D("420"), stop_loss_price=D("380"))  # fmt: skip
    order = await sent(bench, oco)
    if order is None:
        return
    (leg,) = order.legs
    assert (order.limit_price, leg.type, leg.stop_price, leg.side) == (D(420), OrderType.STOP, D(380), SELL)


async def test_2_3_the_legs_of_a_bracket_live_when_it_fills(bench: Bench) -> None:
    if await sent(bench, market("a", order_class=OrderClass.BRACKET, target_price=D("420"), stop_loss_price=D("380"))) is None:
        return
    await settled(bench, "a", OrderStatus.FILLED)
    (order,) = await bench.broker.orders.orders_since(0)
    assert [(leg.type, leg.status, leg.side) for leg in order.legs] == [
        (LIMIT, OrderStatus.ACCEPTED, SELL),
        (OrderType.STOP, OrderStatus.ACCEPTED, SELL),
    ]
    assert order.legs[0].broker_status == bench.words.working  # of a stop a broker may say that it is held, until the market is there


@pytest.mark.parametrize(
    "wrong",
    [
        {"qty": None},
        {"notional": D(5)},
        {"qty": D(0)},
        {"type": LIMIT},
        {"limit_price": D(5)},
        {"type": OrderType.TRAILING_STOP},
        {"target_price": D(5)},
        {"order_class": OrderClass.BRACKET, "target_price": D(5)},
        {"order_class": OrderClass.OCO, "target_price": D(5), "stop_loss_price": D(4)},
        {"client_order_id": "x" * 49},
        {"client_order_id": ""},
    ],
    ids=str,
)
def test_2_4_an_order_that_contradicts_itself_is_never_made(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        BrokerOrderRequest(**{"client_order_id": "a", "symbol": "SPY", "side": BUY, "qty": D(1), **wrong})  # type: ignore[arg-type]


async def family(bench: Bench, lead: OrderStatus, *legs: OrderStatus) -> BrokerOrder:
    """A bracket as the lists have it, once it and its target and stop are so."""
    async with asyncio.timeout(10):
        while True:
            (order,) = await bench.broker.orders.orders_since(0)
            target, stop = sorted(order.legs, key=lambda leg: leg.type is not LIMIT)
            if (order.status, target.status, stop.status) == (lead, *legs):
                return order


BRACKET = limit("a", "390", order_class=OrderClass.BRACKET, target_price=D("420"), stop_loss_price=D("380"))
S = OrderStatus


async def test_2_5_the_end_of_an_entry_ends_its_legs(bench: Bench) -> None:
    bench.hold()
    order = await sent(bench, BRACKET)
    if order is None:
        return
    await family(bench, S.ACCEPTED, S.ACCEPTED, S.ACCEPTED)
    await bench.broker.desk.cancel(order.id)
    await family(bench, S.CANCELLED, S.CANCELLED, S.CANCELLED)


async def test_2_6_the_fill_of_a_leg_ends_the_other(bench: Bench) -> None:
    bench.hold()
    order = await sent(bench, BRACKET)
    if order is None:
        return
    bench.fill(order.id, "10", "390")
    order = await family(bench, S.FILLED, S.ACCEPTED, S.ACCEPTED)
    target = next(leg for leg in order.legs if leg.type is LIMIT)
    bench.fill(target.id, "10", "420")
    order = await family(bench, S.FILLED, S.FILLED, S.CANCELLED)
    assert await bench.broker.account.positions() == []
    # Legs are found by the broker's id as well, and executions name them by it.
    assert (await bench.broker.orders.order(target.id) or order).id == target.id
    assert [one.order_id for one in await bench.broker.account.executions()] == [order.id, target.id]


async def test_2_7_legs_may_still_fill_while_their_entry_is_filled_in_part(bench: Bench) -> None:
    bench.hold()
    order = await sent(bench, BRACKET)
    if order is None:
        return
    bench.fill(order.id, "4", "390")
    order = await family(bench, S.PARTIALLY_FILLED, S.ACCEPTED, S.ACCEPTED)
    one = await bench.broker.orders.order(order.id)
    assert one is not None
    assert {leg.id for leg in one.legs} == {leg.id for leg in order.legs}  # asked for by itself it names them, too


async def test_2_8_a_leg_takes_another_price_under_an_id_of_ours(bench: Bench) -> None:
    bench.hold()
    order = await sent(bench, BRACKET)
    if order is None:
        return
    stop = next(leg for leg in order.legs if leg.type is not LIMIT)
    new = await bench.broker.desk.replace(stop.id, OrderChange(client_order_id="a.stop.r1", stop_price=D(385)))
    assert (new.client_order_id, new.stop_price, new.status.is_final) == ("a.stop.r1", D(385), False)
    bench.fill(order.id, "10", "390")
    await settled(bench, "a", S.FILLED)
    orders = await bench.broker.orders.orders_since(0)
    lead = next(one for one in orders if one.client_order_id == "a")
    assert "a.stop.r1" in {one.client_order_id for one in (*orders, *lead.legs)}


# --- 3. refusing orders -----------------------------------------------------------------------------------


async def test_2_9_what_may_not_leave_any_more_does_not(bench: Bench) -> None:
    with pytest.raises(NotSent):
        await bench.broker.desk.submit(limit("withheld", "390"), lambda: False)
    assert await bench.broker.orders.order_by_client_id("withheld") is None
    order = await bench.broker.desk.submit(limit("ours", "390"), lambda: True)
    with pytest.raises(NotSent):
        await bench.broker.desk.replace(order.id, OrderChange(client_order_id="ours.r1", limit_price=D(391)), lambda: False)
    assert await bench.broker.orders.order_by_client_id("ours.r1") is None
    assert [one.limit_price for one in await bench.broker.orders.open_orders()] == [D(390)]


async def test_3_1_a_refusal_keeps_the_brokers_code_and_words_and_adds_ours(bench: Bench) -> None:
    for request, reason, status, code, words in bench.refused:
        with pytest.raises(BrokerRefused) as refused:
            await bench.broker.desk.submit(request)
        error = refused.value
        assert (error.reason, error.status, error.broker_code) == (reason, status, code), request
        assert words in error.words
        assert words in str(error)
        assert await bench.broker.orders.order_by_client_id("a") is None
    assert await bench.broker.orders.orders_since(0) == []


async def test_3_2_an_id_of_ours_is_taken_once(bench: Bench) -> None:
    await bench.broker.desk.submit(limit("a", "390"))
    with pytest.raises(BrokerRefused) as refused:
        await bench.broker.desk.submit(limit("a", "390"))
    assert refused.value.reason == RefusalReason.CLIENT_ORDER_ID_TAKEN
    assert len(await bench.broker.orders.open_orders()) == 1


async def test_3_3_no_more_is_sold_than_is_there(bench: Bench) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    if bench.judges_at_once:
        with pytest.raises(BrokerRefused) as refused:
            await bench.broker.desk.submit(market("b", side=SELL, qty="11"))
        assert refused.value.reason == RefusalReason.QUANTITY_HELD
    else:
        await bench.broker.desk.submit(market("b", side=SELL, qty="11"))
        await settled(bench, "b", OrderStatus.REJECTED)
    assert [position.qty for position in await bench.broker.account.positions()] == [10]


async def test_3_4_an_order_against_ones_own_is_refused_where_the_broker_sees_a_wash_trade(bench: Bench) -> None:
    await bench.broker.desk.submit(market("held"))
    await settled(bench, "held", OrderStatus.FILLED)
    bench.hold()
    await bench.broker.desk.submit(limit("a", "390"))
    if bench.refuses_own_opposite:
        with pytest.raises(BrokerRefused) as refused:
            await bench.broker.desk.submit(limit("b", "390", side=SELL))
        assert refused.value.reason == RefusalReason.WASH_TRADE
    else:
        assert not (await bench.broker.desk.submit(limit("b", "390", side=SELL))).status.is_final


async def test_3_5_an_order_may_be_rejected_after_it_was_taken(bench: Bench) -> None:
    bench.hold()
    order = await bench.broker.desk.submit(market("a"))
    bench.end(order.id, "rejected")
    assert (await settled(bench, "a", OrderStatus.REJECTED)).broker_status == bench.words.rejected


async def test_3_6_a_working_sale_holds_its_units_back_where_that_is_declared(bench: Bench) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    await bench.broker.desk.submit(limit("b", "9000", side=SELL))
    await settled(bench, "b", OrderStatus.ACCEPTED)
    if not bench.features.holds_units:
        await bench.broker.desk.submit(market("c", side=SELL))
        await settled(bench, "c", OrderStatus.FILLED)
    elif bench.judges_at_once:
        with pytest.raises(BrokerRefused) as refused:
            await bench.broker.desk.submit(market("c", side=SELL))
        assert refused.value.reason == RefusalReason.QUANTITY_HELD
    else:
        await bench.broker.desk.submit(market("c", side=SELL))
        await settled(bench, "c", OrderStatus.REJECTED)


# --- 4. fills ---------------------------------------------------------------------------------------------


async def test_4_1_partial_fills_add_up(bench: Bench) -> None:
    bench.hold()
    order = await bench.broker.desk.submit(limit("a", "400.01"))
    bench.fill(order.id, "4", "400.00")
    part = await settled(bench, "a", OrderStatus.PARTIALLY_FILLED)
    assert (part.filled_qty, part.avg_fill_price) == (D(4), D("400"))
    bench.fill(order.id, "6", "400.01")
    whole = await settled(bench, "a", OrderStatus.FILLED)
    assert (whole.filled_qty, whole.avg_fill_price) == (D(10), D("400.006"))


async def test_4_2_an_amount_of_money_is_filled_in_fractions(bench: Bench) -> None:
    if await sent(bench, market("a", qty=None, notional=D("1000"))) is None:
        return
    order = await settled(bench, "a", OrderStatus.FILLED)
    assert order.qty is None
    assert 0 <= D(1000) / D("400.01") - order.filled_qty < D("0.000000001")


# --- 5. cancelling and changing ---------------------------------------------------------------------------


async def test_5_1_a_cancel_is_a_wish_until_the_broker_grants_it(bench: Bench) -> None:
    bench.hold()
    if bench.cancels_slowly:
        bench.grant_cancels(slowly=True)
    order = await bench.broker.desk.submit(limit("a", "390"))
    await bench.broker.desk.cancel(order.id)
    if not bench.cancels_slowly:
        assert (await settled(bench, "a", OrderStatus.CANCELLED)).broker_status == bench.words.cancelled
        return
    wished = await bench.broker.orders.order(order.id)
    assert wished is not None
    assert (wished.status, wished.broker_status) == (OrderStatus.ACCEPTED, bench.words.wished)
    bench.fill(order.id, "10", "390")
    assert (await settled(bench, "a", OrderStatus.FILLED)).filled_qty == 10


async def test_5_2_what_is_over_cannot_be_cancelled(bench: Bench) -> None:
    order = await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    with pytest.raises(BrokerRefused) as refused:
        await bench.broker.desk.cancel(order.id)
    assert refused.value.reason == RefusalReason.ORDER_FINAL


async def test_5_3_an_order_nobody_knows_cannot_be_cancelled(bench: Bench) -> None:
    with pytest.raises(BrokerRefused) as refused:
        await bench.broker.desk.cancel("nobody")
    assert refused.value.reason == RefusalReason.ORDER_UNKNOWN


async def test_5_4_a_change_makes_a_new_order_and_the_fills_stay_with_the_old(bench: Bench) -> None:
    bench.hold()
    old = await bench.broker.desk.submit(limit("a", "390"))
    bench.fill(old.id, "3", "390")
    new = await bench.broker.desk.replace(old.id, OrderChange(client_order_id="b", qty=D("7"), limit_price=D("391")))
    assert (new.client_order_id, new.replaces, new.qty, new.limit_price, new.filled_qty) == ("b", old.id, D(7), D(391), D(0))
    over = await settled(bench, "a", OrderStatus.CANCELLED)
    assert (over.broker_status, over.replaced_by, over.filled_qty) == (bench.words.replaced, new.id, D(3))
    assert over.is_replaced


async def test_5_5_a_fill_may_win_over_a_change(bench: Bench) -> None:
    bench.hold()
    order = await bench.broker.desk.submit(limit("a", "390"))
    bench.fill(order.id, "10", "390")
    await settled(bench, "a", OrderStatus.FILLED)
    with pytest.raises(BrokerRefused) as refused:
        await bench.broker.desk.replace(order.id, OrderChange(client_order_id="b", limit_price=D("391")))
    assert refused.value.reason == RefusalReason.ORDER_FINAL


async def test_5_6_all_open_orders_are_cancelled_and_those_that_are_not_are_named(bench: Bench) -> None:
    bench.hold()
    for number in range(3):
        await bench.broker.desk.submit(limit(f"a{number}", "390"))
    if not bench.cancels_slowly:
        assert await bench.broker.desk.cancel_all() == []
        assert await bench.broker.orders.open_orders() == []
        return
    bench.grant_cancels(slowly=True)
    stubborn = (await bench.broker.orders.open_orders())[0]
    await bench.broker.desk.cancel(stubborn.id)
    bench.grant_cancels(slowly=False)
    assert await bench.broker.desk.cancel_all() == [stubborn.id]
    assert [order.id for order in await bench.broker.orders.open_orders()] == [stubborn.id]


@pytest.mark.parametrize(("qty", "left"), [(None, []), ("4", [D(6)])])
async def test_5_7_a_position_is_closed_by_an_order_with_our_id(bench: Bench, qty: str | None, left: list[Decimal]) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)
    order = await bench.broker.desk.close_position("SPY", "close", None if qty is None else D(qty))
    assert (order.client_order_id, order.side) == ("close", SELL)
    await settled(bench, "close", OrderStatus.FILLED)
    assert [position.qty for position in await bench.broker.account.positions()] == left


async def test_5_8_what_is_not_held_cannot_be_closed(bench: Bench) -> None:
    with pytest.raises(BrokerRefused) as refused:
        await bench.broker.desk.close_position("SPY", "close")
    assert refused.value.reason == RefusalReason.POSITION_UNKNOWN


# --- 6. finding orders again ------------------------------------------------------------------------------


async def test_6_1_an_order_is_found_by_either_id_and_an_unknown_one_is_none(bench: Bench) -> None:
    sent = await bench.broker.desk.submit(limit("a", "390"))
    for found in (await bench.broker.orders.order(sent.id), await bench.broker.orders.order_by_client_id("a")):
        assert found is not None
        assert found.id == sent.id
    assert await bench.broker.orders.order("nobody") is None
    assert await bench.broker.orders.order_by_client_id("nobody") is None


@pytest.mark.parametrize("step_ns", [1_000_001, 0], ids=["apart", "hundreds in one instant"])
async def test_6_2_more_orders_than_a_page_come_all_and_once(bench: Bench, step_ns: int) -> None:
    bench.hold()
    await bench.place_many(1_100, step_ns)
    for orders in (await bench.broker.orders.open_orders(), await bench.broker.orders.orders_since(0)):
        assert sorted(order.client_order_id for order in orders) == sorted(f"o{number}" for number in range(1_100))


async def test_6_3_orders_since_an_instant_count_that_instant_in(bench: Bench) -> None:
    bench.hold()
    sent = [await bench.broker.desk.submit(limit(f"a{number}", "390")) for number in range(3)]
    found = await bench.broker.orders.orders_since(sent[1].submitted_ns)
    assert [order.client_order_id for order in found] == ["a2", "a1"]


@pytest.mark.parametrize(("by_price", "by_percent", "first", "last"), [(D(5), None, 405, D(395)), (None, D(1), 404, D("393.9"))])
async def test_6_4_a_trailing_stop_says_where_the_market_has_moved_it(
    bench: Bench, by_price: Decimal | None, by_percent: Decimal | None, first: int, last: Decimal
) -> None:
    bench.quote("SPY", "399.98", "400")
    order = await sent(bench, market("ts", type=OrderType.TRAILING_STOP, trail_price=by_price, trail_percent=by_percent))
    if order is None:
        return
    id_ = order.id

    async def stands_at() -> Decimal | None:
        (order,) = await bench.broker.orders.open_orders()
        assert (order.id, order.stop_price) == (id_, None)  # what it was sent with is another matter
        return order.trigger_price

    assert await stands_at() in {first, None}  # None: it has not met the market yet
    async with asyncio.timeout(10):  # whoever listens may begin to a moment later
        while await stands_at() != last:
            bench.quote("SPY", "389.98", "390")
            await asyncio.sleep(0)
    bench.quote("SPY", "391.98", "392")
    assert await stands_at() == last  # it does not move back
