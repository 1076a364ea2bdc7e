"""A server of a test: in a thread of its own, on this machine."""

import asyncio
import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar
from weakref import WeakSet

from aiohttp import web

T = TypeVar("T")


class LoopbackServer(ABC):
    """Serves its `application` while it is `running`. Everything in it belongs to its own thread: reach it by `do`."""

    def __init__(self, name: str) -> None:
        self.url = ""
        self._closing = asyncio.Event()
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self._changes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        """Of whoever is connected, for `unreachable`."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=name)

    @abstractmethod
    def application(self) -> web.Application:
        """What is served."""

    @abstractmethod
    def let_go(self) -> None:
        """End what would keep the server from ending."""

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Serve for the length of the block."""
        self._thread.start()
        self._ready.wait(10)
        try:
            yield self
        finally:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(10)

    def do(self, work: Callable[[], T]) -> T:
        """Do something with the book or the switches, in the server's thread."""
        assert self._loop is not None

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until something is so; it is looked at again whenever a request or a stream's message came.

        The condition may reach the server by `do`: it is asked without the lock that the server's thread takes to say that something came.
        """
        until = time.monotonic() + seconds
        while True:
            seen = self._changes
            if condition():
                return
            with self._changed:
                while self._changes == seen:
                    assert self._changed.wait(until - time.monotonic()), f"not so within {seconds} s"

    def say_changed(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        """Let nobody connect for the length of the block; who is connected is cut off."""
        self._run(self._shut())
        try:
            yield
        finally:
            self._run(self._reopen())

    async def _shut(self) -> None:
        assert self._site is not None
        await self._site.stop()
        for transport in list(self._transports):
            transport.abort()

    async def _reopen(self) -> None:
        assert self._runner is not None
        host, _, port = self.url.removeprefix("http://").partition(":")
        self._site = web.TCPSite(self._runner, host, int(port))
        await self._site.start()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runner = runner = web.AppRunner(self.application(), shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        self._site = web.TCPSite(runner, "127.0.0.1", 0)
        await self._site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._closing.wait()
        self.let_go()
        await runner.cleanup()
