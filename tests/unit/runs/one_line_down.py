"""A simulated broker whose streams of prices break one by one: for each class of assets its own line, and a history that may not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.brokers.inside import InsideHistory, InsideStreams
from core.errors import BrokerUnreachable
from core.model.broker import StreamState, StreamStatus, Tick, Watch
from core.model.market import AssetClass, asset_class_of


class Lines:
    """Of the brokers made within `breakable`."""

    def __init__(self) -> None:
        self._down: set[AssetClass] = set()
        self._told: list[tuple[AssetClass, Callable[[StreamStatus], None]]] = []
        self.unanswered: set[str] = set()
        """Symbols whose history is not told."""

    def cut(self, what: AssetClass) -> None:
        """Nothing comes of these symbols from now on."""
        self._down.add(what)
        self._tell(what, StreamStatus(state=StreamState.LOST, said="The connection ended."))

    def mend(self, what: AssetClass) -> None:
        """It listens again; what was missed meanwhile does not come by itself."""
        self._down.discard(what)
        self._tell(what, StreamStatus(state=StreamState.LISTENING))

    def _tell(self, what: AssetClass, status: StreamStatus) -> None:
        for of, on_status in self._told:
            if of is what:
                on_status(status)

    async def market(
        self, streams: InsideStreams, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]
    ) -> None:
        what = asset_class_of(watch.bars[0])
        self._told.append((what, on_status))
        await _market(streams, watch, lambda tick: None if what in self._down else on_tick(tick), on_status)

    def pages(self, history: InsideHistory, symbol: str, *arguments: Any, **named: Any) -> Any:
        if symbol in self.unanswered:
            raise BrokerUnreachable("The broker's history cannot be reached.")
        return _pages(history, symbol, *arguments, **named)


_market, _pages = InsideStreams.market, InsideHistory.pages


@contextmanager
def breakable() -> Iterator[Lines]:
    """Let the lines of simulated brokers be breakable for the length of the block."""
    lines = Lines()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InsideStreams, "market", lambda streams, *arguments: lines.market(streams, *arguments))
        patch.setattr(InsideHistory, "pages", lambda history, *arguments, **named: lines.pages(history, *arguments, **named))
        yield lines
