"""What the documents' adapter makes of what only Harbour has: sessions that end, and updates with a number."""

from collections.abc import AsyncIterator, Iterator

import pytest

from core.errors import BrokerUnreachable
from core.model.broker import StreamState
from core.model.order import OrderType
from tests.broker.bench import buy, listening
from tests.broker.harbour.bench import D, HarbourBench
from tests.broker.harbour.server import FakeHarbour


@pytest.fixture
def harbour() -> Iterator[FakeHarbour]:
    with FakeHarbour().running() as running:
        yield running


@pytest.fixture
async def at(harbour: FakeHarbour) -> AsyncIterator[HarbourBench]:
    made = HarbourBench(harbour)
    try:
        yield made
    finally:
        await made.broker.close()


async def test_a_session_that_ended_is_begun_anew_and_no_order_is_sent_twice(at: HarbourBench, harbour: FakeHarbour) -> None:
    await at.broker.account.account()
    harbour.do(harbour.tokens.clear)
    assert await at.broker.account.positions() == []
    assert harbour.logins == 2
    harbour.do(harbour.tokens.clear)
    with pytest.raises(BrokerUnreachable, match="did not take it"):
        await at.broker.desk.submit(buy("a"))
    assert await at.broker.orders.orders_since(0) == []
    await at.broker.desk.submit(buy("b"))
    assert harbour.logins == 3


async def test_a_hole_in_the_numbers_is_a_lost_connection(at: HarbourBench, harbour: FakeHarbour) -> None:
    at.hold()
    async with listening(at.broker.streams.order_updates) as ear:
        harbour.do(lambda: setattr(harbour, "skip_update", True))
        for id_ in ("a", "b", "c"):
            await at.broker.desk.submit(buy(id_, type=OrderType.LIMIT, limit_price=D(390)))
            if id_ == "b":
                assert (await ear.until(StreamState.LOST)).said == "Harbour's updates 1 to 1 did not come."
                await ear.until(StreamState.LISTENING)
        assert (await ear.next()).order.client_order_id == "c"


async def test_a_stream_whose_session_ended_logs_in_anew(at: HarbourBench, harbour: FakeHarbour) -> None:
    async with listening(at.broker.streams.order_updates) as ear:

        def end() -> None:
            harbour.tokens.clear()
            harbour.cut()

        harbour.do(end)
        assert (await ear.until(StreamState.LOST)).said
        assert (await ear.until(StreamState.LOST)).said == "Harbour let us not in: log in first."
        await ear.until(StreamState.LISTENING)
    assert harbour.logins == 2
