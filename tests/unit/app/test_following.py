"""Where the end of the log and what comes after it meet: nothing is left out there, and nothing printed twice."""

import asyncio
from contextlib import suppress

from app.following import Follower
from core.clock.realtime import SystemClock
from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.events.memory import MemoryEventLog
from core.ports import Callback, Subscription
from tests.contract.samples import note


class BusyLog:
    """A log to which somebody appends right before its end is read, and right after."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.log = MemoryEventLog(now_ns=clock.now_ns, monotonic_ns=clock.monotonic_ns, codec=EventCodec())

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> Subscription:
        return self.log.subscribe(pattern, callback, owner=owner, run_id=run_id)

    async def events_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        await self.log.append([note("before it is read")])
        found = await self.log.read_back(before_seq=before_seq, run_id=run_id, pattern=pattern, limit=limit)
        await self.log.append([note("after it was read")])
        self.log.announce([note("not stored")])
        return found


async def followed(limit: int) -> list[int]:
    """The numbers that are printed."""
    busy, seqs = BusyLog(), list[int]()
    await busy.log.append([note("old"), note("old too")])
    caught_up, done = asyncio.Event(), asyncio.Event()

    def say(event: Envelope) -> None:
        seqs.append(event.seq)
        if event.seq == 4:
            caught_up.set()
        if event.seq == 5:
            done.set()

    async with asyncio.TaskGroup() as group:
        following = group.create_task(Follower(say).follow(busy, run_id=None, pattern="*", limit=limit))
        await caught_up.wait()
        await busy.log.append([note("last")])
        await done.wait()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    assert not busy.log.subscriptions()
    return seqs


async def test_what_is_heard_while_the_end_is_read_is_printed_once() -> None:
    assert await followed(limit=50) == [1, 2, 3, 4, 5]


async def test_the_end_is_no_longer_than_asked() -> None:
    assert await followed(limit=1) == [3, 4, 5]


async def test_no_end_at_all_begins_after_what_was_there() -> None:
    assert await followed(limit=0) == [4, 5]
