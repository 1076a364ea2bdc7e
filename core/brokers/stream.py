"""A broker's stream over a websocket: it connects, says who it is, listens, notices silence, and comes back."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from core.brokers.address import is_loopback
from core.brokers.patience import pause_s
from core.errors import KeysRefused
from core.model.broker import StreamState, StreamStatus

Item = TypeVar("Item")

LARGEST_FRAME_BYTES: Final = 16_000_000
SLICE_S: Final = 0.008
"""How long it hands out items before the loop gets its turn."""
_UNREADABLE: Final = (ValueError, KeyError, TypeError, ArithmeticError)

_log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.WARNING)  # below, the library writes whole frames, and one of them holds the keys


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPatience:
    """Limits of a stream, in seconds. `silence_s` without a message: it is asked something; `answer_s` later it is stale."""

    connect_s: float = 10.0
    enter_s: float = 15.0
    """From the connection to the first state in which updates come."""
    ping_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 10.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[Item]):
    """What a message meant: items for whoever listens, what to send back, and the state that it brought."""

    items: Iterable[Item] = ()
    """Made as they are asked for, where there may be many; making one may raise as `Conversation.hear` does."""
    reply: str | None = None
    state: StreamState | None = None


class Conversation(Protocol[Item]):
    """One connection's way of speaking, from the first word on. Made anew for each."""

    def opening(self) -> str | None:
        """Return what to say first; None where the server begins."""
        ...

    def question(self) -> str:
        """Return something harmless that a server which is alive answers."""
        ...

    def hear(self, frame: str | bytes) -> Heard[Item]:
        """Return what a frame means. Raises KeysRefused or BrokerRefused, StreamBroken, and ValueError, KeyError … for nonsense."""
        ...


class StreamBroken(Exception):
    """The server ends this connection by a message; a new one may do better. Its text is for a person."""


class StreamClient(Generic[Item]):
    """Keeps one stream going. What no second attempt would change is raised; everything else is tried again after a pause."""

    def __init__(self, url: str, conversation: Callable[[], Conversation[Item]], patience: StreamPatience) -> None:
        self._url = url
        self._conversation = conversation
        self._patience = patience

    async def run(self, on_item: Callable[[Item], None], on_status: Callable[[StreamStatus], None]) -> None:
        """Listen until cancelled. After each `LISTENING` whoever needs what was missed must ask for it: nothing is replayed."""
        failures = 0

        def heard_of(status: StreamStatus) -> None:
            nonlocal failures
            if status.state is StreamState.LISTENING:
                failures = 0
            on_status(status)

        while True:
            heard_of(StreamStatus(state=StreamState.CONNECTING))
            ending = await self._connection(on_item, heard_of)
            _log.info("Stream %s: %s", ending.state, ending.said)
            on_status(ending)
            failures += 1
            await asyncio.sleep(pause_s(failures, self._patience.first_pause_s, self._patience.longest_pause_s))

    async def _connection(self, on_item: Callable[[Item], None], on_status: Callable[[StreamStatus], None]) -> StreamStatus:
        """Listen on one connection, and return how it ended."""
        patience = self._patience
        opened = connect(
            self._url,
            open_timeout=patience.connect_s,
            ping_interval=patience.ping_s,
            ping_timeout=patience.ping_s,
            close_timeout=1,
            max_size=LARGEST_FRAME_BYTES,
            logger=_wire,
            proxy=None if is_loopback(urlsplit(self._url).hostname or "") else True,
        )
        try:
            async with opened as socket:
                return await self._talk(socket, on_item, on_status)
        except InvalidStatus as error:
            if error.response.status_code in {401, 403}:
                raise KeysRefused("The stream does not accept the keys.", "Check them, and that they are of this account.") from error
            return _lost(f"the server answered {error.response.status_code}")
        except ConnectionClosed as error:
            return _lost(f"the connection was closed: {error}")
        except StreamBroken as error:
            return _lost(str(error))
        except TimeoutError:
            return _lost("the server did not answer in time")
        except (OSError, WebSocketException) as error:
            return _lost(f"there is no connection: {error}")

    async def _talk(
        self, socket: ClientConnection, on_item: Callable[[Item], None], on_status: Callable[[StreamStatus], None]
    ) -> StreamStatus:
        conversation = self._conversation()
        if (opening := conversation.opening()) is not None:
            await socket.send(opening)
        until = asyncio.get_running_loop().time() + self._patience.enter_s
        listening = asked = False
        turn_s = asyncio.get_running_loop().time() + SLICE_S
        while True:
            try:
                async with asyncio.timeout(self._patience.answer_s if asked else self._patience.silence_s) as limit:
                    if not listening:
                        limit.reschedule(until)
                    frame = await socket.recv()
            except TimeoutError:
                if not listening:
                    return _lost("the server did not let us in in time")
                if asked:
                    return StreamStatus(state=StreamState.STALE, said="The server is silent and answers no question.")
                await socket.send(conversation.question())
                asked = True
                continue
            asked = False
            try:
                heard = conversation.hear(frame)
            except _UNREADABLE as error:
                return _unreadable(error)
            if heard.state is not None and not listening:
                listening = heard.state is StreamState.LISTENING
                on_status(StreamStatus(state=heard.state))
            items = iter(heard.items)
            while True:
                # A flood, in one frame or in many that wait, must not keep the loop from its other work.
                if asyncio.get_running_loop().time() > turn_s:
                    await asyncio.sleep(0)
                    turn_s = asyncio.get_running_loop().time() + SLICE_S
                try:
                    item = next(items, None)
                except _UNREADABLE as error:
                    return _unreadable(error)
                if item is None:
                    break
                on_item(item)
            if heard.reply is not None:
                await socket.send(heard.reply)


def _unreadable(error: Exception) -> StreamStatus:
    """What the message said is lost; after the next connection whoever listens asks for what was missed."""
    return _lost(f"a message could not be read: {type(error).__name__}: {error}")


def _lost(why: str) -> StreamStatus:
    return StreamStatus(state=StreamState.LOST, said=f"The stream ended: {why.rstrip('.')}.")


def frame_text(frame: str | bytes) -> str:
    """Return a frame's text; some servers send JSON in binary frames. Raises ValueError."""
    return frame if isinstance(frame, str) else frame.decode("utf-8")


def as_messages(document: Any) -> list[Any]:
    """Return the messages of a frame: one, or a list of them."""
    return document if isinstance(document, list) else [document]
