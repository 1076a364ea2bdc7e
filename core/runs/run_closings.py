"""Closings of a run's strategy at a broker that holds back the units of its working exits: those make way before an order leaves.

The order waits here until then and has no row: killed in between, it was never made, and its exits come back (`core.runs.owed`). What the
strategy wants of the same symbol meanwhile waits behind it, in its order. Source: docs/adr/0039.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BrokerError, InvalidValue, KnownError
from core.model.money import ZERO
from core.model.order import Order, OrderRequest, OrderType, RejectCode
from core.runs.desks import OpenAccount
from core.runs.families import Families
from core.runs.holdings import Holdings
from core.runs.making_way import MakingWay, key_of
from core.runs.owed import Key
from core.runs.store_away import StoreAway
from core.trading.service import Intent

FILLS_S: Final = 5.0
"""How long what a strategy wants after a closing waits for it to fill."""


class _Wanted:
    """An order that waits. `closing_qty`: how many of its units close what was held when it was decided."""

    def __init__(self, intent: Intent, closing_qty: Decimal, decided_ns: int, *, leaves_now: bool) -> None:
        self.intent = intent
        self.closing_qty = closing_qty
        self.decided_ns = decided_ns
        self.leaves_now = leaves_now
        """Whether it fills as soon as it can: then exits make way for it."""
        self.is_stored = False
        """Whether what led to it is stored: nothing makes way for it before."""
        self.is_cancelled = False


class RunClosings:
    """Of one run. `take` each decision's orders, `begin` what waits, and let `carry_out` go on; `give_up` at the end."""

    def __init__(self, run_id: str, account: OpenAccount, families: Families, away: StoreAway) -> None:
        self._run_id = run_id
        self._desk = account.desk
        self._state = account.desk.state
        self._families = families
        self._away = away
        self._way = MakingWay(account.desk, account.owed)
        self._holdings = Holdings(self._state)
        self._queues: dict[str, deque[_Wanted]] = {}
        self._at_work: set[str] = set()
        self._woken: Final = asyncio.Event()

    # --- what a decision asks for ---

    def take(self, intents: Sequence[Intent], closes: Mapping[str, Decimal]) -> list[Intent]:
        """Keep what has to wait, and return what leaves at once. `closes`: the newest bars', as the strategy saw them."""
        if not self._state.features.holds_units:
            return list(intents)
        leaving: list[Intent] = []
        spoken_for: dict[Key, Decimal] = {}
        for intent in intents:
            request, key = intent.order.request, key_of(intent.order)
            leaves_now = intent.order.sibling_id is None and _leaves_now(request, closes.get(request.symbol))
            before = spoken_for.get(key, ZERO)
            closing_qty = max(ZERO, min(request.qty, self._holdings.to_close(*key) - before))
            wanted = _Wanted(intent, closing_qty, self._state.clock.elapsed_ns(), leaves_now=leaves_now)
            if leaves_now:
                spoken_for[key] = before + closing_qty
            if request.symbol in self._queues or self._stands_in_the_way(wanted, before):
                self._queues.setdefault(request.symbol, deque()).append(wanted)
            else:
                leaving.append(intent)
        return leaving

    def begin(self) -> None:
        """Let what was taken go on: what led to it is stored."""
        for queue in self._queues.values():
            for each in queue:
                each.is_stored = True
        self._woken.set()
        self._state.look_again()

    def waiting(self) -> frozenset[str]:
        """Return the ids of the orders that wait."""
        return frozenset(each.intent.order.id for queue in self._queues.values() for each in queue if not each.is_cancelled)

    def cancel(self, order_id: str) -> bool:
        """Take back an order that waits; False when it does not wait."""
        for queue in self._queues.values():
            for each in queue:
                if each.intent.order.id == order_id:
                    each.is_cancelled = True
                    return True
        return False

    # --- its life ---

    async def carry_out(self) -> None:
        """Let what waits leave as soon as it can, until cancelled. Raises StoreError, LeaseLost."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._woken.clear()
                    for symbol in self._queues.keys() - self._at_work:
                        self._at_work.add(symbol)
                        group.create_task(self._work(symbol), name=f"closing-{symbol}")
                    await self._woken.wait()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def give_up(self) -> None:
        """Say of what waits still that it never leaves."""
        left = [each.intent for queue in self._queues.values() for each in queue]
        self._queues.clear()
        if left:
            with suppress(KnownError):  # the run's end says it where this cannot be stored
                await self._desk.refuse(left, RejectCode.NEVER_SENT, "Its run ended before its exits had made way.")

    # --- inside ---

    async def _work(self, symbol: str) -> None:
        queue = self._queues[symbol]
        while queue:
            await self._state.until(lambda: queue[0].is_stored)
            if self._stands_in_the_way(queue[0]):
                await self._close(queue[0])
                queue.popleft()
                continue
            free = [queue[0]]
            for each in list(queue)[1:]:  # a pair leaves as one
                if not each.is_stored or (each.closing_qty and each.leaves_now):
                    break
                free.append(each)
            await self._closed(symbol)
            await self._let_leave(free)
            for _ in free:
                queue.popleft()
        del self._queues[symbol]
        self._at_work.discard(symbol)
        self._state.look_again()

    async def _closed(self, symbol: str) -> None:
        """Wait until what closes a position has filled, or takes its time: what opens the other way is refused before."""

        def is_so() -> bool:
            working = [life.order.request for life in self._state.working(self._run_id)]
            return self._state.has_ended or not any(one.symbol == symbol and one.type is OrderType.MARKET for one in working)

        with suppress(TimeoutError):
            async with asyncio.timeout(FILLS_S):
                await self._state.until(is_so)

    def _stands_in_the_way(self, wanted: _Wanted, before: Decimal = ZERO) -> bool:
        """Whether exits work over units that an order would close now; where the broker refuses it anyway, they stay as they are.

        `before`: how many units orders of the same decision close that have not left yet.
        """
        if not wanted.leaves_now or wanted.is_cancelled:
            return False
        held, on_way = self._held(wanted.intent.order)
        on_way += before
        qty = min(wanted.closing_qty, held - on_way)
        is_over_zero = wanted.intent.order.request.qty > wanted.closing_qty and not self._state.features.reverses
        if qty <= ZERO or is_over_zero:
            return False
        return self._way.side.qty(*key_of(wanted.intent.order), waiting_only=True) > held - on_way - qty

    def _held(self, order: Order) -> tuple[Decimal, Decimal]:
        """Return how many units an order could close, and how many of them orders close that are on their way."""
        key, side = key_of(order), self._way.side
        return self._holdings.to_close(*key), side.qty(*key) - side.qty(*key, waiting_only=True)

    async def _close(self, wanted: _Wanted) -> None:
        order = wanted.intent.order
        try:
            # Away is the store while nothing is touched yet: what is to make way is stored before.
            await self._away.outlast(lambda: self._close_now(wanted))
        except (BrokerError, InvalidValue) as error:
            words = error.rule if isinstance(error, InvalidValue) else error.what
            await self._refuse([wanted], RejectCode.NEVER_SENT, f"{order.request.symbol} was not closed: {words}")

    async def _close_now(self, wanted: _Wanted) -> None:
        order = wanted.intent.order
        async with self._way.alone(key_of(order), waits=True):
            fitted = self._fitted(wanted)
            if fitted is not None:
                after = self._held(fitted)[0] - min(fitted.request.qty, wanted.closing_qty)
                if self._stands_in_the_way(wanted) and self._way.may_leave(fitted, after):
                    await self._way.make(fitted, self._run_id, self._holdings.of(order.request.symbol, self._run_id), after)
            await self._let_leave([wanted])

    def _fitted(self, wanted: _Wanted) -> Order | None:
        """Return an order over no more than it can close by now, and what it was to open; None where nothing of it is left."""
        order = wanted.intent.order
        if not wanted.closing_qty:
            return order
        held, on_way = self._held(order)
        qty = order.request.qty - wanted.closing_qty + max(ZERO, min(wanted.closing_qty, held - on_way))
        if qty == order.request.qty:
            return order
        return msgspec.structs.replace(order, request=msgspec.structs.replace(order.request, qty=qty)) if qty else None

    async def _let_leave(self, wanted: Sequence[_Wanted]) -> None:
        """Hand orders to the desk, as far as they are wanted still and there is something for them to do."""
        leaving: list[Intent] = []
        for each in wanted:
            fitted = self._fitted(each)
            if each.is_cancelled:
                await self._refuse([each], RejectCode.NEVER_SENT, "It was cancelled before it left.")
            elif fitted is None:
                words = f"What it was to close of {each.intent.order.request.symbol} was closed by something else just now."
                await self._refuse([each], RejectCode.INSUFFICIENT_POSITION, words)
            else:
                leaving.append(self._families.with_exits(msgspec.structs.replace(each.intent, order=fitted)))
        if leaving:
            await self._away.place(self._desk, leaving, decided_ns=wanted[0].decided_ns)

    async def _refuse(self, wanted: Sequence[_Wanted], code: RejectCode, reason: str) -> None:
        await self._away.outlast(lambda: self._desk.refuse([each.intent for each in wanted], code, reason))


def _leaves_now(request: OrderRequest, close: Decimal | None) -> bool:
    """Tell whether an order fills as soon as it can: at the market, or at a limit that the newest close has reached.

    One whose price is still to come is an exit itself: for its sake no stop is taken away.
    """
    if request.is_auction or request.target is not None or request.stop_loss is not None:
        return False
    if request.type is OrderType.LIMIT and request.limit_price is not None and close is not None:
        return (request.limit_price - close) * request.side.sign >= ZERO
    return request.type is OrderType.MARKET
