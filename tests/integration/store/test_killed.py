"""A process that is killed while it writes leaves whole units of work, and all that it was told are committed."""

import random

import pytest
from sqlalchemy import Connection

from core.store.dialect import database_of, execute
from tests.contract.samples import KEY, bars, same_bars
from tests.integration.store.writers import (
    BAR_MINUTES,
    EVENTS_PER_UNIT,
    ORDERS_PER_UNIT,
    Place,
    append_for_ever,
    merge_for_ever,
    other_process,
)

_NORMAL = 30
_SOAK = 300
_ROUNDS = [_NORMAL, pytest.param(_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])]


def outlast_its_commit(connection: Connection) -> None:
    """Wait for a server that still carries out what the dead one asked for last: whoever appends holds this row until the commit."""
    execute(connection, "SELECT seq FROM log_head" + database_of(connection).sql.for_update).fetchone()


@pytest.mark.parametrize("rounds", _ROUNDS)
async def test_killed_while_appending(place: Place, rounds: int) -> None:
    chance, committed = random.Random(5), -1
    for _ in range(rounds):
        with other_process(append_for_ever, place) as other:
            owner = other.pipe.recv()
            for _ in range(chance.randint(0, 4)):
                committed = other.pipe.recv()
            other.process.join(chance.uniform(0, 0.02))  # anywhere in a unit of work
            committed = max([committed, *other.kill()])

        store = place.store()
        await store.open()
        try:
            assert not store.is_alive(owner)
            await store._threads.write_and_wait(outlast_its_commit)
            runs = await store.runs.runs()
            # The last one may be committed without having been told.
            assert len(runs) - 1 in {committed, committed + 1}
            events = await store.log.read(limit=1_000_000)
            assert [event.seq for event in events] == list(range(1, EVENTS_PER_UNIT * len(runs) + 1))
            for run in runs[:3]:
                assert len(await store.runs.orders(run.id)) == ORDERS_PER_UNIT
                assert await store.runs.result(run.id) is not None
            committed = len(runs) - 1
        finally:
            await store.close()


@pytest.mark.parametrize("rounds", _ROUNDS)
async def test_killed_while_merging_bars(place: Place, rounds: int) -> None:
    chance, committed = random.Random(6), -1
    for _ in range(rounds):
        with other_process(merge_for_ever, place) as other:
            other.pipe.recv()
            for _ in range(chance.randint(0, 3)):
                committed = other.pipe.recv()
            other.process.join(chance.uniform(0, 0.02))
            committed = max([committed, *other.kill()])

        store = place.store()
        await store.open()
        try:
            held = await store.bars.read(KEY)
            price = int(held.close[0]) if len(held) else -1
            assert price in {committed, committed + 1}
            assert same_bars(held, bars(BAR_MINUTES if price >= 0 else [], float(price)))
            assert [item.bars for item in await store.bars.sets()] == ([len(BAR_MINUTES)] if price >= 0 else [])
            committed = price
        finally:
            await store.close()
