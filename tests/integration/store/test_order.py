"""seq order is commit order, whoever appends: a reader that tails the log skips nothing."""

import asyncio

from tests.contract.samples import note
from tests.integration.store.writers import Place, append_many, other_process

PROCESSES = 3
BATCHES = 60


async def test_a_tailing_reader_never_misses_a_seq_while_several_processes_append(place: Place) -> None:
    store = place.store()
    await store.open()
    seen: list[tuple[int, str]] = []

    async def tail(until: asyncio.Event) -> None:
        while True:
            is_last = until.is_set()
            page = await store.log.read(after_seq=seen[-1][0] if seen else 0, limit=100_000)
            # The reader asks for what comes after the last it saw: a seq committed late, below one it saw already, would be lost.
            seen.extend((event.seq, event.id) for event in page)
            if is_last:
                return

    async def append() -> None:
        for number in range(BATCHES):
            await store.log.append([note(f"here-{number}-{index}") for index in range(3)])

    done = asyncio.Event()
    try:
        with (
            other_process(append_many, (place, "a", BATCHES)) as first,
            other_process(append_many, (place, "b", BATCHES)) as second,
            other_process(append_many, (place, "c", BATCHES)) as third,
        ):
            async with asyncio.TaskGroup() as group:
                tailing = group.create_task(tail(done))
                appending = group.create_task(append())
                for other in (first, second, third):
                    assert await asyncio.to_thread(other.pipe.recv) == "done"
                await appending
                done.set()
                await tailing
    finally:
        await store.close()

    assert [seq for seq, _ in seen] == list(range(1, 3 * BATCHES * (PROCESSES + 1) + 1))
    for name in ("a", "b", "c", "here"):
        mine = [event_id for _, event_id in seen if event_id.startswith(f"note-{name}-")]
        assert mine == [f"note-{name}-{number}-{index}" for number in range(BATCHES) for index in range(3)]
