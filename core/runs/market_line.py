"""The market's streams of one account, shared by its runs: brokers let one connection in, however many listen."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from core.errors import BrokerError, KeysRefused
from core.model.broker import LiveBar, StreamState, StreamStatus, Tick, Watch
from core.model.market import AssetClass, asset_class_of
from core.ports import BrokerStreams

OnTick = Callable[[Tick], None]
OnStatus = Callable[[StreamStatus], None]


class _Ear:
    """Somebody who listens."""

    def __init__(self, watch: Watch, on_tick: OnTick, on_status: OnStatus) -> None:
        self.watch: Final = watch
        self.tell_status: Final = on_status
        self.refused: BrokerError | None = None
        self._on_tick = on_tick
        self._patience: asyncio.Timeout | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Let the block end with the error of `refuse`."""
        try:
            async with asyncio.timeout(None) as self._patience:
                yield
        except TimeoutError:
            if self.refused is None:
                raise
            raise self.refused from None

    def refuse(self, error: BrokerError) -> None:
        """End the listening: the broker does not take what it wants."""
        self.refused = error
        if self._patience is not None:
            self._patience.reschedule(0)

    def hear(self, tick: Tick) -> None:
        if isinstance(tick, LiveBar):
            wanted, symbol = self.watch.bars, tick.bar.symbol
        else:
            wanted, symbol = (*self.watch.quotes, *self.watch.trades), tick.symbol
        if symbol in wanted:
            self._on_tick(tick)


class _Line:
    """One connection, for one class of assets and feed."""

    def __init__(self) -> None:
        self.ears: list[_Ear] = []
        self.kept: Final = asyncio.Lock()
        """Held by the one of those who listen that keeps the connection for all."""
        self.joined: Final = asyncio.Event()
        self.watch = Watch()
        self.stood = Watch()
        """What the broker took last."""
        self.status: StreamStatus | None = None

    def newcomer(self) -> _Ear | None:
        """Return who came last of those that want more than the broker took last, where others were content with that."""
        new = [ear for ear in self.ears if not _covers(self.stood, ear.watch)]
        return new[-1] if new and len(new) < len(self.ears) else None

    def hear(self, tick: Tick) -> None:
        for ear in tuple(self.ears):
            ear.hear(tick)

    def tell_status(self, status: StreamStatus) -> None:
        self.status = status
        if status.state is StreamState.LISTENING:
            self.stood = self.watch
        for ear in tuple(self.ears):
            ear.tell_status(status)

    def wanted(self, feed: str | None) -> Watch:
        """Return what all who listen want."""
        watches = [ear.watch for ear in self.ears]
        return Watch(
            bars=tuple(dict.fromkeys(symbol for watch in watches for symbol in watch.bars)),
            quotes=tuple(dict.fromkeys(symbol for watch in watches for symbol in watch.quotes)),
            trades=tuple(dict.fromkeys(symbol for watch in watches for symbol in watch.trades)),
            feed=feed,
        )


class MarketLines:
    """Listens for several. When somebody wants more than is heard the connection is made anew, and all are told so."""

    def __init__(self, streams: BrokerStreams) -> None:
        self._streams = streams
        self._lines: dict[tuple[AssetClass, str | None], _Line] = {}

    async def listen(self, watch: Watch, on_tick: OnTick, on_status: OnStatus) -> None:
        """See `core.ports.BrokerStreams.market`."""
        symbols = (*watch.bars, *watch.quotes, *watch.trades)
        line = self._lines.setdefault((asset_class_of(symbols[0]), watch.feed), _Line())
        ear = _Ear(watch, on_tick, on_status)
        line.ears.append(ear)
        if not _covers(line.watch, watch):
            line.joined.set()
        elif line.status is not None:
            on_status(line.status)
        try:
            async with ear.listening(), line.kept:
                await self._keep(line, watch.feed)
        finally:
            if ear in line.ears:
                line.ears.remove(ear)
            if not line.ears:
                line.watch, line.stood, line.status = Watch(), Watch(), None

    async def _keep(self, line: _Line, feed: str | None) -> None:
        """Keep the connection until whoever does so is cancelled; then the next one does."""
        while True:
            line.joined.clear()
            line.watch = line.wanted(feed)
            try:
                async with asyncio.TaskGroup() as group:
                    stream = group.create_task(self._streams.market(line.watch, line.hear, line.tell_status), name="market-line")
                    more = group.create_task(line.joined.wait(), name="market-line-joined")
                    await asyncio.wait({stream, more}, return_when=asyncio.FIRST_COMPLETED)
                    stream.cancel()
                    more.cancel()
            except BaseExceptionGroup as errors:
                error, guilty = errors.exceptions[0], line.newcomer()
                if guilty is None or not isinstance(error, BrokerError) or isinstance(error, KeysRefused):
                    raise error from None
                line.ears.remove(guilty)  # the others go on with what the broker took before
                guilty.refuse(error)
            line.tell_status(StreamStatus(state=StreamState.CONNECTING))


def _covers(one: Watch, other: Watch) -> bool:
    return set(other.bars) <= set(one.bars) and set(other.quotes) <= set(one.quotes) and set(other.trades) <= set(one.trades)
