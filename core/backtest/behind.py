"""Bars that are over and of which nobody knew yet, where a paper or live run is replayed: they were in a gap of their symbol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from core.backtest.feeds import Feed
from core.strategy.windows import Indicator


class Behind:
    """Of one run. `feeds` and `indicators` may still grow until its first bar."""

    def __init__(self, feeds: Sequence[Feed], indicators: Callable[[], Sequence[Indicator]]) -> None:
        self._feeds = feeds
        self._indicators = indicators

    @contextmanager
    def seeing(self, until_ns: Mapping[str, int]) -> Iterator[None]:
        """Let nothing be known within the block of a symbol's bars that ended after the instant given for it."""
        before = [(feed, feed.newest, feed.cursor.block, feed.cursor.in_block) for feed in self._feeds if feed.symbol in until_ns]
        loaded = [(one, one.loaded) for one in self._indicators() if one.symbol in until_ns]
        for feed, *_ in before:
            self._go_back(feed, until_ns[feed.symbol])
        try:
            yield
        finally:
            for feed, newest, block, in_block in before:
                feed.newest, feed.cursor.block, feed.cursor.in_block = newest, block, in_block
            for indicator, span in loaded:
                indicator.load_block(*span)

    def _go_back(self, feed: Feed, until_ns: int) -> None:
        at = int(np.searchsorted(feed.market.end_ns, until_ns, side="right")) - 1
        if at >= feed.cursor.now:
            return
        feed.cursor.block, feed.cursor.in_block = max(0, at), min(0, at)
        feed.newest = feed.market.bar(at) if at >= 0 else None
        for indicator in self._indicators():
            if feed.carries(indicator):
                indicator.load_block(max(0, at), at + 1)
