"""What another process appends is told here: in the order of the log, nothing left out, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.events.envelope import Envelope
from core.store.database import DatabaseStore
from tests.contract.samples import created, note
from tests.contract.test_event_log import progress
from tests.integration.store.writers import Place, append_many, other_process
from tests.strictness.log_guard import AllowLog

BATCHES = 40


class Hearer:
    """Keeps what it is told, and tells when it is enough."""

    def __init__(self) -> None:
        self.events: list[Envelope] = []
        self._wanted = 0
        self._enough = asyncio.Event()

    def __call__(self, event: Envelope) -> None:
        self.events.append(event)
        if len(self.events) >= self._wanted:
            self._enough.set()

    async def wait_for(self, count: int) -> None:
        """Return once so many were told."""
        self._wanted = count
        if len(self.events) < count:
            self._enough.clear()
            await self._enough.wait()

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.events]


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[DatabaseStore]:
    store = place.store()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_events_of_another_process_are_told_whole_and_in_order(place: Place) -> None:
    async with opened(place) as store:
        heard = Hearer()
        with store.log.subscribe("*", heard, owner="test"), other_process(append_many, (place, "a", BATCHES)) as other:
            await heard.wait_for(3 * BATCHES)
            assert await asyncio.to_thread(other.pipe.recv) == "done"
        assert heard.events == await store.log.read()
        assert heard.seqs == list(range(1, 3 * BATCHES + 1))


async def test_own_and_foreign_events_are_told_in_one_order_and_none_twice(place: Place) -> None:
    async with opened(place) as store:
        heard = Hearer()
        total = 3 * BATCHES * 3
        with (
            store.log.subscribe("*", heard, owner="test"),
            other_process(append_many, (place, "a", BATCHES)),
            other_process(append_many, (place, "b", BATCHES)),
        ):
            for number in range(BATCHES):
                appended = await store.log.append([note(f"here-{number}-{index}") for index in range(3)])
                at = appended[0].seq - 1
                assert heard.events[at : at + 3] == appended  # told before the append returns, as in one process
            await heard.wait_for(total)
        assert heard.seqs == list(range(1, total + 1))
        assert heard.events == await store.log.read(limit=total)


async def test_what_was_there_before_is_not_told(place: Place) -> None:
    async with opened(place) as one:
        await one.log.append([note("old")])
        async with opened(place) as other:
            heard = Hearer()
            with other.log.subscribe("*", heard, owner="test"):
                await one.log.append([note("new")])
                await heard.wait_for(1)
            assert heard.seqs == [2]


async def test_a_pattern_and_a_run_hold_for_foreign_events_too(place: Place) -> None:
    async with opened(place) as one, opened(place) as other:
        of_run, everything = Hearer(), Hearer()
        with (
            other.log.subscribe("strategy.*", of_run, owner="test", run_id="b"),
            other.log.subscribe("*", everything, owner="test"),
        ):
            await one.log.append([note("1", run_id="a"), note("2", run_id="b")])
            await everything.wait_for(2)
        assert of_run.seqs == [2]


async def test_more_than_a_page_arrives_whole(place: Place) -> None:
    async with opened(place) as one, opened(place) as other:
        heard = Hearer()
        with other.log.subscribe("*", heard, owner="test"):
            await one.log.append([note(str(number)) for number in range(9_000)])
            await heard.wait_for(9_000)
        assert heard.seqs == list(range(1, 9_001))


async def test_a_subscriber_that_fails_at_a_foreign_event_is_an_event_too(place: Place, allow_log: AllowLog) -> None:
    allow_log("raised at strategy.Noted")

    def fail(event: Envelope) -> None:
        raise ValueError("no figures")

    async with opened(place) as one, opened(place) as other:
        failures = Hearer()
        with (
            other.log.subscribe("strategy.*", fail, owner="panel"),
            one.log.subscribe("system.*", failures, owner="test"),
        ):
            await one.log.append([note("a")])
            await failures.wait_for(1)
        assert [event.type for event in await one.log.read()] == ["strategy.Noted", "system.SubscriberFailed"]


async def test_progress_is_told_to_other_desks_and_stored_nowhere(postgres_url: str, tmp_path: Path) -> None:
    place = Place(postgres_url, tmp_path)
    async with opened(place) as one, opened(place) as other:
        here, there = Hearer(), Hearer()
        with one.log.subscribe("run.*", here, owner="test"), other.log.subscribe("run.*", there, owner="test"):
            await one.log.append([created()])
            await there.wait_for(1)  # from now on it listens: what is not stored is told only to those who are there
            one.log.announce([progress()])
            one.log.announce([progress()])  # too soon after the first to be sent
            await there.wait_for(2)
            await one.log.append([note("end")])
        assert [event.type for event in here.events] == ["run.Created", "run.Progressed", "run.Progressed"]
        assert [event.type for event in there.events] == ["run.Created", "run.Progressed"]
        assert there.events[1] == here.events[1]
        assert [event.type for event in await other.log.read()] == ["run.Created", "strategy.Noted"]
