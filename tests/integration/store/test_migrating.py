"""Making the tables when several programs do it at once, and when one is killed in the middle."""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import inspect

from core.store.database import database_at
from core.store.migration import _upgrade
from core.store.transaction import transaction
from tests.contract.samples import note
from tests.integration.store.writers import Place, other_process


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database without tables."""
    url = tmp_path / "desk.db" if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url")
    return Place(url, tmp_path)


def stop_half_way(place: Place, told: Connection) -> None:
    """Make the tables, and stand still before they are committed."""
    database = database_at(place.url, 30.0)
    engine = database.writing_engine()
    with engine.connect() as connection, transaction(connection, alone=True):
        assert inspect(connection).get_table_names() == []
        _upgrade(connection, database)
        told.send("made")
        told.recv()


async def test_a_migration_that_is_killed_half_way_leaves_nothing_and_is_made_again(empty: Place) -> None:
    with other_process(stop_half_way, empty) as other:
        assert await asyncio.to_thread(other.pipe.recv) == "made"
        store = empty.store(busy_timeout_s=30.0)
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(store.open())  # waits for the other, which will never be done
            await asyncio.sleep(0)
            assert not opening.done()
            other.process.kill()
            other.process.join()
    assert [event.seq for event in await store.log.append([note("a")])] == [1]
    await store.close()


async def test_desks_that_make_the_tables_at_once_all_open(empty: Place) -> None:
    stores = [empty.store(busy_timeout_s=30.0) for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for store in stores:
            group.create_task(store.open())
    for number, store in enumerate(stores, 1):
        assert [event.seq for event in await store.log.append([note("a")])] == [number]
        await store.close()
