"""Payloads to JSON and back: Decimal as text, old versions raised to the present one on read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.errors import BugError, DatabaseNewer, InvalidValue
from core.events.envelope import REGISTRY, Envelope, Payload
from core.events.registry import payload_class

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the fields of one version from those of the version before."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""(wire type, stored version) → what makes the next version of it. A payload's `version` goes up with an entry here."""

MAX_PAYLOAD_BYTES: Final = 1_048_576


class EventCodec:
    """Encodes payloads by their registered class. Safe to share between threads."""

    def __init__(self, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._upcasters = upcasters
        self._max_bytes = max_payload_bytes
        self._encode = msgspec.json.Encoder().encode
        self._decoders: dict[type[Payload], msgspec.json.Decoder[Any]] = {}

    def encode(self, event: Envelope) -> bytes:
        """Return the event's payload as JSON.

        Raises BugError when its type is not registered for that class, InvalidValue when it is too large or holds half a character.
        """
        return self.encode_all((event,))[0]

    def encode_all(self, events: Sequence[Envelope]) -> list[bytes]:
        """Return the payload of each event as JSON; see `encode`."""
        encode, registered, max_bytes = self._encode, REGISTRY.get, self._max_bytes
        found: list[bytes] = []
        event = None
        try:
            for event in events:
                payload = event.payload
                if registered(event.type) is not payload.__class__:
                    raise BugError(f"An event of type {event.type} cannot carry {type(payload).__qualname__}: it is not registered for it.")
                data = encode(payload)
                if len(data) > max_bytes:
                    raise InvalidValue(f"The payload of {event.type}", f"{len(data):,} bytes", f"an event holds at most {max_bytes:,}.")
                found.append(data)
        except UnicodeEncodeError as error:
            raise InvalidValue(f"The text of {event and event.type}", repr(error.object[:40]), "it holds half a character.") from error
        return found

    def decode(self, wire_type: str, version: int, data: bytes | str) -> Payload:
        """Return the payload, raised to the present version.

        Raises DatabaseNewer for a type or a version that only a newer program knows.
        """
        cls = payload_class(wire_type)
        if version == cls.version:
            decoder = self._decoders.get(cls)
            if decoder is None:
                decoder = self._decoders[cls] = msgspec.json.Decoder(cls)
            found: Payload = decoder.decode(data)
            return found
        if version > cls.version:
            raise DatabaseNewer(
                f"An event of type {wire_type} was written as version {version}, and this program knows version {cls.version}.",
                "Install the version of the program that wrote it.",
            )
        fields = msgspec.json.decode(data)
        for old in range(version, cls.version):
            upcast = self._upcasters.get((wire_type, old))
            if upcast is None:
                raise BugError(f"Nothing raises {wire_type} from version {old} to {old + 1}.")
            fields = upcast(fields)
        return msgspec.convert(fields, cls)
