"""The log as it grows: its end, and then each event that any process appends, until the person or the reader of the pipe has enough."""

import asyncio
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.events.envelope import Envelope
    from core.ports import Callback, Subscription


class Followed(Protocol):
    """What is asked of the engine."""

    def subscribe(self, pattern: str, callback: "Callback", *, owner: str, run_id: str | None = None) -> "Subscription": ...
    async def events_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list["Envelope"]: ...


class Follower:
    """Prints events by `say`, each once and in the order of the log; what is not stored is not part of the log.

    It listens from before it reads the end of the log, and leaves out what it then hears a second time.
    """

    def __init__(self, say: Callable[["Envelope"], None]) -> None:
        self._say = say
        self._heard: deque[Envelope] = deque()
        self._news = asyncio.Event()
        self._is_over = False

    @property
    def is_unread(self) -> bool:
        """Whether nobody reads any more what is printed."""
        return self._is_over

    async def follow(self, engine: Followed, *, run_id: str | None, pattern: str, limit: int) -> None:
        """Print the last `limit` events that fit, and go on until cancelled or until nobody reads what is printed."""
        with engine.subscribe(pattern, self._hear, owner="events tail", run_id=run_id), reader_watched(self._end):
            seq = 0
            for event in await engine.events_back(run_id=run_id, pattern=pattern, limit=max(limit, 1)):
                seq = event.seq
                if limit:
                    self._print(event)
            while not self._is_over:
                while self._heard and not self._is_over:
                    event = self._heard.popleft()
                    if event.seq > seq:
                        seq = event.seq
                        self._print(event)
                await self._news.wait()
                self._news.clear()

    def _hear(self, event: "Envelope") -> None:
        self._heard.append(event)
        self._news.set()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()

    def _print(self, event: "Envelope") -> None:
        if self._is_over:
            return
        try:
            self._say(event)
            sys.stdout.flush()
        except BrokenPipeError:
            self._end()


@contextmanager
def reader_watched(call: Callable[[], None]) -> Iterator[None]:
    """Call `call` in the loop when the reader of our stdout goes away, as `head` does: on a quiet log no write would ever notice."""
    loop = asyncio.get_running_loop()
    written = _pipe()

    def gone() -> None:
        assert written is not None
        loop.remove_reader(written)
        call()

    try:
        if written is not None:
            # Nothing can be read from this end of a pipe: it only becomes ready when the other one is closed.
            loop.add_reader(written, gone)
    except NotImplementedError:
        written = None  # Windows: the next write tells
    try:
        yield
    finally:
        if written is not None:
            loop.remove_reader(written)


def _pipe() -> int | None:
    """Return the number of our stdout where it is a pipe. A terminal could be read from too, and a file has no reader."""
    try:
        number = sys.stdout.fileno()
        return number if stat.S_ISFIFO(os.fstat(number).st_mode) else None
    except OSError:
        return None  # it was replaced by something that has no number
