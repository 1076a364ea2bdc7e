"""How runs end that no session ends: cut off by a crash, closed by a person, or stored again after the store refused it."""

from typing import Final

import msgspec

from core.events.envelope import Payload
from core.events.payloads import OrderCancelled, RunError, RunInterrupted, RunStopped
from core.model.order import OrderStatus
from core.model.run import Run, RunMode, RunStatus
from core.ports import BrokerSource, Clock, Store
from core.runs.leases import FencedRuns
from core.runs.run_event import run_event

_AT_THE_BROKER: Final = " Its orders may work on at the broker; they are looked at when the account is opened."


class RunEndings:
    """Each is one unit of work: the run's row, what becomes of its orders, and the event that says so."""

    def __init__(self, store: Store, brokers: BrokerSource, clock: Clock) -> None:
        self._store = store
        self._brokers = brokers
        self._clock = clock

    def outlives_program(self, run: Run) -> bool:
        """Tell whether a run's orders work on at a broker, whatever happens here."""
        return run.config.mode is not RunMode.BACKTEST and self._brokers.outlives_program(run.config.broker)

    async def interrupt(self, run: Run, rows: FencedRuns) -> Run:
        """Store and return a run as interrupted. Raises StoreError, LeaseLost."""
        outlives = self.outlives_program(run)
        told_so, todo = (_AT_THE_BROKER, "Let it go on, or close it.") if outlives else ("", "Run it again.")
        sentence = f"The program ended while this run went on.{told_so} {todo}"
        after = run.moved_to(RunStatus.INTERRUPTED, ended_ns=self._clock.now_ns(), error=sentence, error_code="interrupted")
        await self._end(after, RunInterrupted(was=run.status), rows, "The run was interrupted.")
        return after

    async def hand_over(self, run: Run, rows: FencedRuns, desk: str, was_at: str, working: int) -> Run:
        """Store and return a run as interrupted which `desk` took over, after it was compared with the broker.

        `working`: how many of its orders work on. Raises StoreError, LeaseLost.
        """
        where = f" from the desk {was_at}" if was_at and was_at != desk else ""
        orders = {0: "none of its orders works", 1: "1 of its orders works on"}.get(working, f"{working} of its orders work on")
        sentence = f"The desk {desk} took it over{where} and compared it with the broker: {orders}. Let it go on, or close it."
        after = run.moved_to(RunStatus.INTERRUPTED, ended_ns=self._clock.now_ns(), error=sentence, error_code="interrupted")
        await self._end(after, RunInterrupted(was=run.status), rows, "The run was interrupted.")
        return after

    async def close(self, run: Run, rows: FencedRuns, reason: str) -> Run:
        """Store and return an interrupted run as stopped by a person, for `reason`. Raises StoreError, LeaseLost."""
        after = run.moved_to(RunStatus.STOPPED, ended_ns=self._clock.now_ns(), error=reason, error_code=None)
        await self._end(after, RunStopped(bars=run.bars, reason=reason), rows, "The run was closed.")
        return after

    async def store_again(self, run: Run, rows: FencedRuns) -> None:
        """Store a run as it ended, which the store refused when it did. Raises StoreError, LeaseLost."""
        await self._end(run, RunError(code=run.error_code or "", error=run.error or ""), rows, "The run ended.")

    async def _end(self, after: Run, how: Payload, rows: FencedRuns, reason: str) -> None:
        now_ns, outlives = self._clock.now_ns(), self.outlives_program(after)
        left = [order for order in await self._store.runs.orders(after.id) if not order.status.is_final and not outlives]
        told: list[Payload] = [OrderCancelled(order_id=order.id, reason=reason) for order in left]
        if not after.config.is_by_hand:
            told.append(how)
        async with rows.begin() as work:
            work.put_run(after)
            work.put_orders(
                [msgspec.structs.replace(order, status=OrderStatus.CANCELLED, reason=reason, updated_ns=now_ns) for order in left]
            )
            work.append([run_event(after.id, payload, now_ns, at) for at, payload in enumerate(told)])
