"""Every suite here runs on each home of the data; a test cannot tell which."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.events.codec import EventCodec
from core.ports import Store
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
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
