"""Closes a position, or a part of it, or turns it around, because a person asks for it: in its owner's name, once at a time."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.hand import OUTSIDE
from core.model.market import AssetClass, asset_class_of, parse_symbol
from core.model.money import ZERO, plain
from core.model.order import Order, OrderRequest, OrderSide
from core.runs.closing_side import ClosingSide
from core.runs.covers import told_by_hand
from core.runs.holdings import Holdings
from core.runs.making_way import MakingWay, key_of
from core.runs.owed_exits import OwedExits
from core.runs.reverses import Reverses
from core.trading.service import AccountDesk

Make = Callable[[OrderRequest, str], Order]
"""Returns an order of a run as one that has not left yet."""
Place = Callable[[Order], Awaitable[Order]]
"""Commits and sends an order that the person asked for, and returns its row."""


class Closing:
    """Of one account. What works on the closing side makes way first; should it come to nothing, it is sent again (`OwedExits`)."""

    def __init__(
        self, desk: AccountDesk, owed: OwedExits, reverses: Reverses, make: Make, place: Place, may_short: Callable[[], bool]
    ) -> None:
        """`may_short`: whether the account can sell short. Raises BrokerError."""
        self._desk = desk
        self._reverses = reverses
        self._make = make
        self._place = place
        self._may_short = may_short
        self._side = ClosingSide(desk.state)
        self._way = MakingWay(desk, owed, told_by_hand(desk))
        self._holdings: Final = Holdings(desk.state)

    async def close(self, symbol: str, owner_id: str, qty: Decimal | None = None) -> Order:
        """Close a position, or `qty` of it, at the market, in its owner's name.

        Its exits are taken back first, or made smaller until they are over no more than stays. Raises InputError, BrokerError, StoreError.
        """
        symbol = parse_symbol(symbol)
        held = self._holdings.of(symbol, owner_id)
        if not held:
            raise InvalidValue(symbol, "closed", "nothing of it is held.")
        if qty is not None and qty <= 0:
            raise InvalidValue("qty", plain(qty), "it must be above zero.")
        if qty is not None and qty > abs(held):
            raise InvalidValue(f"{plain(qty)} {symbol}", "closed", f"the position is {plain(held)}.")
        closing = self._make(self._request(symbol, owner_id, held, qty or abs(held), "closed by hand"), self._name(owner_id))
        async with self._way.alone(key_of(closing)):
            is_whole = closing.request.qty == abs(held)
            # Where all of it is closed, all of that makes way; what stands for another's part of it there comes again.
            after = self._allowed(symbol, owner_id, closing.request)
            if not self._way.may_leave(closing, ZERO if is_whole else after):
                return await self._place(closing)  # it is refused, and its exits stay as they are
            held = await self._way.make(closing, owner_id, held, after)
            # It is made anew: what made way for it may have taken its time.
            request = msgspec.structs.replace(closing.request, qty=min(closing.request.qty, abs(held)))
            return await self._place(msgspec.structs.replace(self._make(request, closing.run_id), id=closing.id))

    async def reverse(self, symbol: str, owner_id: str) -> Order:
        """Turn a position around: one order over twice the holding where the broker takes it, else close, and open when that has filled.

        Returns the order that leaves now. Raises InputError, StoreError.
        """
        symbol = parse_symbol(symbol)
        held = self._holdings.of(symbol, owner_id)
        if not held:
            raise InvalidValue(symbol, "turned around", "nothing of it is held.")
        if held > 0 and asset_class_of(symbol) is not AssetClass.EQUITY:
            raise InvalidValue(symbol, "turned around", "coins cannot be sold short; close the position instead.")
        if held > 0 and not self._may_short():
            raise InvalidValue(symbol, "turned around", "this account cannot sell short; close the position instead.")
        order = self._reversing(symbol, owner_id, held)
        async with self._way.alone(key_of(order)):
            if self._way.may_leave(order, ZERO):
                after = self._allowed(symbol, owner_id, self._request(symbol, owner_id, held, abs(held), ""))
                held = await self._way.make(order, owner_id, held, after)
                order = msgspec.structs.replace(self._reversing(symbol, owner_id, held), id=order.id)
            if self._desk.state.features.reverses:
                return await self._place(order)
            await self._reverses.begin(order)
            return self._desk.state.lives[order.id].order

    def _reversing(self, symbol: str, owner_id: str, held: Decimal) -> Order:
        """Return the order that turns a position around, or, where that takes two, the one that closes it."""
        request = self._request(symbol, owner_id, held, abs(held), "reversed by hand")
        if self._desk.state.features.reverses:
            request = msgspec.structs.replace(request, qty=2 * abs(held), reduce_only=False)
        return self._make(request, self._name(owner_id))

    def _request(self, symbol: str, owner_id: str, held: Decimal, qty: Decimal, note: str) -> OrderRequest:
        side = OrderSide.SELL if held > 0 else OrderSide.BUY
        # What came from outside is in no book of ours that the order could reduce.
        return OrderRequest(symbol=symbol, side=side, qty=qty, reduce_only=owner_id != OUTSIDE, note=note)

    def _allowed(self, symbol: str, owner_id: str, closing: OrderRequest) -> Decimal:
        """Return over how many units the orders on the closing side may be when an order has closed its part of a position."""
        own_id, side, qty = self._holdings.hand_run_id, closing.side, closing.qty
        if owner_id not in {OUTSIDE, own_id}:
            return abs(self._holdings.of(symbol, owner_id)) - qty
        own, outside = (max(ZERO, -side.sign * self._holdings.of(symbol, one)) for one in (own_id, OUTSIDE))
        if owner_id == OUTSIDE:
            return own + outside - qty
        # What is over more than the person's own stands for what is held outside.
        beyond = max(ZERO, self._side.qty(own_id, symbol, side) - own)
        return own - qty + min(beyond, outside)

    def _name(self, owner_id: str) -> str:
        """Return in which run's name a position of an owner is closed."""
        return self._holdings.hand_run_id if owner_id == OUTSIDE else owner_id
