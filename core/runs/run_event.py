"""An event of a run that the run manager tells."""

from core.events.envelope import Envelope, Payload, envelope


def run_event(run_id: str, payload: Payload, now_ns: int, number: int = 0) -> Envelope:
    """Return the event; `number` tells those of the same type and instant apart."""
    event_id = f"{run_id}:{payload.wire}:{now_ns}:{number}"
    return envelope(payload, id=event_id, ts=now_ns, producer="runs", run_id=run_id, corr_id=run_id)
