"""What every adapter to a broker far away makes of what goes wrong on the way: case 9 of the contract. See `test_broker.py`."""

import asyncio
from decimal import Decimal

import pytest

from core.errors import BrokerError, BrokerUnreachable, KeysRefused, OutcomeUnknown
from core.model.broker import OrderChange, StreamState
from tests.broker.bench import DistantBench, listening
from tests.contract.order_kinds import limit

D = Decimal


async def test_9_1_an_order_whose_answer_is_lost_left_once_and_is_found_by_our_id(distant: DistantBench) -> None:
    distant.hold()
    distant.lose_answer()
    with pytest.raises(OutcomeUnknown) as unknown:
        await distant.broker.desk.submit(limit("a", "390"))
    assert unknown.value.client_order_id == "a"
    found = await distant.broker.orders.order_by_client_id("a")
    assert found is not None
    assert [order.id for order in await distant.broker.orders.orders_since(0)] == [found.id]


async def test_9_2_so_does_a_change(distant: DistantBench) -> None:
    distant.hold()
    old = await distant.broker.desk.submit(limit("a", "390"))
    distant.lose_answer()
    with pytest.raises(OutcomeUnknown) as unknown:
        await distant.broker.desk.replace(old.id, OrderChange(client_order_id="b", limit_price=D(391)))
    assert unknown.value.client_order_id == "b"
    found = await distant.broker.orders.order_by_client_id("b")
    assert found is not None
    assert (found.limit_price, found.replaces) == (D(391), old.id)


async def test_9_3_where_nobody_is_nothing_left(distant: DistantBench) -> None:
    asked = []

    def may_leave() -> bool:
        asked.append("a")
        return True

    await distant.broker.account.account()  # there was a connection before
    with distant.unreachable(), pytest.raises(BrokerUnreachable):
        await distant.broker.desk.submit(limit("a", "390"), may_leave)
    assert asked == []  # the connection comes first
    assert await distant.broker.orders.order_by_client_id("a") is None


async def test_9_4_refused_keys_end_everything_and_are_in_no_sentence(distant: DistantBench) -> None:
    distant.revoke()
    streams = distant.broker.streams
    calls = [
        distant.broker.account.account(),
        distant.broker.desk.submit(limit("a", "390")),
        streams.order_updates(lambda _: None, lambda _: None),
    ]
    for call in calls:
        with pytest.raises(KeysRefused) as refused:
            async with asyncio.timeout(10):
                await call
        assert not any(secret in str(refused.value) + repr(refused.value) for secret in distant.keys)


async def test_9_5_a_stream_that_is_cut_says_so_and_comes_back(distant: DistantBench) -> None:
    distant.hold()
    async with listening(distant.broker.streams.order_updates) as ear:
        distant.cut()
        assert (await ear.until(StreamState.LOST)).said
        await ear.until(StreamState.LISTENING)
        await distant.broker.desk.submit(limit("after", "390"))
        assert (await ear.next()).order.client_order_id == "after"


async def test_9_6_only_the_broker_says_that_there_is_no_such_order(distant: DistantBench) -> None:
    await distant.broker.account.account()
    distant.lead_astray()
    with pytest.raises(BrokerError):
        await distant.broker.orders.order_by_client_id("a")
