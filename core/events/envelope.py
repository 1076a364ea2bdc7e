"""The envelope every event travels in, and the base class that registers each payload."""

from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from core.errors import BugError


class Kind(StrEnum):
    """A fact that happened, or an instruction."""

    EVENT = "evt"
    COMMAND = "cmd"


Cause = str | int | None
"""An event as the cause of another: its id, or while it is not written its number among those of its run. None: an outside act."""


class Payload(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of all payloads. A subclass names its wire type; defining it registers it.

    What has its default is not written: of an order's fields most have, and they were more than half of what was stored.

    `durable` payloads are stored; the others are dispatched, and stored only when their run is traced. `shared` ones among those
    are told to other desks all the same. `remembered` ones say what an account is, however old they are: its desk reads them when it
    opens, and no archive takes them.
    """

    wire: ClassVar[str]
    version: ClassVar[int] = 1
    kind: ClassVar[Kind] = Kind.EVENT
    durable: ClassVar[bool] = True
    shared: ClassVar[bool] = False
    remembered: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = REGISTRY.setdefault(cls.wire, cls)
        if known is not cls and known.__qualname__ != cls.__qualname__:
            raise BugError(f"Event type {cls.wire} is defined twice: {known.__name__} and {cls.__name__}.")
        REGISTRY[cls.wire] = cls


REGISTRY: dict[str, type[Payload]] = {}
"""Wire type → payload class, filled by the class definitions; see `core.events.registry`."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """One event. Made once, never changed; `seq` orders, `ts` (UTC ns) explains.

    `seq` is 0 until the log has appended it, and stays 0 for what is only announced. `corr_id` joins all that
    came from one outside act, `causation_id` is the id of the event that caused this one, `trace_id` is the
    decision (tick) it belongs to. `producer` is the package that made it, never a code name.
    """

    id: str
    seq: int
    kind: Kind
    type: str
    version: int
    run_id: str | None
    corr_id: str
    causation_id: str | None
    trace_id: str | None
    ts: int
    producer: str
    payload: Payload


def envelope(
    payload: Payload,
    *,
    id: str,
    ts: int,
    producer: str,
    run_id: str | None = None,
    corr_id: str | None = None,
    causation_id: str | None = None,
    trace_id: str | None = None,
) -> Envelope:
    """Wrap `payload` with its own type, version and kind. Without `corr_id` it starts a correlation of its own."""
    return Envelope(
        id, 0, payload.kind, payload.wire, payload.version, run_id, corr_id or id, causation_id, trace_id, ts, producer, payload
    )
