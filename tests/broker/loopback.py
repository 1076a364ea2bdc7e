"""A server of a test: in a thread of its own, on this machine."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

from aiohttp import web

T = TypeVar("T")


class LoopbackServer:
    """Serves `routes` once it is `running`. Everything of it belongs to its own thread: reach it by `do`."""

    def __init__(self, name: str) -> None:
        self.url = ""
        self._changes = 0
        self._changed = threading.Condition()
        self._closing = asyncio.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=name)

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Serve for the length of the block."""
        self._thread.start()
        self._ready.wait(10)
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(10)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the server's thread."""
        assert self._loop is not None
        return self._loop

    def do(self, work: Callable[[], T]) -> T:
        """Do something in the server's thread."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until something is so; it is looked at again whenever `say_changed` was called."""
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

    def application(self) -> web.Application:
        """What is served."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Cut what would keep the server from ending."""

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(self.application(), shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._closing.wait()
        self.let_go()
        await runner.cleanup()
