"""The gaps in a run's minutes, symbol by symbol: one that lacks some holds up nobody but itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from core.errors import AnswerUnreadable, BrokerUnreachable, RateLimited
from core.model.market import Bar


class Gaps:
    """Of one run; at its beginning each symbol has one. What the stream brings of a symbol with a gap follows on what fills it.

    `fill` completes a symbol's minutes from the history, `follow` takes a minute after that, `failed` is told why one stays open.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        fill: Callable[[str], Awaitable[None]],
        follow: Callable[[Bar], None],
        failed: Callable[[str], None],
    ) -> None:
        self._fill, self._follow, self._failed = fill, follow, failed
        self._count = len(symbols)
        self._open = dict.fromkeys(symbols)
        self._filling: str | None = None
        self._held: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        self._asked, self._tried = asyncio.Event(), asyncio.Event()

    @property
    def unfilled(self) -> set[str]:
        """The symbols that have one."""
        return {*self._open, *([] if self._filling is None else [self._filling])}

    @property
    def symbols(self) -> set[str]:
        """The symbols of which minutes are missing: those that have one, and those whose minutes are still held back."""
        return self.unfilled | {symbol for symbol, held in self._held.items() if held}

    @property
    def is_everywhere(self) -> bool:
        """Whether there is no symbol without one."""
        return len(self.unfilled) == self._count

    def begin(self, symbols: Iterable[str]) -> None:
        """Something of these symbols was missed."""
        for symbol in symbols:
            self._open[symbol] = None
            self._held.setdefault(symbol, [])

    def holds(self, bar: Bar) -> bool:
        """Keep a minute of the stream back where its symbol has a gap, or had one a moment ago; tell whether."""
        held = self._held.get(bar.symbol)
        if held is not None:
            held.append(bar)
        return held is not None

    def release(self, until_ns: int | None) -> None:
        """Let the minutes follow whose gap is filled: those over at an instant; or all, and none is held back any more."""
        for symbol in self._held.keys() - self.unfilled:
            held = self._held[symbol]
            self._held[symbol] = [] if until_ns is None else [bar for bar in held if bar.end_ns > until_ns]
            for bar in held:
                if until_ns is None or bar.end_ns <= until_ns:
                    self._follow(bar)
            if until_ns is None:
                del self._held[symbol]

    async def fill(self, limit_s: float) -> None:
        """Return when each gap was tried. Where a symbol has none, it waits so long at most, and filling goes on without it."""
        self._tried.clear()
        self._asked.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self.is_everywhere else limit_s):
                await self._tried.wait()

    async def keep_filling(self) -> None:
        """Fill gaps whenever it is asked for. Goes on until it is cancelled. Raises what a broker says that ends the run."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            for symbol in tuple(self._open):
                del self._open[symbol]  # what is missed from here on is another gap
                self._filling = symbol
                try:
                    await self._fill(symbol)
                except (BrokerUnreachable, RateLimited, AnswerUnreadable) as error:
                    self._open[symbol] = None  # behind the others: they come first the next time
                    self._failed(error.what)
                    if not isinstance(error, AnswerUnreadable):
                        break  # the others would be told the same
                finally:
                    self._filling = None
            self._tried.set()
