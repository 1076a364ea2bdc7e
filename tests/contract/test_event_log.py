"""The contract of `EventLog`, on every log."""

import asyncio

import pytest

from core.errors import BugError, InvalidValue
from core.events.dispatch import fits
from core.events.envelope import Envelope, envelope
from core.events.payloads import RunProgressed, SubscriberFailed
from core.ports import Store, Subscription
from tests.contract.samples import NOW_NS, Odd, StillClock, created, filled, note, ordered, run
from tests.strictness.log_guard import AllowLog


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Envelope] = []

    def __call__(self, event: Envelope) -> None:
        self.events.append(event)

    @property
    def texts(self) -> list[str]:
        return [getattr(event.payload, "text", event.type) for event in self.events]


def progress() -> Envelope:
    payload = RunProgressed(bars=1, bars_total=2, time_ns=NOW_NS, equity=1.0, elapsed_s=0.1)
    return envelope(payload, id="p", ts=NOW_NS, producer="runs", run_id="run-1")


# --- appending and reading ---


async def test_appended_events_come_back_in_order_with_their_seq(store: Store) -> None:
    first = await store.log.append([created(), note("a"), ordered("o-1")])
    second = await store.log.append([filled("o-1")])

    assert [event.seq for event in [*first, *second]] == [1, 2, 3, 4]
    assert await store.log.read() == [*first, *second]
    assert [event.seq for event in await store.log.read(after_seq=2)] == [3, 4]
    assert [event.seq for event in await store.log.read(after_seq=1, limit=2)] == [2, 3]
    assert await store.log.read(after_seq=4) == []


async def test_an_event_keeps_what_it_is_joined_to(store: Store) -> None:
    cause = note("cause")
    await store.log.append([cause, note("effect", cause=cause)])

    effect = (await store.log.read())[1]
    assert (effect.corr_id, effect.causation_id, effect.trace_id) == (cause.corr_id, cause.id, "tick-1")
    assert (effect.producer, effect.ts, effect.version, effect.run_id) == ("strategy", NOW_NS, 1, "run-1")


@pytest.mark.parametrize("count", [1, 19, 60])
async def test_any_text_comes_back_as_it_was(store: Store, count: int) -> None:
    odd = ["tab\tstop", "two\nlines", "\r", "\\N", "\\", "\\.", "'quoted' \"twice\"", "é 漢 🙂", "$1 %s ? {}", ""]
    events = [
        envelope(note(odd[at % len(odd)]).payload, id=f"{at}{odd[at % len(odd)]}", ts=at, producer=odd[at % len(odd)], trace_id=None)
        for at in range(count)
    ]
    stored = await store.log.append(events)
    assert await store.log.read() == list(stored)
    assert [(event.id, event.producer, event.payload) for event in stored] == [(one.id, one.producer, one.payload) for one in events]


async def test_read_filters_by_run_and_by_pattern(store: Store) -> None:
    await store.log.append([created("a"), created("b"), ordered("o-1", "a"), filled("o-1", "a"), note("x", run_id=None)])

    async def found(**asked: object) -> list[int]:
        return [event.seq for event in await store.log.read(**asked)]  # type: ignore[arg-type]

    assert await found(run_id="a") == [1, 3, 4]
    assert await found(pattern="orders.*") == [3, 4]
    assert await found(pattern="orders.Filled") == [4]
    assert await found(pattern="run.*", run_id="b") == [2]
    assert await found(pattern="run.*", run_id="none") == []
    assert await found(pattern="order.*") == []
    assert await found(pattern="orders.*", after_seq=3) == [4]


async def test_read_back_returns_the_newest_oldest_first(store: Store) -> None:
    await store.log.append([created("a"), created("b"), ordered("o-1", "a"), filled("o-1", "a"), note("x", run_id=None)])

    async def found(**asked: object) -> list[int]:
        return [event.seq for event in await store.log.read_back(**asked)]  # type: ignore[arg-type]

    assert await store.log.read_back() == await store.log.read()
    assert await found(limit=2) == [4, 5]
    assert await found(before_seq=4, limit=2) == [2, 3]
    assert await found(before_seq=4, run_id="a") == [1, 3]
    assert await found(pattern="run.*", limit=1) == [2]
    assert await found(before_seq=1) == []
    assert await found(pattern="order.*") == []


async def test_read_back_goes_over_any_number_of_events(store: Store) -> None:
    await store.log.append([note(str(number)) for number in range(2_500)])
    assert [event.seq for event in await store.log.read_back(limit=2_300)] == list(range(201, 2_501))
    assert [event.seq for event in await store.log.read_back(before_seq=2_400, limit=5_000)] == list(range(1, 2_400))


