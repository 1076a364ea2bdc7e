"""The set of all event types, derived from the classes that `core.events.payloads` defines."""

from core.errors import BugError
from core.events import payloads
from core.events.envelope import REGISTRY, Payload


def event_types() -> dict[str, type[Payload]]:
    """Return wire type → payload class, sorted by type."""
    assert payloads.RunCreated.wire in REGISTRY  # importing the module above is what fills it
    return dict(sorted(REGISTRY.items()))


def payload_class(wire_type: str) -> type[Payload]:
    """Return the class of a wire type. Raises BugError for a type that nobody registered."""
    found = REGISTRY.get(wire_type)
    if found is None:
        raise BugError(f"No event type {wire_type} is registered.")
    return found
