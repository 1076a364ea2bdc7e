"""The fake broker in a process of its own, so that it takes no time from the program that is measured; commands by its standard input.

`python -m benchmarks.broker` prints its address and serves until its input ends.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks.measuring import ROOT
from core.clock.realtime import SystemClock
from tests.broker.bench import fake_broker
from tests.broker.server import FakeBroker

FRAME_S = 0.02
"""How often a frame of quotes leaves: fifty times a second, as a busy server bundles them."""


class RemoteBroker:
    """Where the server is, and what it can be told to do; each returns when it is done."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url

    def tell(self, **command: Any) -> Any:
        """Carry out a command; see `Commands`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def remote_broker() -> Iterator[RemoteBroker]:
    """A fake broker that serves for the length of the block."""
    command = [sys.executable, "-m", "benchmarks.broker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield RemoteBroker(process, json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(20)


class Commands:
    """What the server does when it is told. `begin_…` goes on by itself in the server's loop."""

    def __init__(self, server: FakeBroker) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def mute(self, silent: bool) -> None:
        """Tell no updates, or tell them again."""
        from tests.broker.faults import Mischief

        self._server.mischief = Mischief.MISSING if silent else Mischief.NONE

    def drop(self) -> None:
        """Cut every stream."""
        self._server.cut_streams()

    def fill(self, pieces: int, qty: str, price: str) -> int:
        """Fill each working order in so many pieces; return how many executions that made."""
        working = [order["id"] for order in self._server.book.orders.values() if order["status"] in {"new", "partially_filled"}]
        for order_id in working:
            for _ in range(pieces):
                self._server.book.fill(order_id, qty, price)
        return len(working) * pieces

    def begin_fills(self, per_second: int, seconds: float, qty: str, price: str) -> None:
        """Fill the working orders one after the other, a piece each, evenly over the time."""
        book = self._server.book

        async def go_on() -> None:
            began, done = perf_counter(), 0
            while done < per_second * seconds:
                working = [order["id"] for order in book.orders.values() if order["status"] in {"new", "partially_filled"}]
                for order_id in working:
                    await asyncio.sleep(max(0.0, began + done / per_second - perf_counter()))
                    book.fill(order_id, qty, price)
                    done += 1
                    if done >= per_second * seconds:
                        break

        self._start(go_on())

    def begin_quotes(self, symbols: int, per_second: int, seconds: float) -> None:
        """Send quotes of so many symbols, so many a second of each, bundled into frames."""
        server = self._server

        async def go_on() -> None:
            began, sent = perf_counter(), 0
            total = int(symbols * per_second * seconds)
            while sent < total:
                due = min(total, int((perf_counter() - began) * symbols * per_second))
                if due > sent:
                    server.send_frame(self._frame(range(sent, due), symbols))
                sent = due
                await asyncio.sleep(FRAME_S)

        self._start(go_on())

    def burst(self, symbols: int, quotes: int, frames: int) -> None:
        """Send quotes in so many frames at once."""
        for first in range(0, quotes, quotes // frames):
            self._server.send_frame(self._frame(range(first, first + quotes // frames), symbols))

    def _frame(self, numbers: range, symbols: int) -> str:
        now = self._server.book.now()
        rows = (
            f'{{"T":"q","S":"S{number % symbols:03}","t":"{now}","bp":{100 + number % 997 / 100:.2f},"bs":3,'
            f'"ap":{100.01 + number % 997 / 100:.2f},"as":{number}}}'
            for number in numbers
        )
        return f"[{','.join(rows)}]"

    def posts(self) -> int:
        """Return how many orders arrived."""
        return self._server.requests["POST /v2/orders"]

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def main() -> None:
    """Serve, and carry out a command a line."""
    with fake_broker(SystemClock().now_ns) as server:
        server.do(lambda: setattr(server.book, "hold", True))
        commands = Commands(server)
        print(json.dumps(server.url), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            work = getattr(commands, command.pop("do"))
            print(json.dumps(server.do(partial(work, **command))), flush=True)


if __name__ == "__main__":
    main()