async def test_find_returns_one_event_or_none(store: Store) -> None:
    await store.log.append([note("a"), note("b")])

    found = await store.log.find(2)
    assert found is not None
    assert found.payload == note("b").payload
    assert await store.log.find(3) is None
    assert await store.log.find(0) is None


async def test_appending_nothing_does_nothing(store: Store) -> None:
    assert list(await store.log.append([])) == []
    assert [event.seq for event in await store.log.append([note("a")])] == [1]


async def test_appenders_of_several_tasks_each_keep_their_order(store: Store) -> None:
    heard = Listener()

    async def append(name: str) -> None:
        for number in range(20):
            await store.log.append([note(f"{name}-{number}")])

    with store.log.subscribe("*", heard, owner="test"):
        async with asyncio.TaskGroup() as group:
            for name in "abcde":
                group.create_task(append(name))

    stored = await store.log.read()
    assert [event.seq for event in stored] == list(range(1, 101))
    assert heard.events == stored
    for name in "abcde":
        assert [text for text in heard.texts if text.startswith(name)] == [f"{name}-{number}" for number in range(20)]


# --- what is refused ---


async def test_an_unregistered_event_is_refused_and_nothing_of_its_batch_is_kept(store: Store) -> None:
    heard = Listener()
    with store.log.subscribe("*", heard, owner="test"), pytest.raises(BugError, match=r"strategy\.OddOneOfATest"):
        await store.log.append([note("a"), envelope(Odd(text="x"), id="1", ts=1, producer="test")])

    assert await store.log.read() == []
    assert heard.events == []
    assert [event.seq for event in await store.log.append([note("b")])] == [1]


async def test_a_payload_that_is_too_large_is_refused_in_plain_words(store: Store) -> None:
    with pytest.raises(InvalidValue, match=r"strategy\.Noted cannot be 3,0\d\d bytes"):
        await store.log.append([note("a"), note("x" * 3_000, event_id="large")])
    assert await store.log.read() == []


async def test_half_a_character_is_refused_in_plain_words(store: Store) -> None:
    with pytest.raises(InvalidValue, match="half a character"):
        await store.log.append([note("a \ud800 b", event_id="half")])
    assert await store.log.read() == []


async def test_a_refused_append_does_not_harm_its_neighbours(store: Store) -> None:
    async def append(text: str) -> None:
        if len(text) > 100:
            with pytest.raises(InvalidValue):
                await store.log.append([note(text, event_id="large")])
        else:
            await store.log.append([note(text)])

    async with asyncio.TaskGroup() as group:
        for text in ("a", "x" * 3_000, "b", "y" * 3_000, "c"):
            group.create_task(append(text))

    assert [event.payload for event in await store.log.read()] == [note(text).payload for text in "abc"]


async def test_a_pattern_that_fits_nothing_is_refused(store: Store) -> None:
    for pattern in ("", "orders", "*.Filled", "orders.F*", ".Filled", "orders."):
        with pytest.raises(BugError, match="pattern"):
            store.log.subscribe(pattern, Listener(), owner="test")


# --- subscribers ---


async def test_subscribers_are_told_by_pattern_and_run(store: Store) -> None:
    everything, orders, of_run, exact = Listener(), Listener(), Listener(), Listener()
    with (
        store.log.subscribe("*", everything, owner="test"),
        store.log.subscribe("orders.*", orders, owner="test"),
        store.log.subscribe("*", of_run, owner="test", run_id="b"),
        store.log.subscribe("orders.Filled", exact, owner="test"),
    ):
        appended = await store.log.append([created("a"), created("b"), ordered("o-1", "a"), filled("o-1", "a")])

    assert everything.events == list(appended)
    assert [event.seq for event in orders.events] == [3, 4]
    assert [event.seq for event in of_run.events] == [2]
    assert [event.seq for event in exact.events] == [4]


async def test_a_subscriber_finds_what_it_is_told_in_the_log(store: Store) -> None:
    told: asyncio.Queue[Envelope] = asyncio.Queue()
    with store.log.subscribe("*", told.put_nowait, owner="test"):
        await store.log.append([note("a")])
    event = told.get_nowait()
    assert await store.log.find(event.seq) == event


async def test_announced_events_are_told_at_once_and_not_stored(store: Store) -> None:
    heard = Listener()
    with store.log.subscribe("run.*", heard, owner="test"):
        store.log.announce([progress()])
        assert [event.seq for event in heard.events] == [0]
    assert await store.log.read() == []


