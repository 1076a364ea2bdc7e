"""What is only announced, and still worth knowing at other desks: the progress of a run. Never stored, sent twice a second at most."""

from collections.abc import Callable
from typing import Final

import msgspec

from core.errors import DatabaseNewer
from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.store.rows import EventRow, event_of

_BETWEEN_NS: Final = 500_000_000
_MOST_BYTES: Final = 7_000
"""A notice of PostgreSQL holds 8,000."""
_KEPT: Final = 1_000


class LiveNews:
    """Makes texts of announced events, and events of the texts of other processes. `owner`: the name of this one."""

    def __init__(self, owner: str, codec: EventCodec, monotonic_ns: Callable[[], int]) -> None:
        self._owner = owner
        self._codec = codec
        self._monotonic_ns = monotonic_ns
        self._sent_ns: dict[tuple[str, str | None], int] = {}

    def text_of(self, event: Envelope) -> str | None:
        """Return what to send, or None for what other desks need not know, or not so soon after the last."""
        if not event.payload.shared:
            return None
        key, now_ns = (event.type, event.run_id), self._monotonic_ns()
        if now_ns - self._sent_ns.get(key, now_ns - _BETWEEN_NS) < _BETWEEN_NS:
            return None
        if len(self._sent_ns) >= _KEPT:
            self._sent_ns.clear()
        self._sent_ns[key] = now_ns
        payload = self._codec.encode(event).decode()
        ids = (event.run_id, event.corr_id, event.causation_id, event.trace_id)
        row = (0, event.id, event.kind.value, event.type, event.version, *ids, event.ts, event.producer, payload)
        text = msgspec.json.encode((self._owner, row))
        return text.decode() if len(text) <= _MOST_BYTES else None

    def event_of(self, text: str) -> Envelope | None:
        """Return the event of a text, or None when it is our own or of a newer program."""
        sender, row = msgspec.json.decode(text, type=tuple[str, EventRow])
        if sender == self._owner:
            return None
        try:
            return event_of(row, self._codec)
        except DatabaseNewer:
            return None
