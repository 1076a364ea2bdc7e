"""How what stands on the closing side of a position makes way before the position, or a part of it, is closed.

An exit over more than is held would open the other way. It is made smaller before the closing order leaves, not after: brokers hold
the units of each working sale back, and an exit may be faster. Exits that left as one order, or with their entry, keep their quantity:
they are taken back, and others sent over what stays. Until the closing has come to its end all of it is owed (`core.runs.owed`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BrokerError, InvalidValue
from core.events.live_payloads import OrderAskedByHand
from core.model.hand import OrderTerms
from core.model.money import ZERO
from core.model.order import Order, OrderStatus
from core.runs.closing_side import ClosingSide
from core.runs.owed import Key
from core.runs.owed_exits import OwedExits
from core.trading.order_fold import OrderLife
from core.trading.service import AccountDesk

PATIENCE_S: Final = 20.0
"""How long the broker is waited for to take back, or to change, what stands in the way of closing a position."""

ToldOfChange = Callable[[Order], Awaitable[None]]


def told_by_hand(desk: AccountDesk) -> ToldOfChange:
    """Return what commits that a person asked for the change of an order."""

    async def tell(order: Order) -> None:
        state = desk.state
        async with state.turn:
            entry = state.entry()
            entry.tell_of(order, OrderAskedByHand(order_id=order.id, what="change"))
            await state.apply(entry)

    return tell


class Covers:
    """Those of one account. Whoever calls holds the position's `OwedExits.closing`."""

    def __init__(self, desk: AccountDesk, owed: OwedExits, told_of_change: ToldOfChange | None) -> None:
        """`told_of_change`: commits who asked for the change of an exit, before it is asked for; None: what closes says it."""
        self._desk = desk
        self._told_of_change = told_of_change
        self._owed = owed
        self._side = ClosingSide(desk.state)

    async def clear(self, key: Key, closing: Order, allowed: Decimal) -> None:
        """Take all of it back, and wait for the broker's word: it holds the units that are to be sold. Raises StoreError.

        `allowed`: over how many units exits may be once `closing` has filled.
        """
        found = self._side.excessive(*key, ZERO)
        await self._owed.make_way(found, closing, allowed)
        await self._take_back([life for group, _ in found for life in group])

    async def shrink(self, key: Key, closing: Order, allowed: Decimal) -> None:
        """Let it be over `allowed` units at most before `closing` leaves; the oldest is made smaller first.

        Raises BrokerError where the broker does not do it, InvalidValue, before anything is touched, where the gate would not let what
        was taken back leave again, StoreError.
        """
        excessive = self._side.excessive(*key, allowed)
        for group, wanted in excessive:
            if wanted and self._keeps_its_qty(group):
                self._check_again(group, wanted)
        await self._owed.make_way(excessive, closing, allowed)
        for group, wanted in excessive:
            if not wanted or self._keeps_its_qty(group):
                await self._take_back(group)
            else:
                for life in group:
                    await self._make_smaller(life, wanted)
        if self._side.qty(*key) > allowed:
            raise BrokerError(
                f"The exits of {key.symbol} are still over more than would be left of it; nothing was closed.",
                "Look at the working orders, and try it again in a moment.",
            )
        lives = self._desk.state.lives
        sent = await self._owed.restore(key, closing.request.qty)
        await self._until(lambda: all(lives[each].order.status is not OrderStatus.SUBMITTING for each in sent))
        refused = [lives[each].order for each in sent if lives[each].order.status is OrderStatus.REJECTED]
        if refused:
            raise BrokerError(
                f"The exits of {key.symbol} could not be sent again over what would be left of it; nothing was closed. {refused[0].reason}",
                "They are tried again over all that is held; look at the working orders.",
            )

    def _keeps_its_qty(self, group: Sequence[OrderLife]) -> bool:
        state = self._desk.state
        return any(life.order.id in state.groups.pairs or life.order.id in state.groups.leads for life in group)

    def _check_again(self, group: Sequence[OrderLife], wanted: Decimal) -> None:
        gone = {life.order.id: ZERO for life in group}
        for life in group:
            request = msgspec.structs.replace(life.order.request, qty=wanted)
            order = msgspec.structs.replace(life.order, id=f"{life.order.id}.smaller", request=request, sibling_id=None)
            for verdict in self._desk.verdicts(order, gone):
                rule = f"its exits could not be sent again over what would be left of it. {verdict.sentence}"
                raise InvalidValue(order.request.symbol, "closed in part", rule)

    async def _take_back(self, lives: Sequence[OrderLife]) -> None:
        for life in lives:
            self._owed.asked(life.order.id)
            await self._desk.cancel(life.order.id)
        await self._until(lambda: all(self._now(life).is_settled for life in lives))

    async def _make_smaller(self, life: OrderLife, wanted: Decimal) -> None:
        """Change an order to `wanted` units that are left of it; where that cannot be, take it back."""
        await self._until(lambda: self._now(life).changing is None)
        life = self._now(life)
        if life.left_qty <= wanted:
            return
        self._owed.asked(life.order.id)
        with suppress(InvalidValue):  # it cannot be changed now
            if self._told_of_change is not None:
                await self._told_of_change(life.order)
            await self._desk.change(life.order.id, OrderTerms(qty=life.known_qty + wanted))
            await self._until(lambda: self._now(life).changing is None)
        if self._now(life).left_qty > wanted:
            await self._take_back([life])

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Return once `is_so`, or when the broker takes too long."""
        state = self._desk.state
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await state.until(lambda: state.has_ended or is_so())

    def _now(self, life: OrderLife) -> OrderLife:
        return self._desk.state.lives[life.order.id]