async def test_a_closed_subscription_hears_nothing(store: Store) -> None:
    heard = Listener()
    subscription = store.log.subscribe("*", heard, owner="test")
    assert [item.owner for item in store.log.subscriptions()] == ["test"]
    subscription.close()
    subscription.close()
    await store.log.append([note("a")])
    assert heard.events == []
    assert store.log.subscriptions() == ()


async def test_a_callback_may_end_its_own_subscription_and_its_neighbours(store: Store) -> None:
    second = Listener()
    heard: list[int] = []

    def once(event: Envelope) -> None:
        heard.append(event.seq)
        own.close()
        neighbour.close()

    own = store.log.subscribe("*", once, owner="first")
    neighbour = store.log.subscribe("*", second, owner="second")
    await store.log.append([note("a"), note("b")])
    assert heard == [1]
    assert second.events == []
    assert store.log.subscriptions() == ()


async def test_a_subscription_made_in_a_callback_hears_the_next_event(store: Store) -> None:
    late = Listener()
    subscriptions: list[Subscription] = []

    def subscribe_once(event: Envelope) -> None:
        if not subscriptions:
            subscriptions.append(store.log.subscribe("*", late, owner="late"))

    with store.log.subscribe("*", subscribe_once, owner="early"):
        await store.log.append([note("a"), note("b")])
    assert late.texts == ["b"]
    subscriptions[0].close()


async def test_a_callback_may_announce_and_append(store: Store) -> None:
    heard = Listener()
    async with asyncio.TaskGroup() as group:

        def answer(event: Envelope) -> None:
            if event.type == "run.Created":
                store.log.announce([progress()])
                group.create_task(append_answer(event))

        async def append_answer(event: Envelope) -> None:
            await store.log.append([note("answer", cause=event)])

        answering = store.log.subscribe("*", answer, owner="answering")
        listening = store.log.subscribe("*", heard, owner="listening")
        await store.log.append([created(), note("b")])
    answering.close()
    listening.close()

    # The announcement comes after the event that is being told, the answer after all that was committed before it.
    assert heard.texts == ["run.Created", "run.Progressed", "b", "answer"]
    assert [event.seq for event in heard.events] == [1, 0, 2, 3]


async def test_a_failing_subscriber_stops_nobody_and_its_failure_is_an_event(store: Store, allow_log: AllowLog) -> None:
    allow_log("raised at strategy.Noted")
    before, after, failures = Listener(), Listener(), Listener()

    def fail(event: Envelope) -> None:
        raise ValueError("no figures")

    with (
        store.log.subscribe("strategy.*", before, owner="before"),
        store.log.subscribe("strategy.*", fail, owner="panel"),
        store.log.subscribe("strategy.*", after, owner="after"),
        store.log.subscribe("system.*", failures, owner="system"),
    ):
        await store.log.append([note("a")])

    assert before.texts == after.texts == ["a"]
    stored = await store.log.read(pattern="system.*")
    assert stored == failures.events
    assert stored[0].payload == SubscriberFailed(owner="panel", event_type="strategy.Noted", event_seq=1, error="ValueError: no figures")
    assert (stored[0].seq, stored[0].causation_id, stored[0].run_id) == (2, "note-a", "run-1")


async def test_a_subscriber_that_fails_at_failures_is_not_asked_for_ever(store: Store, allow_log: AllowLog) -> None:
    allow_log("raised at ")

    def fail(event: Envelope) -> None:
        raise ValueError(event.type)

    with store.log.subscribe("*", fail, owner="one"), store.log.subscribe("*", fail, owner="two"):
        await store.log.append([note("a")])
        store.log.announce([progress()])
    assert [event.type for event in await store.log.read()] == ["strategy.Noted", "system.SubscriberFailed", "system.SubscriberFailed"]


async def test_a_failure_at_an_announcement_is_announced(store: Store, allow_log: AllowLog) -> None:
    allow_log("raised at run.Progressed")
    failures = Listener()

    def fail(event: Envelope) -> None:
        raise ValueError("no")

    with store.log.subscribe("run.*", fail, owner="panel"), store.log.subscribe("system.*", failures, owner="system"):
        store.log.announce([progress()])
    assert [(event.type, event.seq) for event in failures.events] == [("system.SubscriberFailed", 0)]
    assert await store.log.read() == []


async def test_thousands_of_subscribers_of_other_runs_are_not_called(store: Store) -> None:
    heard: list[str] = []
    subscriptions = []
    for number in range(3_000):
        name = f"run-{number}"
        subscriptions.append(store.log.subscribe("*", lambda event, name=name: heard.append(name), owner=name, run_id=name))  # type: ignore[misc]
    await store.log.append([note("a", run_id="run-7"), note("b", run_id="another"), note("c", run_id=None)])
    assert heard == ["run-7"]
    for subscription in subscriptions:
        subscription.close()
    assert store.log.subscriptions() == ()


