"""A fake broker and a connection to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.broker.bench import HASTY, AlpacaBench, fake_broker
from tests.broker.server import FakeBroker


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        yield running


@pytest.fixture
async def bench(server: FakeBroker) -> AsyncIterator[AlpacaBench]:
    made = AlpacaBench(server, HASTY)
    try:
        yield made
    finally:
        await made.broker.close()
