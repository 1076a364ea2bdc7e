"""What the broker says by itself of an account's orders, folded into what is known of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.errors import KnownError
from core.events.live_payloads import StreamChanged
from core.model.broker import Execution, OrderUpdate, StreamState, StreamStatus
from core.ports import BrokerStreams
from core.trading.desk_tasks import OnBug
from core.trading.entries import Entry
from core.trading.missing import Missing
from core.trading.order_fold import executed, heard
from core.trading.state import AccountState

_log = logging.getLogger(__name__)


class OrderUpdates:
    """Of one account. `wake` asks for a comparison; `take_entries` books what moved the account without an execution."""

    def __init__(
        self,
        state: AccountState,
        streams: BrokerStreams,
        missing: Missing,
        take_entries: Callable[[], Awaitable[None]],
        wake: Callable[[], None],
        on_bug: OnBug,
    ) -> None:
        self._state = state
        self._streams = streams
        self._missing = missing
        self._take_entries = take_entries
        self._wake = wake
        self._on_bug = on_bug
        self._updates: asyncio.Queue[OrderUpdate] = asyncio.Queue()
        self._statuses: asyncio.Queue[StreamStatus] = asyncio.Queue()

    async def listen(self) -> None:
        """Hear of every order of the account; after each connect and reconnect ask for what was missed."""

        def on_status(status: StreamStatus) -> None:
            self._statuses.put_nowait(status)
            self._state.lines.note("orders", is_heard=status.state is StreamState.LISTENING)
            if status.state is StreamState.LISTENING:
                self._wake()

        await self._streams.order_updates(self.hear, on_status)

    def hear(self, update: OrderUpdate) -> None:
        """Take what the broker says of an order."""
        self._updates.put_nowait(update)

    async def tell_statuses(self) -> None:
        """Tell that the stream was lost, and that it is there again."""
        lost = False
        while True:
            status = await self._statuses.get()
            if status.state in {StreamState.LOST, StreamState.STALE} or (status.state is StreamState.LISTENING and lost):
                lost = status.state is not StreamState.LISTENING
                await self._state.tell(StreamChanged(account=self._state.key, stream="orders", state=status.state.value, said=status.said))

    async def fold_always(self) -> None:
        """Book what was heard, as much at once as came meanwhile."""
        while True:
            batch = [await self._updates.get()]
            while not self._updates.empty():
                batch.append(self._updates.get_nowait())
            if any(update.event == "restated" for update in batch):
                await self._take_entries()  # a split, perhaps: what comes after it is in other units
            try:
                async with self._state.turn:
                    entry = self._state.entry()
                    for update in batch:
                        try:
                            self._fold(update, entry)
                        except Exception as error:  # of one order; the others have nothing to do with it
                            self._on_bug(error, f"an update of order {update.order.id}")
                    await self._state.apply(entry)
            except KnownError as error:
                # What is not stored is not known either: it is asked for again when the store takes it.
                _log.warning("Updates of %s were not stored: %s", self._state.key, error)
                self._wake()
            except Exception as error:
                self._on_bug(error, f"updates of {self._state.key}")
                self._wake()

    def _fold(self, update: OrderUpdate, entry: Entry) -> None:
        state, now_ns = self._state, self._state.clock.now_ns()
        known = state.find(update.order.client_order_id, update.order.id)
        if known is None:
            self._wake()  # somebody else's order: reconciliation adopts it
            return
        life = entry.life(known.order.id, known)
        if update.event == "order_replace_rejected":
            self._wake()  # which of the two orders that is about differs: both are asked for
        entry.take(heard(life, update.order, now_ns))
        execution: Execution | None = update.execution
        if execution is not None:
            life = entry.life(known.order.id, known)
            entry.take(executed(life, execution, state.fill_id(execution.id), now_ns))
        life = entry.life(known.order.id, known)
        if life.missing_qty or life.is_unclear:
            self._missing.expect(known.order.id)
        for other in state.groups.ended_with(entry.life(known.order.id, known).order):
            self._missing.expect(other)  # not every broker tells of it
        if execution is not None and state.features.coin_fees:
            self._wake()  # what the broker kept of a bought coin, only what it holds tells
