"""The set of all event types, derived from the classes that `core.events.payloads` defines."""

from core.errors import DatabaseNewer
from core.events import payloads
from core.events.envelope import REGISTRY, Payload


def event_types() -> dict[str, type[Payload]]:
    """Return wire type → payload class, sorted by type."""
    assert payloads.RunCreated.wire in REGISTRY  # importing the module above is what fills it
    return dict(sorted(REGISTRY.items()))


def payload_class(wire_type: str) -> type[Payload]:
    """Return the class of a wire type. Raises DatabaseNewer for a type that only a newer program can have written."""
    found = REGISTRY.get(wire_type)
    if found is None:
        raise DatabaseNewer(f"This program knows no event of type {wire_type}.", "Install the version of the program that wrote it.")
    return found
