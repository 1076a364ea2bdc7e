"""Where the paper account's prices come from: another broker's market, of which it hears by one stream for each class of assets.

A broker lets one market stream in for an account, so the account and all its runs share it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from core.brokers.paper.checks import refused
from core.brokers.paper.keeper import Lost
from core.brokers.watching import is_crypto_watch
from core.errors import BrokerError, KnownError, NotInThisVersion
from core.model.broker import LiveBar, Quote, RefusalReason, StreamState, StreamStatus, Tick, Watch
from core.model.market import AssetClass, asset_class_of
from core.ports import Broker

OnTick = Callable[[Tick], None]
OnStatus = Callable[[StreamStatus], None]
_log = logging.getLogger(__name__)


class Feed:
    """`on_tick` hears of every symbol that anybody wanted, and when it is lost; `run` listens until it is cancelled."""

    def __init__(self, source: Broker, on_tick: Callable[[Tick | Lost], None]) -> None:
        self._source = source
        self._lines = {is_crypto: _Line(source, on_tick) for is_crypto in (False, True)}
        self._on_tick = on_tick

    async def want(self, symbol: str) -> None:
        """Hear of a symbol from now on, its newest quote first. Raises BrokerRefused where the feed has no such symbol, BrokerError."""
        line = self._line_of(symbol)
        if symbol in line.symbols:
            return
        with suppress(NotInThisVersion):  # a feed without quotes: it has bars
            quotes = await self._source.market.latest_quotes([symbol])
            if symbol not in quotes and symbol not in await self._source.market.latest_trades([symbol]):
                raise refused(RefusalReason.ASSET_UNKNOWN, f'asset "{symbol}" not found')
            for quote in quotes.values():
                self._on_tick(quote)
        line.add((symbol,))

    def watch(self, symbols: Sequence[str]) -> None:
        """Hear of symbols from now on, as soon as there is something to hear."""
        for symbol in symbols:
            self._line_of(symbol).add((symbol,))

    async def listen(self, watch: Watch, on_tick: OnTick, on_status: OnStatus) -> None:
        """See `core.ports.BrokerStreams.market`. Raises InvalidValue, and what ended the feed."""
        await self._lines[is_crypto_watch(watch)].listen(watch, on_tick, on_status)

    async def run(self) -> None:
        """Listen to what is wanted."""
        async with asyncio.TaskGroup() as group:
            for line in self._lines.values():
                group.create_task(line.run(), name="paper-feed")

    def _line_of(self, symbol: str) -> "_Line":
        return self._lines[asset_class_of(symbol) is AssetClass.CRYPTO]


class _Listener:
    """Somebody who hears of some of it."""

    def __init__(self, watch: Watch, on_tick: OnTick, on_status: OnStatus) -> None:
        self.on_status: Final = on_status
        self._on_tick = on_tick
        self._quotes, self._trades, self._bars = (frozenset(of) for of in (watch.quotes, watch.trades, watch.bars))

    def hear(self, tick: Tick) -> None:
        """Pass on what was asked for."""
        if isinstance(tick, LiveBar):
            wanted = tick.bar.symbol in self._bars
        else:
            wanted = tick.symbol in (self._quotes if isinstance(tick, Quote) else self._trades)
        if wanted:
            self._on_tick(tick)


class _Line:
    """One stream; it connects anew when more symbols are wanted."""

    def __init__(self, source: Broker, on_tick: Callable[[Tick | Lost], None]) -> None:
        self._source = source
        self._on_tick = on_tick
        self._listeners: list[_Listener] = []
        self._more = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_listening = False
        self._fresh = asyncio.Event()
        self.symbols: Final[dict[str, None]] = {}

    def add(self, symbols: Sequence[str]) -> None:
        """Hear of these too."""
        if any(symbol not in self.symbols for symbol in symbols):
            self.symbols.update(dict.fromkeys(symbols))
            self._more.set()

    async def listen(self, watch: Watch, on_tick: OnTick, on_status: OnStatus) -> None:
        """Pass ticks on until cancelled. Raises what ended the stream for good."""
        listener = _Listener(watch, on_tick, on_status)
        self._listeners.append(listener)
        try:
            self.add((*watch.bars, *watch.quotes, *watch.trades))
            if self._is_listening and not self._more.is_set():
                on_status(StreamStatus(state=StreamState.LISTENING))
            await asyncio.shield(self._over)
        finally:
            self._listeners.remove(listener)

    async def run(self) -> None:
        """Listen, over every reconnect. What ends it for good is told to the listeners, and ends nothing else."""
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                tasks: list[asyncio.Task[None]] = []
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [
                            group.create_task(self._stream(tuple(self.symbols)), name="paper-market"),
                            group.create_task(self._refresh(), name="paper-quotes"),
                        ]
                        await self._more.wait()
                        for task in tasks:
                            task.cancel()
                except BaseExceptionGroup as errors:
                    raise errors.exceptions[0] from None
                self._lose("More is wanted.")
        except KnownError as error:
            _log.warning("The paper account's feed ended: %s", error)
            self._lose(str(error))
            self._over.set_exception(error)
            self._over.exception()  # nobody may be listening, and then it is nobody's concern
        finally:
            if not self._over.done():
                self._over.cancel()

    async def _stream(self, symbols: tuple[str, ...]) -> None:
        def on_tick(tick: Tick) -> None:
            self._on_tick(tick)
            for listener in tuple(self._listeners):
                listener.hear(tick)

        def on_status(status: StreamStatus) -> None:
            self._is_listening = status.state is StreamState.LISTENING
            if self._is_listening:
                self._fresh.set()
            if status.state in {StreamState.LOST, StreamState.STALE}:
                self._on_tick(Lost(tuple(self.symbols)))
            for listener in tuple(self._listeners):
                listener.on_status(status)

        await self._source.streams.market(Watch(bars=symbols, quotes=symbols, trades=symbols), on_tick, on_status)

    async def _refresh(self) -> None:
        """Ask for the newest quotes whenever it begins to listen: nothing is told again by itself."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            try:
                for quote in (await self._source.market.latest_quotes(tuple(self.symbols))).values():
                    self._on_tick(quote)
            except NotInThisVersion:
                return
            except BrokerError as error:
                _log.info("The newest quotes did not come: %s", error)

    def _lose(self, why: str) -> None:
        self._is_listening = False
        self._on_tick(Lost(tuple(self.symbols)))
        for listener in tuple(self._listeners):
            listener.on_status(StreamStatus(state=StreamState.LOST, said=why))
