"""The thread that hears what other processes append, reads it, and hands it to the loop in the order of the log."""

import asyncio
import logging
import select
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from core.errors import StoreError
from core.events.envelope import Envelope
from core.store.dialect import Database
from core.store.faults import faults
from core.store.tail import Tail

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0

_log = logging.getLogger(__name__)

Tell = Callable[[Sequence[Envelope], Callable[[], None]], None]
"""Takes events in the loop's thread, and what to call when the subscribers know them."""


class Listener:
    """Listens until it is closed. After each new connection it reads what it missed: a notice is only a reason to look."""

    def __init__(
        self, database: Database, tail: Tail, tell: Tell, tell_live: Callable[[str], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._database = database
        self._engine = database.writing_engine()
        self._tail = tail
        self._tell = tell
        self._tell_live = tell_live
        self._loop = loop
        self._ours, self._wake = socket.socketpair()
        self._is_closing = False
        self._was_told = threading.Event()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="store-listener", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End the thread."""
        self._is_closing = True
        self._ours.send(b"x")
        self._was_told.set()
        await self._ended
        self._thread.join()
        self._ours.close()
        self._wake.close()

    def _run(self) -> None:
        try:
            self._listen()
        finally:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self._ended.done():  # its waiter may have been cancelled
            self._ended.set_result(None)

    def _listen(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._is_closing:
            try:
                with faults(self._database), self._engine.connect() as connection:
                    try:
                        self._database.listen(connection)
                        self._read(connection)
                        wait_s = _FIRST_WAIT_S
                        self._follow(connection)
                    except BaseException:
                        connection.invalidate()  # it goes on listening otherwise, in the pool
                        raise
            except StoreError as error:
                if wait_s == _FIRST_WAIT_S:
                    _log.warning("%s What other desks do is shown when it is back.", error.what)
                select.select([self._wake], [], [], wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self._engine.dispose()

    def _follow(self, connection: Connection) -> None:
        while not self._is_closing:
            news = self._database.wait_for_news(connection, self._wake)
            if news.head is None or news.head > self._tail.seq:
                self._read(connection)
            for text in news.live:
                self._loop.call_soon_threadsafe(self._tell_live, text)

    def _read(self, connection: Connection) -> None:
        while not self._is_closing:
            self._was_told.clear()
            with self._tail.lock:
                events = self._tail.page(connection)
                if events:
                    self._loop.call_soon_threadsafe(self._tell, events, self._was_told.set)
            if events is None:
                return
            if events and not self._is_closing:
                self._was_told.wait()  # no faster than the subscribers, or a backtest elsewhere would fill the memory here
