"""What stands without the exits that it had, by what is stored: for who looks at an account without opening it."""

from collections.abc import Sequence

from core.events.envelope import Envelope
from core.events.live_payloads import ExitsOwed, ExitsOwedNoMore, LeftBare
from core.model.run import RunMode
from core.ports import EventLog, RunStore
from core.runs.owed import base_id


async def left_bare(log: EventLog, runs: RunStore, broker_id: str, mode: RunMode) -> Sequence[LeftBare]:
    """Return the last that was said of each position of a broker's account that is owed exits, where none of them is there again."""
    told: list[Envelope] = []
    for wire in (ExitsOwed.wire, ExitsOwedNoMore.wire, LeftBare.wire):
        after = 0
        while page := await log.read(after_seq=after, pattern=wire):
            after = page[-1].seq
            told += page
    said: dict[frozenset[str], tuple[str | None, LeftBare | None]] = {}
    for event in sorted(told, key=lambda one: one.seq):
        payload = event.payload
        if isinstance(payload, (ExitsOwed, ExitsOwedNoMore, LeftBare)):
            legs = frozenset(map(base_id, payload.order_ids))
            same = [each for each in said if each & legs]
            if isinstance(payload, ExitsOwed) and not same:
                said[legs] = (event.run_id, None)
            for each in same:
                if isinstance(payload, ExitsOwedNoMore):
                    del said[each]
                elif isinstance(payload, LeftBare):
                    said[each] = (event.run_id, payload)
    found = []
    for legs, (run_id, bare) in said.items():
        run = None if run_id is None or bare is None else await runs.run(run_id)
        if run is None or bare is None or (run.config.broker, run.config.mode) != (broker_id, mode):
            continue
        orders = await runs.orders(run.id)
        if not any(base_id(order.id) in legs and not order.status.is_final for order in orders):
            found.append(bare)
    return found
