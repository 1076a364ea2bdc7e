"""What stands on the closing side of a position, and how it is made smaller before a part of the position is closed.

An exit over more than is held would open the other way. It is made smaller before the closing order leaves, not after: brokers hold
the units of each working sale back, and an exit may be faster. Exits that left as one order, or with their entry, keep their quantity:
they are taken back, and others sent over what stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final
from uuid import uuid4

import msgspec

from core.errors import BrokerError, InvalidValue
from core.events.live_payloads import OrderAskedByHand
from core.model.hand import OrderTerms
from core.model.money import ZERO
from core.model.order import Order, OrderSide, OrderStatus
from core.trading.order_fold import OrderLife
from core.trading.service import AccountDesk, Intent

PATIENCE_S: Final = 20.0
"""How long the broker is waited for to take back, or to change, what stands in the way of closing a position."""
Cancel = Callable[[str], Awaitable[None]]


class Covers:
    """Those of one account. `cancel` asks for the cancel of an order in the person's name."""

    def __init__(self, desk: AccountDesk, cancel: Cancel) -> None:
        self._desk = desk
        self._cancel = cancel

    def orders(self, run_id: str, symbol: str, side: OrderSide) -> list[OrderLife]:
        """Return what works on a side of a run, oldest first, but for exits that the broker holds for an entry which has filled nothing."""
        state = self._desk.state
        working = (life for life in state.working(run_id) if not self._waits_there(life.order))
        found = [life for life in working if (life.order.request.symbol, life.order.request.side) == (symbol, side)]
        return sorted(found, key=lambda life: (life.order.created_ns, life.order.id))

    def _waits_there(self, order: Order) -> bool:
        """Tell whether the broker holds an exit for an entry that has filled nothing: it keeps no units back, and ends with its entry."""
        return self._desk.state.is_held(order) and not self._desk.state.lives[order.parent_id or ""].known_qty

    def qty(self, run_id: str, symbol: str, side: OrderSide, *, exits_only: bool = False) -> Decimal:
        """Return over how many units it is; of two orders of which one cancels the other the larger counts.

        `exits_only`: without orders that may open something.
        """
        working = self.orders(run_id, symbol, side)
        counted = [life for life in working if not exits_only or life.order.parent_id is not None or life.order.request.reduce_only]
        return sum(map(self._open, _grouped(counted)), ZERO)

    def left_of(self, spoken_for: dict[str, Decimal], life: OrderLife) -> Decimal | None:
        """Return what an entry left to be closed: what it filled, as far as it is held still and no exit is over it.

        None while it is not known what the broker keeps of a bought coin. `spoken_for`: by symbol, what leaves at the same time.
        """
        state, order = self._desk.state, life.order
        if state.awaits_fee({order.id}):
            return None
        symbol, side = order.request.symbol, order.request.side
        closing = OrderSide.SELL if side is OrderSide.BUY else OrderSide.BUY
        held = max(ZERO, side.sign * state.books[order.run_id].held(symbol))
        taken = self.qty(order.run_id, symbol, closing, exits_only=True) + spoken_for.get(symbol, ZERO)
        left = max(ZERO, min(state.net_qty(life), held - taken))
        spoken_for[symbol] = spoken_for.get(symbol, ZERO) + left
        return left

    def check_entries(self, run_id: str, symbol: str, closing: OrderSide) -> None:
        """Raise InvalidValue while an entry that its exits left with fills on: they would work over all of it, whatever is closed now."""
        state = self._desk.state
        for life in state.working(run_id):
            request = life.order.request
            if request.symbol == symbol and request.side is not closing and life.known_qty and state.has_exits(life.order.id):
                rule = f"its entry {life.order.id} still fills, with exits over all of it that left with it; cancel that order first."
                raise InvalidValue(symbol, "closed", rule)

    def after(self, run_id: str, symbol: str, side: OrderSide, allowed: Decimal) -> dict[str, Decimal]:
        """Return over how many units each order will be that `shrink`, or for nothing allowed `clear`, is to make smaller; zero: gone."""
        return {life.order.id: wanted for group, wanted in self._excessive(run_id, symbol, side, allowed) for life in group}

    def _excessive(self, run_id: str, symbol: str, side: OrderSide, allowed: Decimal) -> list[tuple[list[OrderLife], Decimal]]:
        """Return what is over more than is allowed, in groups of which one cancels the others, and over how much each may be."""
        excess, found = self.qty(run_id, symbol, side) - allowed, []
        for group in _grouped(self.orders(run_id, symbol, side)):
            if excess <= 0:
                break
            wanted = max(ZERO, self._open(group) - excess)
            excess -= self._open(group) - wanted
            found.append((group, wanted))
        return found

    async def clear(self, run_id: str, symbol: str, side: OrderSide) -> None:
        """Take all of it back, and wait for the broker's word: it holds the units that are to be sold."""
        await self._take_back(self.orders(run_id, symbol, side))

    async def shrink(self, run_id: str, symbol: str, side: OrderSide, allowed: Decimal) -> None:
        """Let it be over `allowed` units at most; the oldest is made smaller first.

        Raises BrokerError where the broker does not do it, InvalidValue, before anything is touched, where the gate would not let what
        was taken back leave again.
        """
        excessive = self._excessive(run_id, symbol, side, allowed)
        for group, wanted in excessive:
            if wanted and self._keeps_its_qty(group):
                self._check_again(group, wanted)
        for group, wanted in excessive:
            if not wanted:
                await self._take_back(group)
            elif self._keeps_its_qty(group):
                await self._send_again(group, wanted)
            else:
                for life in group:
                    await self._make_smaller(life, wanted)
        if self.qty(run_id, symbol, side) > allowed:
            raise BrokerError(
                f"The exits of {symbol} are still over more than would be left of it; nothing was closed.",
                "Look at the working orders, and try it again in a moment.",
            )

    def _keeps_its_qty(self, group: Sequence[OrderLife]) -> bool:
        state = self._desk.state
        return any(life.order.id in state.pairs or life.order.id in state.leads for life in group)

    def _check_again(self, group: Sequence[OrderLife], wanted: Decimal) -> None:
        gone = {life.order.id: ZERO for life in group}
        for life in group:
            order = self._again(life.order, {life.order.id: f"{life.order.id}.smaller"}, wanted)
            for verdict in self._desk.verdicts(order, gone):
                rule = f"its exits could not be sent again over what would be left of it. {verdict.sentence}"
                raise InvalidValue(order.request.symbol, "closed in part", rule)

    async def _take_back(self, lives: Sequence[OrderLife]) -> None:
        for life in lives:
            await self._cancel(life.order.id)
        await self._until(lambda: all(self._now(life).is_settled for life in lives))

    async def _make_smaller(self, life: OrderLife, wanted: Decimal) -> None:
        """Change an order to `wanted` units that are left of it; where that cannot be, take it back."""
        await self._until(lambda: self._now(life).changing is None)
        life = self._now(life)
        if _rest(life) <= wanted:
            return
        with suppress(InvalidValue):  # it cannot be changed now
            await self._told(life.order, "change")
            await self._desk.change(life.order.id, OrderTerms(qty=life.known_qty + wanted))
            await self._until(lambda: self._now(life).changing is None)
        if _rest(self._now(life)) > wanted:
            await self._take_back([life])

    async def _send_again(self, group: Sequence[OrderLife], wanted: Decimal) -> None:
        """Take a pair back and send another one of the same terms over `wanted` units, or what is left of those."""
        await self._take_back(group)
        filled = sum((self._now(life).known_qty - life.known_qty for life in group), ZERO)  # it was faster
        if wanted <= filled or not all(self._now(life).order.status is OrderStatus.CANCELLED for life in group):
            return
        ids = {life.order.id: f"{life.order.run_id}-h{uuid4().hex[:10]}" for life in group}
        pair = [self._again(life.order, ids, wanted - filled) for life in group]
        await self._desk.place(
            [Intent(order=order, caused_by=self._desk.state.causes.of_order.get(old)) for old, order in zip(ids, pair, strict=True)]
        )
        await self._until(lambda: all(self._desk.state.lives[order.id].order.status is not OrderStatus.SUBMITTING for order in pair))

    def _again(self, order: Order, ids: dict[str, str], qty: Decimal) -> Order:
        now_ns = self._desk.state.clock.now_ns()
        return Order(
            id=ids[order.id],
            run_id=order.run_id,
            request=msgspec.structs.replace(order.request, qty=qty),
            time_in_force=order.time_in_force,
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
            parent_id=order.parent_id,
            sibling_id=ids.get(order.sibling_id or ""),
        )

    async def _told(self, order: Order, what: str) -> None:
        state = self._desk.state
        async with state.turn:
            entry = state.entry()
            entry.tell_of(order, OrderAskedByHand(order_id=order.id, what=what))
            await state.apply(entry)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Return once `is_so`, or when the broker takes too long."""
        state = self._desk.state
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await state.until(lambda: state.has_ended or is_so())

    def _open(self, group: Sequence[OrderLife]) -> Decimal:
        """Return over how many units orders are of which one cancels the others."""
        return max(map(self._left, group), default=ZERO)

    def _left(self, life: OrderLife) -> Decimal:
        """Return over how many units an order still is: of two whose pair the broker minds it takes off one what the other filled."""
        other = self._desk.state.lives.get(self._desk.state.pairs.get(life.order.id, ""))
        if other is None:
            return _rest(life)
        # A change may have been made of what was left of one by then: the larger is what both were over.
        both = max(life.order.request.qty, other.order.request.qty) - life.known_qty - other.known_qty
        return max(ZERO, min(_rest(life), both))

    def _now(self, life: OrderLife) -> OrderLife:
        return self._desk.state.lives[life.order.id]


def _rest(life: OrderLife) -> Decimal:
    return life.left_qty


def _grouped(lives: Sequence[OrderLife]) -> list[list[OrderLife]]:
    """Return orders in groups of which one cancels the others, in their order."""
    groups: list[list[OrderLife]] = []
    at: dict[str, list[OrderLife]] = {}
    for life in lives:
        group = at.get(life.order.sibling_id or "")
        if group is None:
            group = []
            groups.append(group)
        group.append(life)
        at[life.order.id] = group
    return groups
