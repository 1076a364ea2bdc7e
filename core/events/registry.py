"""The set of all event types, derived from the classes that `core.events.payloads` and `core.events.live_payloads` define."""

from core.errors import DatabaseNewer
from core.events import live_payloads, payloads
from core.events.envelope import REGISTRY, Payload


def event_types() -> dict[str, type[Payload]]:
    """Return wire type → payload class, sorted by type."""
    # Importing the two modules is what fills it.
    assert payloads.RunCreated.wire in REGISTRY
    assert live_payloads.RiskApproved.wire in REGISTRY
    return dict(sorted(REGISTRY.items()))


def payload_class(wire_type: str) -> type[Payload]:
    """Return the class of a wire type. Raises DatabaseNewer for a type that only a newer program can have written."""
    found = REGISTRY.get(wire_type)
    if found is None:
        raise DatabaseNewer(f"This program knows no event of type {wire_type}.", "Install the version of the program that wrote it.")
    return found
