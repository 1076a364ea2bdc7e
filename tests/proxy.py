"""A network between a client and a server that a test can cut, or let stand still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Proxy:
    """Passes on what a client on 127.0.0.1 and a server at a Unix socket say to each other."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._flows = asyncio.Event()
        self._flows.set()
        self._cut_before: bytes | None = None
        self._cut_after: bytes | None = None
        self._lose_before: bytes | None = None
        self._lose_after: bytes | None = None
        self._lost: set[asyncio.Event] = set()
        self._pairs: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0
        self.cuts = 0

    def cut(self) -> None:
        """End every connection."""
        for writer in list(self._pairs):
            writer.close()

    def cut_before(self, words: bytes) -> None:
        """Once: end the connection when the client says `words`, which the server does not hear."""
        self._cut_before = words

    def cut_after(self, words: bytes) -> None:
        """Once: end the connection when the server has answered `words`, which the client does not hear."""
        self._cut_after = words

    def lose(self) -> None:
        """Drop all that is said from now on over the present connections; they stay open. New ones work."""
        for lost in self._lost:
            lost.set()

    def lose_before(self, words: bytes) -> None:
        """Once: drop what the client says from `words` on, and all that the server says, over that connection."""
        self._lose_before = words

    def lose_after(self, words: bytes) -> None:
        """Once: drop the answer to `words` and everything after it, over that connection."""
        self._lose_after = words

    def stand_still(self) -> None:
        """Pass nothing on."""
        self._flows.clear()

    def go_on(self) -> None:
        """Pass on what has waited."""
        self._flows.set()

    async def _connect(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            from_server, to_server = await asyncio.open_unix_connection(self._server)
        except OSError:
            to_client.close()
            return
        self._pairs |= {to_client, to_server}
        deaf, lost = asyncio.Event(), asyncio.Event()
        self._lost.add(lost)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(from_client, to_server, deaf, lost))
                group.create_task(self._down(from_server, to_client, deaf, lost))
        except* (ConnectionError, EOFError):
            pass
        finally:
            self._pairs -= {to_client, to_server}
            self._lost.discard(lost)
            to_client.close()
            to_server.close()

    async def _up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, deaf: asyncio.Event, lost: asyncio.Event) -> None:
        while data := await source.read(65_536):
            await self._flows.wait()
            if self._cut_before is not None and self._cut_before in data:
                self._cut_before = None
                self.cuts += 1
                raise EOFError
            if self._cut_after is not None and self._cut_after in data:
                self._cut_after = None
                deaf.set()
            if self._lose_before is not None and self._lose_before in data:
                self._lose_before = None
                lost.set()
            if lost.is_set():
                continue
            if self._lose_after is not None and self._lose_after in data:
                self._lose_after = None
                lost.set()
            sink.write(data)
            await sink.drain()
        raise EOFError

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, deaf: asyncio.Event, lost: asyncio.Event) -> None:
        while data := await source.read(65_536):
            if deaf.is_set():
                self.cuts += 1
                raise EOFError
            await self._flows.wait()
            if lost.is_set():
                continue
            sink.write(data)
            await sink.drain()
        raise EOFError


@asynccontextmanager
async def proxy_to(server: Path) -> AsyncIterator[Proxy]:
    """A proxy in this loop, until the block is left."""
    proxy = Proxy(server)
    listening = await asyncio.start_server(proxy._connect, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.go_on()
        listening.close()
        proxy.cut()
        while proxy._pairs:  # noqa: ASYNC110 - the connections' own tasks end in the next turns
            await asyncio.sleep(0)
