"""Positions that are turned around in two steps: an order closes one, and when it has filled another opens the opposite.

The second step is the program's, and it is taken only while the person has the account open without a break. It is never made up
for: an order that closes late does what was wanted, an order that opens late may open at any price. What was not sent is said.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from core.errors import StoreError
from core.events.live_payloads import NotReversed, OrderAskedByHand
from core.model.money import plain
from core.model.order import Order, OrderStatus
from core.ports import EventLog
from core.trading.service import AccountDesk

Place = Callable[[Order, str], Awaitable[None]]
"""Commits and sends an order; the word is what the person asked for, see `OrderAskedByHand`."""
WORD: Final = "reverse"


class Reverses:
    """Those of one account. `recall` what an earlier program left, let `mind` go on, and `give_up` at the end."""

    def __init__(self, desk: AccountDesk, place: Place) -> None:
        self._desk = desk
        self._place = place
        self._pending: dict[str, Order] = {}

    async def begin(self, closing: Order) -> None:
        """Send the order that closes; the other one follows. Raises StoreError."""
        # Before it is sent: it may be filled when that returns. Being cancelled meanwhile takes nothing back.
        self._pending[closing.id] = closing
        try:
            await self._place(closing, WORD)
        except StoreError:
            raise  # it may be stored, and leave all the same: then the other one follows
        except Exception:
            del self._pending[closing.id]
            raise

    async def mind(self) -> None:
        """Let the second order of each leave when the first has filled, and say so when it never will. Goes on until it is cancelled."""
        state = self._desk.state
        while True:
            await state.until(lambda: any(map(self._is_over, self._pending)))
            for closing_id in [each for each in self._pending if self._is_over(each)]:
                # From here on it is the desk's: what it has begun to commit, it commits whoever goes.
                del self._pending[closing_id]
                with suppress(StoreError):  # what was not stored is said when the account is opened again
                    await self._go_on(state.lives[closing_id].order)

    async def _go_on(self, closing: Order) -> None:
        if closing.status is OrderStatus.FILLED:
            await self._place(_opening(closing, self._desk.state.clock.now_ns()), "place")
            return
        filled = f" with {plain(closing.filled_qty)} of {plain(closing.request.qty)} filled" if closing.filled_qty else ""
        await self._tell(closing, f"The order that was to close it is {closing.status}{filled}.")

    async def give_up(self) -> None:
        """Say of what is under way still that it goes no further. Raises StoreError."""
        while self._pending:
            closing_id, _ = self._pending.popitem()
            if closing_id in self._desk.state.lives:
                await self._tell(self._desk.state.lives[closing_id].order, "The account was let go before it was closed.")

    async def recall(self, log: EventLog) -> None:
        """Say of each that an earlier program began, and did not end, that it goes no further. Raises StoreError."""
        lives, absent = self._desk.state.lives, self._desk.absent
        begun: dict[str, None] = {}
        for wire in (OrderAskedByHand.wire, NotReversed.wire):
            after = 0
            while page := await log.read(after_seq=after, pattern=wire):
                after = page[-1].seq
                for event in page:
                    payload = event.payload
                    if isinstance(payload, OrderAskedByHand) and payload.what == WORD:
                        begun[payload.order_id] = None
                    elif isinstance(payload, NotReversed):
                        begun.pop(payload.order_id, None)
        for closing_id in begun:
            if await absent.is_stored(_opening_id(closing_id)):
                continue
            await absent.order(closing_id)
            if closing_id in lives:
                await self._tell(lives[closing_id].order, "The program ended before it was done.")

    def _is_over(self, order_id: str) -> bool:
        life = self._desk.state.lives.get(order_id)
        return life is not None and life.is_settled

    async def _tell(self, closing: Order, reason: str) -> None:
        state, request = self._desk.state, closing.request
        told = NotReversed(order_id=closing.id, symbol=request.symbol, side=request.side, qty=request.qty, reason=reason)
        async with state.turn:
            entry = state.entry()
            entry.tell_of(closing, told)
            await state.apply(entry)


def _opening(closing: Order, now_ns: int) -> Order:
    """Return the order that opens as much on the other side as another has closed. Its id follows from that one's: there is one."""
    request = msgspec.structs.replace(closing.request, reduce_only=False)
    return Order(
        id=_opening_id(closing.id),
        run_id=closing.run_id,
        request=request,
        time_in_force=closing.time_in_force,
        status=OrderStatus.CREATED,
        created_ns=now_ns,
        updated_ns=now_ns,
    )


def _opening_id(closing_id: str) -> str:
    return f"{closing_id}.turn"
