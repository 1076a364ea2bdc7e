"""Events of older and of newer programs, in both databases."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from core.errors import BugError, DatabaseNewer
from core.events.codec import EventCodec
from core.events.envelope import REGISTRY, Envelope, Payload, envelope
from tests.contract.samples import NOW_NS
from tests.integration.store.writers import Place

WIRE = "strategy.ThoughtInATest"


def first_version() -> type[Payload]:
    class Thought(Payload, frozen=True, kw_only=True):
        wire: ClassVar[str] = WIRE
        text: str

    return Thought


def second_version() -> type[Payload]:
    class Thought(Payload, frozen=True, kw_only=True):
        wire: ClassVar[str] = WIRE
        version: ClassVar[int] = 2
        words: tuple[str, ...]

    return Thought


def split(fields: dict[str, Any]) -> dict[str, Any]:
    return {"words": fields["text"].split()}


def thought(payload: Payload, event_id: str) -> Envelope:
    return envelope(payload, id=event_id, ts=NOW_NS, producer="strategy")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """The types of this file are gone when a test is over."""
    yield
    REGISTRY.pop(WIRE, None)


def define(make: Any) -> Any:
    REGISTRY.pop(WIRE, None)
    return make()


async def test_an_old_version_is_raised_to_the_present_one(place: Place) -> None:
    old = define(first_version)
    store = place.store()
    await store.open()
    await store.log.append([thought(old(text="buy low"), "1")])
    await store.close()

    new = define(second_version)
    store = place.store(codec=EventCodec({(WIRE, 1): split}))
    await store.open()
    await store.log.append([thought(new(words=("sell", "high")), "2")])
    found = await store.log.read(pattern=WIRE)
    await store.close()
    assert [event.payload for event in found] == [new(words=("buy", "low")), new(words=("sell", "high"))]
    assert [event.version for event in found] == [2, 2]


async def test_an_old_version_that_nothing_raises_is_a_bug(place: Place) -> None:
    store = place.store()
    await store.open()
    await store.log.append([thought(define(first_version)(text="x"), "1")])
    define(second_version)
    with pytest.raises(BugError, match="from version 1 to 2"):
        await store.log.read()
    await store.close()


async def test_a_version_or_a_type_of_a_newer_program_is_said_so(place: Place) -> None:
    store = place.store()
    await store.open()
    await store.log.append([thought(define(second_version)(words=("x",)), "1")])
    define(first_version)
    with pytest.raises(DatabaseNewer, match=WIRE):
        await store.log.read()
    REGISTRY.pop(WIRE)
    with pytest.raises(DatabaseNewer, match=WIRE):
        await store.log.read()
    await store.close()
