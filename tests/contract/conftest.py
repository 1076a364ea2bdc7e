"""Every suite here runs on each home of the data, or on each broker; a test cannot tell which."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.events.codec import EventCodec
from core.ports import Store
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from tests.broker.bench import AlpacaBench, Bench, DistantBench, fake_broker
from tests.broker.harbour.bench import HarbourBench
from tests.broker.harbour.server import FakeHarbour
from tests.broker.inside_bench import SimBench, paper_bench
from tests.broker.server import FakeBroker
from tests.contract.samples import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def codec() -> EventCodec:
    """Holds little, so that a test need not write a megabyte."""
    return EventCodec(max_payload_bytes=2_000)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock, codec: EventCodec) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "memory":
        opened = MemoryStore(clock, codec=codec)
    elif request.param == "sqlite":
        opened = DatabaseStore(tmp_path / "desk.db", clock, codec=codec)
    else:
        opened = DatabaseStore(request.getfixturevalue("postgres_url"), clock, codec=codec, locks=tmp_path)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        yield running


@pytest.fixture
def harbour() -> Iterator[FakeHarbour]:
    with FakeHarbour().running() as running:
        yield running


@pytest.fixture(params=["alpaca", "paper", "sim", "harbour"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "paper":
        async with paper_bench() as made:
            yield made
        return
    opened: Bench = SimBench() if request.param == "sim" else _distant(request)
    try:
        yield opened
    finally:
        await opened.broker.close()


@pytest.fixture(params=["alpaca", "harbour"])
async def distant(request: pytest.FixtureRequest) -> AsyncIterator[DistantBench]:
    opened = _distant(request)
    try:
        yield opened
    finally:
        await opened.broker.close()


def _distant(request: pytest.FixtureRequest) -> DistantBench:
    if request.param == "alpaca":
        return AlpacaBench(request.getfixturevalue("server"))
    return HarbourBench(request.getfixturevalue("harbour"))
