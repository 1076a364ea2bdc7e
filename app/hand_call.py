"""A piece of work at an account that is connected for a person, for the length of one call."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.account_call import accounts_of, parse_account
from app.call import Call
from app.words import surely
from core.errors import InputError, InvalidValue

if TYPE_CHECKING:
    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.broker import AccountName
    from core.model.hand import AccountView
    from core.model.order import Order

T = TypeVar("T")
PATIENCE_S: Final = 20.0
"""How long the broker's word on an order is waited for."""


class At:
    """An account that is connected for the length of a call."""

    def __init__(self, engine: "Engine", broker_id: str, account: "AccountName") -> None:
        self.engine = engine
        self.key = (broker_id, account)

    async def view(self) -> "AccountView":
        return await self.engine.account_view(*self.key)

    async def order(self, order_id: str, run_id: str) -> "Order":
        return next(one for one in await self.engine.orders(run_id) if one.id == order_id)

    async def followed(self, order: "Order") -> "Order":
        """Return an order once the broker has taken, filled or refused it; a market order once it is over, or after a while."""
        from core.model.order import OrderStatus, OrderType

        waits = order.request.type is OrderType.MARKET
        newest = order

        async def is_so() -> bool:
            nonlocal newest
            newest = await self.order(order.id, order.run_id)
            return newest.status.is_final or (not waits and newest.status not in {OrderStatus.CREATED, OrderStatus.SUBMITTING})

        await self._until(is_so, PATIENCE_S)
        return newest

    async def until_exits_left(self, entry: "Order", count: int) -> None:
        """Return once so many exits of an order have left, or the order is over and filled nothing."""
        from core.model.order import OrderStatus

        async def is_so() -> bool:
            rows = await self.engine.orders(entry.run_id)
            newest = next(one for one in rows if one.id == entry.id)
            left = [one for one in rows if one.parent_id == entry.id and one.status is not OrderStatus.SUBMITTING]
            return len(left) >= count or (newest.status.is_final and not newest.filled_qty)

        await self._until(is_so, None)

    async def until(self, is_so: "Callable[[AccountView], bool]", patience_s: float | None = PATIENCE_S) -> None:
        """Return once the account is so, or after a while."""

        async def look() -> bool:
            return is_so(await self.view())

        await self._until(look, patience_s)

    async def _until(self, is_so: Callable[[], Awaitable[bool]], patience_s: float | None) -> None:
        told = asyncio.Event()
        with self.engine.subscribe("account.Changed", lambda _: told.set(), owner="command line"):
            try:
                async with asyncio.timeout(patience_s):
                    while not await is_so():
                        told.clear()
                        await told.wait()
            except TimeoutError:
                return  # it goes on; what is shown is how it stands

    @asynccontextmanager
    async def until_covered(self) -> AsyncIterator[None]:
        """Let the block close a position; however it ends, wait until exits that made way in vain are back, or it is said why not."""
        try:
            yield
        finally:
            await self.until(lambda now: not now.lacks_exits)

    @asynccontextmanager
    async def until_settled(self, order_id: str, wires: set[str]) -> AsyncIterator[list[Any]]:
        """Gather an order's events of these types; the block's end waits for the first."""
        said: list[Any] = []
        told = asyncio.Event()

        def take(event: Any) -> None:
            if event.type in wires and event.payload.order_id == order_id:
                said.append(event)
                told.set()

        with self.engine.subscribe("orders.*", take, owner="command line"):
            yield said
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await told.wait()
            except TimeoutError:
                return

    def one_working(self, view: "AccountView", text: str) -> "Order":
        """Return the working order that is meant. Raises UnknownName, InvalidValue."""
        from core.errors import UnknownName

        found = [one for one in view.working if one.id == text] or [one for one in view.working if text and one.id.startswith(text)]
        if not found:
            raise UnknownName("working order", text, [one.id for one in view.working])
        if len(found) > 1:
            raise InvalidValue("order", text, f"{len(found)} working orders begin so; write more of the id.")
        surely("order", text, found[0].id)
        return found[0]

    def owner_of(self, view: "AccountView", symbol: str, owner: str | None, done: str = "closed or turned around") -> str:
        """Return whose position is meant. Raises InputError."""
        held = [one for one in view.positions if one.symbol == symbol.upper()]
        fitting = held if owner is None else [one for one in held if one.owner_id.startswith(owner)]
        if not fitting:
            raise InvalidValue(symbol, done, "nothing of it is held" + (f" by {owner}." if owner else "."))
        if len(fitting) > 1:
            named = ", ".join(f"{one.owner_id} ({one.owner})" for one in fitting)
            raise InputError(f"{symbol} is held by several: {named}.", "Name one with --owner.")
        return fitting[0].owner_id if owner is None else surely("owner", owner, fitting[0].owner_id)


class HandCall:
    """Connects to an account for the length of one piece of work."""

    def __init__(self, call: Call, broker: str | None, account: str, confirm: str) -> None:
        self._call = call
        self._account = parse_account(account)
        self._broker = broker or accounts_of(call).adapter_of(self._account)
        self._confirm = confirm

    def run(self, work: Callable[[At], Awaitable[T]]) -> T:
        async def connected(engine: "Engine") -> T:
            from core.views.words import words

            def say(event: "Envelope") -> None:
                sys.stderr.write(words(event, lambda _: None) + "\n")

            # What an earlier call left undone is said at the connection, what this one leaves undone at its end.
            with ExitStack() as heard:
                for wire in ("orders.NotReversed", "orders.LeftBare"):
                    heard.enter_context(engine.subscribe(wire, say, owner="command line"))
                await engine.connect_account(self._broker, self._account, self._confirm)
                try:
                    return await work(At(engine, self._broker, self._account))
                finally:
                    await engine.disconnect_account(self._broker, self._account)

        return self._call.run(connected)
