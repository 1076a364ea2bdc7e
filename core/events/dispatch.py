"""Telling subscribers: who wants which event, in what order, and what happens when one of them raises."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self
from uuid import uuid4

from core.errors import BugError
from core.events.envelope import Envelope, envelope
from core.events.payloads import SubscriberFailed

Callback = Callable[[Envelope], None]

SLICE_NS: Final = 8_000_000
"""How long a batch may keep the loop before others get their turn."""

_CACHE_LIMIT: Final = 4_096
_FAILURES_TOLD: Final = 20

_log = logging.getLogger(__name__)


class LiveSubscription:
    """A live subscription; see `core.ports.Subscription`. `closed` is checked right before each call."""

    __slots__ = ("_dispatcher", "callback", "closed", "failures", "number", "owner", "pattern", "run_id")

    def __init__(self, dispatcher: "Dispatcher", number: int, pattern: str, callback: Callback, owner: str, run_id: str | None) -> None:
        self._dispatcher = dispatcher
        self.number = number
        self.pattern = pattern
        self.callback = callback
        self.owner = owner
        self.run_id = run_id
        self.closed = False
        self.failures = 0

    def close(self) -> None:
        """End it; no callback comes after this returns."""
        if not self.closed:
            self.closed = True
            self._dispatcher.drop(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<subscription of {self.owner} to {self.pattern}{f' of run {self.run_id}' if self.run_id else ''}>"


class _Telling:
    """A batch on its way to the subscribers."""

    __slots__ = ("done", "events", "failures", "next")

    def __init__(self, events: Sequence[Envelope], done: "Callable[[list[Envelope]], None]") -> None:
        self.events = events
        self.done = done
        self.failures: list[Envelope] = []
        self.next = 0


class Dispatcher:
    """Calls subscribers in the loop's thread, batch after batch in the order of `tell`.

    Subscriptions are indexed by pattern and run, and the answer for an event type of a run is remembered:
    an event that nobody wants costs one look-up, however many subscribers there are.
    """

    def __init__(self, *, now_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._numbered = 0
        self._by_pattern: dict[str, dict[str | None, dict[int, LiveSubscription]]] = {}
        self._wanted_by: dict[tuple[str, str | None], tuple[LiveSubscription, ...]] = {}
        self._telling: deque[_Telling] = deque()
        self._is_calling = False
        self._is_telling = False
        self._is_scheduled = False
        self._announced: deque[Envelope] = deque()

    # --- who listens ---

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> LiveSubscription:
        """Call `callback` for later events that fit. Raises BugError for a pattern that can fit nothing."""
        head, dot, tail = pattern.partition(".")
        if pattern != "*" and (not head or not dot or not tail or "*" in head or ("*" in tail and tail != "*")):
            raise BugError(f"{pattern!r} is not an event pattern: write *, orders.* or orders.Filled.")
        self._numbered += 1
        subscription = LiveSubscription(self, self._numbered, pattern, callback, owner, run_id)
        self._by_pattern.setdefault(pattern, {}).setdefault(run_id, {})[subscription.number] = subscription
        self._wanted_by.clear()
        return subscription

    def drop(self, subscription: LiveSubscription) -> None:
        """Forget a subscription that closed itself."""
        by_run = self._by_pattern[subscription.pattern]
        of_run = by_run[subscription.run_id]
        del of_run[subscription.number]
        if not of_run:
            del by_run[subscription.run_id]
        if not by_run:
            del self._by_pattern[subscription.pattern]
        self._wanted_by.clear()

    def subscriptions(self) -> tuple[LiveSubscription, ...]:
        """Return the live subscriptions, oldest first."""
        found = [item for by_run in self._by_pattern.values() for of_run in by_run.values() for item in of_run.values()]
        return tuple(sorted(found, key=lambda item: item.number))

    def is_heard(self) -> bool:
        """Tell whether anybody listens to anything. From any thread."""
        return bool(self._by_pattern)

    def wants(self, wire_type: str, run_id: str | None = None) -> bool:
        """Tell whether anybody listens to this type of this run; without a run, of any run."""
        if run_id is not None:
            return bool(self._listeners(wire_type, run_id))
        return any(pattern in self._by_pattern for pattern in _patterns_of(wire_type))

    def _listeners(self, wire_type: str, run_id: str | None) -> tuple[LiveSubscription, ...]:
        key = (wire_type, run_id)
        found = self._wanted_by.get(key)
        if found is None:
            runs = (None,) if run_id is None else (None, run_id)
            by_runs = [self._by_pattern[pattern] for pattern in _patterns_of(wire_type) if pattern in self._by_pattern]
            fitting = [item for by_run in by_runs for run in runs for item in by_run.get(run, {}).values()]
            if len(self._wanted_by) >= _CACHE_LIMIT:
                self._wanted_by.clear()
            found = self._wanted_by[key] = tuple(sorted(fitting, key=lambda item: item.number))
        return found

    # --- telling them ---

    def tell(self, events: Sequence[Envelope], done: Callable[[list[Envelope]], None]) -> None:
        """Tell subscribers of committed events, after every batch told before; then call `done`.

        `done` gets a SubscriberFailed event for each callback that raised. Must be called in the loop's thread; a batch
        that takes longer than a slice goes on in the loop's next turns.
        """
        self._telling.append(_Telling(events, done))
        self._go_on()

    def announce(self, events: Iterable[Envelope]) -> None:
        """Tell subscribers of ephemeral events at once; from inside a callback, right after the event that is being told."""
        self._announced.extend(events)
        if not self._is_calling:
            self._tell_announced()
            self._go_on()

    def _go_on(self) -> None:
        if self._telling and not (self._is_calling or self._is_telling or self._is_scheduled):
            self._tell_slice()

    def _tell_slice(self) -> None:
        self._is_scheduled = False
        self._is_telling = True
        try:
            self._tell_until(self._monotonic_ns() + SLICE_NS)
        finally:
            self._is_telling = False

    def _tell_until(self, until: int) -> None:
        while self._telling:
            batch = self._telling[0]
            events = batch.events
            while batch.next < len(events):
                event = events[batch.next]
                batch.next += 1
                listeners = self._listeners(event.type, event.run_id)
                if listeners:
                    self._call(listeners, event, batch.failures)
                    self._tell_announced()
                if not batch.next % 32 and self._monotonic_ns() >= until:
                    self._go_on_later()
                    return
            self._telling.popleft()
            batch.done(batch.failures)
            if self._telling and self._monotonic_ns() >= until:
                self._go_on_later()
                return

    def _go_on_later(self) -> None:
        self._is_scheduled = True
        asyncio.get_running_loop().call_soon(self._tell_slice)

    def _tell_announced(self) -> None:
        while self._announced:
            event = self._announced.popleft()
            listeners = self._listeners(event.type, event.run_id)
            if listeners:
                failures: list[Envelope] = []
                self._call(listeners, event, failures)
                self._announced.extend(failures)

    def _call(self, listeners: tuple[LiveSubscription, ...], event: Envelope, failures: list[Envelope]) -> None:
        self._is_calling = True
        try:
            for subscription in listeners:
                if subscription.closed:
                    continue
                try:
                    subscription.callback(event)
                except Exception as error:
                    subscription.failures += 1
                    if not _is_told(subscription.failures):
                        continue
                    _log.exception("%s raised at %s (time %d)", subscription, event.type, subscription.failures)
                    if not isinstance(event.payload, SubscriberFailed):  # or two bad subscribers would keep each other busy for ever
                        failures.append(self._failure(subscription, event, error))
        finally:
            self._is_calling = False

    def _failure(self, subscription: LiveSubscription, event: Envelope, error: Exception) -> Envelope:
        return envelope(
            SubscriberFailed(
                owner=subscription.owner, event_type=event.type, event_seq=event.seq, error=f"{type(error).__name__}: {error}"[:2_000]
            ),
            id=uuid4().hex,
            ts=self._now_ns(),
            producer="events",
            run_id=event.run_id,
            corr_id=event.corr_id,
            causation_id=event.id,
            trace_id=event.trace_id,
        )


def _is_told(failures: int) -> bool:
    """Every failure at first, then the 32nd, 64th, 128th …: a panel that fails at each of a backtest's events must not double the log."""
    return failures <= _FAILURES_TOLD or failures & (failures - 1) == 0


def _patterns_of(wire_type: str) -> tuple[str, str, str]:
    return "*", wire_type.partition(".")[0] + ".*", wire_type


def fits(wire_type: str, pattern: str) -> bool:
    """Tell whether a type fits `*`, `orders.*` or its own name."""
    return pattern in _patterns_of(wire_type)
