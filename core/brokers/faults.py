"""Everything that can go wrong between a broker and us, as switches: slow, lost, doubled, reordered."""

import asyncio
from collections.abc import Callable

from core.errors import BrokerRefused, BrokerUnreachable, KeysRefused, OutcomeUnknown, RateLimited
from core.model.broker import OrderUpdate, RefusalReason

Deliver = Callable[[OrderUpdate], None]


class Faults:
    """Switches of one connection. Counts go down as they are used up; nothing is wrong at first."""

    def __init__(self) -> None:
        self.answer_delay_s = 0.0
        """Seconds before each answer."""
        self.lose_requests = 0
        """So many orders get lost on their way; nobody can tell."""
        self.lose_answers = 0
        """So many orders are taken, and their answer is lost."""
        self.keys_refused = False
        """The keys were revoked: the stream ends, and nothing is answered."""
        self.unreachable = False
        """No request gets through, and that is known."""
        self.busy_cancels = 0
        """So many cancels are too many for the broker now; it takes none of them."""
        self.refuse_change = False
        """The next change is pending until a cancel is asked for; that is refused because of it, and then it is refused itself."""
        self._cancel_wanted = asyncio.Event()
        self.lose_updates = 0
        self.double_updates = False
        self.reorder_updates = False
        """Each update is told after the one that follows it."""
        self.silent_positions = False
        """The list of positions stays as it was: the broker's lag."""
        self._held: list[OrderUpdate] = []
        self._line = asyncio.Event()
        self._line.set()
        self._dropped = asyncio.Event()

    # --- requests ---

    async def before(self) -> None:
        """Wait as long as an answer takes. Raises BrokerUnreachable, KeysRefused."""
        if self.keys_refused:
            raise KeysRefused("The broker does not accept the keys.", "Make new ones.")
        if self.unreachable:
            raise BrokerUnreachable("The broker cannot be reached.", "Nothing was sent.")
        if self.answer_delay_s:
            await asyncio.sleep(self.answer_delay_s)

    async def before_reading(self) -> None:
        """Wait as `before` does, where what an account has is asked for."""
        await self.before()

    def request_is_lost(self, client_order_id: str | None) -> None:
        """Raise OutcomeUnknown when the request does not arrive."""
        if self.lose_requests:
            self.lose_requests -= 1
            raise _unknown(client_order_id)

    def answer_is_lost(self, client_order_id: str | None) -> None:
        """Raise OutcomeUnknown when the request arrived and its answer does not."""
        if self.lose_answers:
            self.lose_answers -= 1
            raise _unknown(client_order_id)

    async def change_is_refused(self) -> None:
        """Raise BrokerRefused where a change is pending, once a cancel was asked for."""
        if self.refuse_change:
            await self._cancel_wanted.wait()
            self.refuse_change = False
            raise BrokerRefused("The broker refused: no.", reason=RefusalReason.INVALID_ORDER, status=422, words="no")

    def cancel_is_refused(self) -> None:
        """Raise RateLimited or BrokerRefused when the broker does not take a cancel."""
        if self.refuse_change:
            self._cancel_wanted.set()
            words = "order is pending_replace and cannot be canceled"
            raise BrokerRefused(f"The broker refused: {words}.", reason=RefusalReason.ORDER_FINAL, status=422, words=words)
        if self.busy_cancels:
            self.busy_cancels -= 1
            raise RateLimited("Cancelling: the broker takes no more requests for now (429).", "Try again in a minute.")

    # --- the stream ---

    def deliver(self, update: OrderUpdate, on_update: Deliver) -> None:
        """Hand an update on, as the switches have it."""
        if self.lose_updates:
            self.lose_updates -= 1
            return
        if self.reorder_updates:
            self._held.append(update)
            if len(self._held) < 2:
                return
            for one in self._held[::-1]:
                self._hand(one, on_update)
            self._held.clear()
            return
        for one in self._held:
            self._hand(one, on_update)
        self._held.clear()
        self._hand(update, on_update)

    def _hand(self, update: OrderUpdate, on_update: Deliver) -> None:
        on_update(update)
        if self.double_updates:
            on_update(update)

    def cut(self) -> None:
        """Cut the stream until `mend`; what happens meanwhile is not told later."""
        self._line.clear()
        self._dropped.set()

    def mend(self) -> None:
        """Let the stream connect again."""
        self._line.set()

    @property
    def is_cut(self) -> bool:
        """Whether the stream is cut and not mended yet."""
        return not self._line.is_set()

    async def until_cut(self) -> None:
        """Return when the stream is cut."""
        await self._dropped.wait()
        self._dropped.clear()

    async def until_mended(self) -> None:
        """Return when the stream may connect. Raises KeysRefused."""
        if self.keys_refused:
            raise KeysRefused("The broker does not accept the keys.", "Make new ones.")
        await self._line.wait()


def _unknown(client_order_id: str | None) -> OutcomeUnknown:
    return OutcomeUnknown("The broker did not answer.", "It is looked up.", client_order_id=client_order_id)
