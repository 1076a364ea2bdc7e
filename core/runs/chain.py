"""From an event back to all that led to it: causes, and what its order and the order it hangs on went through."""

from typing import Final

from core.errors import InputError, UnknownName
from core.events.envelope import Envelope
from core.events.live_payloads import SwitchThrown
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderExpired,
    OrderFilled,
    OrderPartiallyFilled,
    OrderRejected,
    OrderReplaced,
)
from core.ports import EventLog

_PAGE: Final = 5_000
_LIFE: Final = (OrderCreated, OrderAccepted)
"""What is told of an order besides causes; of its changes the newest is."""

_ENDS: Final = (OrderFilled.wire, OrderCompleted.wire, OrderCancelled.wire, OrderExpired.wire, OrderRejected.wire)


async def chain_of(seq: int, log: EventLog) -> list[Envelope]:
    """Return what led to the event `seq`, oldest first, itself last. Raises InputError for one that is not there.

    What is not stored (the ticks and windows of a run without a trace) is not in it: then the first one's `causation_id`
    names the tick, `RUN@INSTANT`.
    """
    event = await log.find(seq)
    if event is None:
        raise InputError(f"There is no event {seq}.", "`weaver events tail` lists the last ones.")
    chain = _Chain(event)
    before, more = seq, True
    while more and before > 1:
        # A tick is stored shortly before what it led to, or never: one page more is enough to meet it.
        more = chain.is_open
        after = max(0, before - 1 - _PAGE)
        page = await log.read(after_seq=after, run_id=event.run_id, limit=before - 1 - after)
        # Of one run alone a page may reach beyond: it is read by number, not by count.
        chain.take([item for item in page if item.seq < before])
        before = after + 1
    if chain.is_open:
        # The kill switch of all is no run's, and closes the positions of each.
        thrown = await log.read(pattern=SwitchThrown.wire, limit=_PAGE)
        chain.take([item for item in thrown if item.seq < seq])
    return chain.events()


async def chain_of_fill(run_id: str, fill_id: str, log: EventLog) -> list[Envelope]:
    """Return what led to a fill. Raises UnknownName."""
    for wire in (OrderFilled.wire, OrderPartiallyFilled.wire):
        after = 0
        while page := await log.read(after_seq=after, run_id=run_id, pattern=wire, limit=_PAGE):
            for event in page:
                if isinstance(event.payload, (OrderFilled, OrderPartiallyFilled)) and event.payload.fill_id == fill_id:
                    return await chain_of(event.seq, log)
            after = page[-1].seq
    raise UnknownName("fill", fill_id, ())


async def chain_of_order(run_id: str, order_id: str, log: EventLog) -> list[Envelope]:
    """Return what led to an order's newest event. Raises UnknownName."""
    # The events that end an order are the fewest; one that has none of them is still on its way.
    for pattern in (*_ENDS, "orders.*"):
        found, after = 0, 0
        while page := await log.read(after_seq=after, run_id=run_id, pattern=pattern, limit=_PAGE):
            for event in page:
                if _order_of(event) == order_id:
                    found = event.seq
            after = page[-1].seq
            if found and pattern in _ENDS:
                break
        if found:
            return await chain_of(found, log)
    raise UnknownName("order", order_id, ())


class _Chain:
    """Grows backwards, page by page, until nothing more is wanted."""

    def __init__(self, last: Envelope) -> None:
        self._events: dict[str, Envelope] = {}
        self._wanted_ids: set[str] = set()
        self._wanted_orders: set[str] = set()
        self._replaced: set[str] = set()
        self._tick = f"{last.run_id}@"
        self._add(last)

    @property
    def is_open(self) -> bool:
        """Whether something is wanted that has not been met; ticks, which are stored by traced runs only, do not count."""
        return bool(self._wanted_orders) or any(not wanted.startswith(self._tick) for wanted in self._wanted_ids)

    def take(self, page: list[Envelope]) -> None:
        """Go through events that come before all so far."""
        for event in reversed(page):
            order_id = _order_of(event)
            if event.id in self._wanted_ids:
                self._add(event)
            elif order_id is not None and order_id in self._wanted_orders:
                is_newest_change = isinstance(event.payload, OrderReplaced) and order_id not in self._replaced
                if is_newest_change or isinstance(event.payload, _LIFE):
                    self._add(event)

    def _add(self, event: Envelope) -> None:
        self._events[event.id] = event
        self._wanted_ids.discard(event.id)
        if event.causation_id is not None and event.causation_id not in self._events:
            self._wanted_ids.add(event.causation_id)
        order_id = _order_of(event)
        if order_id is None:
            return
        payload = event.payload
        if isinstance(payload, OrderReplaced):
            self._replaced.add(order_id)
        if isinstance(payload, OrderCreated):
            self._wanted_orders.discard(order_id)
            if payload.order.parent_id is not None:
                self._wanted_orders.add(payload.order.parent_id)
        elif event.type.startswith("orders."):
            self._wanted_orders.add(order_id)

    def events(self) -> list[Envelope]:
        """Return the chain, oldest first."""
        return sorted(self._events.values(), key=lambda event: event.seq)


def _order_of(event: Envelope) -> str | None:
    payload = event.payload
    if isinstance(payload, OrderCreated):
        return payload.order.id
    order_id: str | None = getattr(payload, "order_id", None)
    return order_id
