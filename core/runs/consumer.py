"""A consumer acts on what the log says: its effect and how far it came are committed together."""

import asyncio
from collections.abc import Callable
from typing import Final

from core.errors import OffsetMoved
from core.events.envelope import Envelope
from core.ports import EventLog, RunStore, UnitOfWork

Effect = Callable[[Envelope, UnitOfWork], None]
"""Puts what is to happen because of an event into the unit of work. Called again when that could not be committed."""

PAGE: Final = 200
"""Events whose effects are committed together."""


class Consumer:
    """Reads the events that fit `pattern` in the order of the log, each with exactly one effect in the store.

    Killed at any point it goes on where its last commit was. Of several processes with a consumer of the same name one acts
    at a time: the others find that the offset has moved, and read on from there.
    """

    def __init__(self, name: str, pattern: str, effect: Effect, *, log: EventLog, runs: RunStore) -> None:
        self._name = name
        self._pattern = pattern
        self._effect = effect
        self._log = log
        self._runs = runs
        self._news = asyncio.Event()
        self._closed = False

    async def run(self) -> None:
        """Act on everything there is, and on what comes, until `close`."""
        with self._log.subscribe(self._pattern, lambda event: self._news.set(), owner=f"consumer {self._name}"):
            while not self._closed:
                self._news.clear()
                await self.catch_up()
                if not self._closed:
                    await self._news.wait()

    async def catch_up(self) -> int:
        """Act on everything there is now, and return how many events that were."""
        done = 0
        offset = await self._log.offset(self._name)
        while not self._closed:
            page = await self._log.read(after_seq=offset, pattern=self._pattern, limit=PAGE)
            if not page:
                break
            try:
                await self._act(page, offset)
            except OffsetMoved:
                offset = await self._log.offset(self._name)
                continue
            offset = page[-1].seq
            done += len(page)
        return done

    def close(self) -> None:
        """Let `run` end after the page it is at."""
        self._closed = True
        self._news.set()

    async def _act(self, page: list[Envelope], offset: int) -> None:
        async with self._runs.begin() as work:
            work.advance(self._name, offset, page[-1].seq)
            for event in page:
                self._effect(event, work)
