"""Lets what works on the closing side of a position make way, whoever closes it, once at a time. Source: docs/adr/0033, 0039."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

from core.errors import InvalidValue, UnknownName
from core.model.money import ZERO
from core.model.order import Order
from core.runs.closing_side import ClosingSide
from core.runs.covers import Covers, ToldOfChange
from core.runs.holdings import Holdings
from core.runs.owed import Key
from core.runs.owed_exits import OwedExits
from core.trading.service import AccountDesk


class MakingWay:
    """Of one account, for a person or for a run. What made way is owed (`OwedExits`) until the closing order has come to its end."""

    def __init__(self, desk: AccountDesk, owed: OwedExits, told_of_change: ToldOfChange | None = None) -> None:
        """`told_of_change`: see `Covers`."""
        self._desk = desk
        self._owed = owed
        self.side: Final = ClosingSide(desk.state)
        self._covers = Covers(desk, owed, told_of_change)
        self._holdings = Holdings(desk.state)

    @asynccontextmanager
    async def alone(self, key: Key, *, waits: bool = False) -> AsyncGenerator[None]:
        """Close or reverse a position one at a time, until the order is committed: each looks at what is held.

        `waits`: until another one is through; otherwise raises InvalidValue.
        """
        if not waits and self._owed.is_closing(key):
            raise InvalidValue(key.symbol, "closed or turned around", "that is under way already.")
        async with self._owed.closing(key):
            yield

    def may_leave(self, closing: Order, allowed: Decimal) -> bool:
        """Tell whether the gate lets an order leave once what works on its side is over `allowed` units: before any of it is touched."""
        if closing.run_id not in self._desk.state.books:
            raise UnknownName("run at this account", closing.run_id, self._desk.state.books)
        return not self._desk.verdicts(closing, self.side.after(*key_of(closing), allowed))

    async def make(self, closing: Order, owner_id: str, held: Decimal, after: Decimal) -> Decimal:
        """Let all make way where all that is held is closed, else what is over more than `after` units; return what is held then.

        Raises InvalidValue where nothing is left to close or something works on, BrokerError, StoreError. Only within `alone`.
        """
        key = key_of(closing)
        if closing.request.qty < abs(held):
            self.side.check_entries(*key)
            await self._covers.shrink(key, closing, after)
            return self._still_held(key.symbol, owner_id, held)
        await self._covers.clear(key, closing, after)
        left = self._still_held(key.symbol, owner_id, held)
        if self.side.qty(*key):  # the broker holds its units back
            words = "the broker has not cancelled yet what works to close it, which is sent again if it does; try again in a moment."
            raise InvalidValue(key.symbol, "closed", words)
        return left

    def _still_held(self, symbol: str, owner_id: str, held: Decimal) -> Decimal:
        """Return what is held of a position now: an exit may have been faster. Raises InvalidValue where nothing is."""
        left = self._holdings.of(symbol, owner_id)
        if left * held <= ZERO:
            raise InvalidValue(symbol, "closed", "one of its exits has closed it just now.")
        return left


def key_of(closing: Order) -> Key:
    """Return whose position an order closes."""
    return Key(closing.run_id, closing.request.symbol, closing.request.side)
