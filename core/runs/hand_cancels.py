"""What a person takes back at one account: the broker is asked at once, whether that can be stored or not."""

from collections.abc import Callable

from core.errors import StoreError
from core.events.live_payloads import OrderAskedByHand
from core.model.order import Order
from core.runs.families import Families
from core.runs.owed_exits import OwedExits
from core.runs.store_away import StoreAway
from core.trading.service import AccountDesk


class HandCancels:
    """`changed` is called when an exit that waits is gone, of which nothing else is told."""

    def __init__(self, desk: AccountDesk, families: Families, owed: OwedExits, away: StoreAway, changed: Callable[[], None]) -> None:
        self._desk = desk
        self._families = families
        self._owed = owed
        self._away = away
        self._changed = changed

    async def cancel(self, order: Order) -> None:
        """Take back an order that is not over. Returns once that is stored: while the store is away that waits, and the broker is asked.

        Raises StoreError for what waiting does not mend; then the broker is asked, too.
        """
        is_asked = False

        async def ask() -> None:
            nonlocal is_asked
            is_asked = is_asked or order.id in self._desk.state.lives
            if is_asked:
                await self._desk.cancel(order.id)

        debts = self._owed.let_go(order.id)  # before it is over: what a person takes back does not come again
        try:
            await self._away.tell(self._desk.state, order, _asked(order), while_waiting=ask)
        except StoreError:  # what waiting does not mend, a full disk for one: the broker is asked all the same
            await ask()
            raise
        if debts:
            await self._away.outlast(lambda: self._owed.tell_end(debts, "Its exits were taken back by hand."))
        if not is_asked:
            await self._carry_out(order)

    async def cancel_all(self) -> int:
        """Take back every working order of ours; return how many. Raises StoreError when all were asked for."""
        # First the exits that wait: otherwise those of an order that filled a part would leave when it is cancelled.
        wanted = self._families.waiting_orders() + [life.order for life in self._desk.state.working()]
        refused: StoreError | None = None
        try:
            await self._owed.forget(None, "All orders were taken back by hand, and so what was owed.")
        except StoreError as error:
            refused = error
        for order in wanted:
            if self._families.is_gone(order.id):
                continue  # with the one it was paired with
            try:
                await self._cancel_now(order)
            except StoreError as error:
                refused = error
                if order.id in self._desk.state.lives:
                    await self._desk.cancel(order.id)  # the broker is asked, whether that can be stored or not
        if refused is not None:
            raise refused
        return len(wanted)

    async def _cancel_now(self, order: Order) -> None:
        """As `cancel`, where nobody waits for a store that is away: then nothing is asked of the broker. Raises StoreError."""
        async with self._desk.state.turn:
            entry = self._desk.state.entry()
            entry.tell_of(order, _asked(order))
            await self._desk.state.apply(entry)
        await self._carry_out(order)

    async def _carry_out(self, order: Order) -> None:
        if self._families.drop(order.id):
            self._changed()
        elif order.id in self._desk.state.lives:  # also one that waited and has left meanwhile
            await self._desk.cancel(order.id)


def _asked(order: Order) -> OrderAskedByHand:
    return OrderAskedByHand(order_id=order.id, what="cancel")