async def test_wanted_tells_whether_anybody_listens(store: Store) -> None:
    log = store.log
    assert not log.wanted("clock.Tick")
    with log.subscribe("clock.*", Listener(), owner="test", run_id="a"):
        assert log.wanted("clock.Tick")
        assert log.wanted("clock.Tick", "a")
        assert not log.wanted("clock.Tick", "b")
        assert not log.wanted("run.Created", "a")
        with log.subscribe("*", Listener(), owner="test"):
            assert log.wanted("run.Created", "b")
    assert not log.wanted("clock.Tick", "a")


async def test_a_long_batch_gives_the_loop_its_turn(store: Store, clock: StillClock) -> None:
    clock.ticking_ns = 10_000_000  # every look at the clock takes longer than a slice
    heard = Listener()
    turns: list[int] = []

    async def count_turns() -> None:
        while len(heard.events) < 200:
            turns.append(len(heard.events))
            await asyncio.sleep(0)

    with store.log.subscribe("*", heard, owner="test"):
        async with asyncio.TaskGroup() as group:
            group.create_task(count_turns())
            appended = await store.log.append([note(str(number)) for number in range(200)])
            assert heard.events == list(appended)
    assert len(set(turns)) > 3


async def test_a_cancelled_appender_leaves_a_whole_log(store: Store) -> None:
    heard = Listener()
    with store.log.subscribe("*", heard, owner="test"):
        async with asyncio.TaskGroup() as group:
            appending = group.create_task(store.log.append([note("a"), note("b")]))
            await asyncio.sleep(0)
            appending.cancel()
        await store.log.append([note("c")])
    stored = await store.log.read()
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
    assert heard.events == stored


async def test_the_last_events_that_fit_come_oldest_first(store: Store) -> None:
    async with store.runs.begin() as work:
        for run_id in ("run-1", "run-2"):
            work.put_run(run(run_id))
            work.append(
                [created(run_id), ordered(f"o-{run_id}", run_id), filled(f"o-{run_id}", run_id), note(f"n-{run_id}", run_id=run_id)]
            )
    everything = await store.log.read()
    for pattern in ("*", "orders.*", "run.*", "data.*", "strategy.*", "strategy.Noted", "orders.Filled", "run.Created"):
        for only in (None, "run-1", "run-2", "nobody"):
            fitting = await store.log.read(run_id=only, pattern=pattern)
            assert fitting == [event for event in everything if fits(event.type, pattern) and only in {None, event.run_id}]
            for limit in (1, 2, 3, 50):
                assert await store.log.read_back(run_id=only, pattern=pattern, limit=limit) == fitting[-limit:], (pattern, only, limit)
                assert await store.log.read(run_id=only, pattern=pattern, limit=limit) == fitting[:limit]
            after = everything[3].seq
            later = [event for event in fitting if event.seq > after]
            assert await store.log.read(after_seq=after, run_id=only, pattern=pattern) == later


async def test_a_replay_from_a_seq_joins_what_comes_without_a_hole(store: Store) -> None:
    await store.log.append([note(str(number)) for number in range(50)])
    heard = Listener()
    with store.log.subscribe("*", heard, owner="test"):  # first listen, then read: what comes in between is in both
        async with asyncio.TaskGroup() as group:
            group.create_task(store.log.append([note(f"new-{number}") for number in range(20)]))
            replayed = await store.log.read(after_seq=30)
    known = {event.seq for event in replayed}
    joined = [*replayed, *(event for event in heard.events if event.seq not in known)]
    assert joined == await store.log.read(after_seq=30)
    assert [event.seq for event in joined] == list(range(31, 71))


async def test_a_slow_subscriber_loses_nothing_and_lets_others_have_their_turn(store: Store, clock: StillClock) -> None:
    slow, quick = Listener(), Listener()
    turns: set[int] = set()

    def take_long(event: Envelope) -> None:
        clock.now += 50_000_000
        slow(event)

    async def look(count: int) -> None:
        while len(slow.events) < count:
            turns.add(len(slow.events))
            await asyncio.sleep(0)

    with store.log.subscribe("*", take_long, owner="slow"), store.log.subscribe("*", quick, owner="quick"):
        async with asyncio.TaskGroup() as group:
            group.create_task(look(200))
            for number in range(5):
                group.create_task(store.log.append([note(f"{number}-{index}") for index in range(40)]))
    assert slow.events == quick.events == await store.log.read()
    assert [event.seq for event in slow.events] == list(range(1, 201))
    assert len(turns) > 3
