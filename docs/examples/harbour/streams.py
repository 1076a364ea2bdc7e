"""Harbour's websocket: updates of orders, and prices."""

import asyncio
import json
import random
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from core.brokers.api import AnswerUnreadable, BrokerUnreachable, InvalidValue, RateLimited, is_crypto_watch
from core.model.broker import OrderUpdate, StreamState, StreamStatus, Tick, Watch

from .rows import tick_of
from .wire import Wire
from .words import Document, reading, update_of

ENTER_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0
OnStatus = Callable[[StreamStatus], None]


class HarbourStreams:
    """What Harbour tells by itself."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._url = wire.url.replace("http", "ws", 1) + "/feed"

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: OnStatus) -> None:
        last = 0

        def begin(welcome: Document) -> None:
            nonlocal last
            last = welcome["seq"]

        def take(row: Document) -> None:
            nonlocal last
            if row["seq"] <= last:
                return  # told before
            if row["seq"] > last + 1:
                # What was missed is not told again: connecting anew makes the program ask for it.
                raise AnswerUnreadable(f"Harbour's updates {last + 1} to {row['seq'] - 1} did not come.")
            last = row["seq"]
            on_update(update_of(row))

        await self._listen({"want": "orders"}, begin, take, on_status)

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: OnStatus) -> None:
        if is_crypto_watch(watch):
            raise InvalidValue("symbols", "a coin", "Harbour trades shares.")
        wanted = {"want": "prices", "bars": watch.bars, "quotes": watch.quotes, "trades": watch.trades}

        def take(row: Document) -> None:
            if (tick := tick_of(row)) is not None:
                on_tick(tick)

        await self._listen(wanted, lambda _: None, take, on_status)

    async def _listen(
        self, wanted: Document, begin: Callable[[Document], None], take: Callable[[Document], None], on_status: OnStatus
    ) -> None:
        """Listen until this task is cancelled, over every lost connection."""
        pause_s = FIRST_PAUSE_S
        while True:
            on_status(StreamStatus(state=StreamState.CONNECTING))
            try:
                token = await self._wire.token()
                # The pings notice a connection that is open and dead.
                async with connect(self._url, open_timeout=ENTER_S, ping_interval=20, ping_timeout=20, close_timeout=2) as socket:
                    with reading("its welcome"):
                        begin(await self._entered(socket, token, wanted, on_status))
                    pause_s = FIRST_PAUSE_S
                    on_status(StreamStatus(state=StreamState.LISTENING))
                    async for frame in socket:
                        with reading("a message"):
                            row = json.loads(frame)
                        take(row)
                said = "Harbour closed it."
            except (OSError, TimeoutError, WebSocketException) as error:
                said = f"{type(error).__name__}: {error}"
            except (AnswerUnreadable, BrokerUnreachable, RateLimited) as error:
                said = error.what
            on_status(StreamStatus(state=StreamState.LOST, said=said))
            # Some earlier and some later, so that not all programs are back at once.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _entered(self, socket: ClientConnection, token: str, wanted: Document, on_status: OnStatus) -> Document:
        """Log in on the stream and say what is wanted; return the welcome."""
        async with asyncio.timeout(ENTER_S):
            await socket.send(json.dumps({"token": token}))
            answer: Document = json.loads(await socket.recv())
            if not answer["ok"]:
                self._wire.forget_token()
                raise BrokerUnreachable(f"Harbour let us not in: {answer['say']}.")
            on_status(StreamStatus(state=StreamState.AUTHENTICATED))
            await socket.send(json.dumps(wanted))
            welcome: Document = json.loads(await socket.recv())
            return welcome
