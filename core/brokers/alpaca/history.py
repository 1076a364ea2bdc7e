"""Alpaca's historical bars, page by page."""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec
import numpy as np

from core.brokers.alpaca.fields import text_of_instant
from core.brokers.alpaca.market import CRYPTO_ROOT, feed_of
from core.brokers.rest import Answer, RestClient
from core.errors import AnswerUnreadable, InvalidValue
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import Adjustment, AssetClass, BarSeries, Timeframe, asset_class_of

PAGE: Final = 10_000
"""The most bars that Alpaca puts on a page, of all its symbols together: so each is asked for alone."""

_UNITS: Final = ((7 * DAY_NS, "Week", 1), (DAY_NS, "Day", 1), (HOUR_NS, "Hour", 23), (MINUTE_NS, "Min", 59))
"""Length, Alpaca's word, and how many of them it takes at most."""


class _Bar(msgspec.Struct, gc=False):
    t: str
    o: float
    h: float
    l: float  # noqa: E741  (the broker's name)
    c: float
    v: float = 0.0


class _Page(msgspec.Struct):
    bars: dict[str, list[_Bar] | None] | None = None
    next_page_token: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Page)


class AlpacaHistory:
    """The `BarHistory` of Alpaca."""

    def __init__(self, data: RestClient) -> None:
        self._data = data

    def source_of(self, symbol: str, feed: str | None) -> str:
        """See `core.ports.BarHistory`."""
        of_class = asset_class_of(symbol)
        if of_class is AssetClass.CURRENCY:
            raise InvalidValue("symbol", symbol, "Alpaca has equities and crypto, and no currencies.")
        if of_class is AssetClass.EQUITY:
            return f"alpaca-{feed_of(feed)}"
        if feed is not None:
            raise InvalidValue("feed", repr(feed), f"{symbol} is crypto, which has no feeds to choose from; leave it out.")
        return "alpaca-crypto"

    async def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        """See `core.ports.BarHistory`."""
        self.source_of(symbol, feed)
        query = {
            "symbols": symbol,
            "timeframe": timeframe_text(timeframe),
            "start": text_of_instant(start_ns),
            "end": text_of_instant(end_ns - 1),  # Alpaca counts the end in
            "limit": str(PAGE),
            "sort": "asc",
        }
        is_crypto = asset_class_of(symbol) is AssetClass.CRYPTO
        if not is_crypto:
            query |= {"adjustment": str(adjustment), "feed": feed_of(feed)}

        def read(answer: Answer) -> tuple[BarSeries, str | None]:
            page = _DECODER.decode(answer.body)
            return _series(symbol, timeframe, (page.bars or {}).get(symbol) or [], start_ns, end_ns), page.next_page_token

        path = f"{CRYPTO_ROOT}/bars" if is_crypto else "/v2/stocks/bars"
        tokens, reached_ns = set[str](), start_ns
        while True:
            bars, following = await self._data.ask(path, query, read, f"Reading bars of {symbol}")
            if len(bars):
                if int(bars.start_ns[0]) < reached_ns:
                    raise _astray(symbol, "a page begins before the one before it ended")
                reached_ns = int(bars.start_ns[-1]) + 1
                yield bars
            if not following:
                return
            if following in tokens:  # who took that for the end would never ask for what is behind it
                raise _astray(symbol, "a page is named that was there already")
            tokens.add(following)
            query["page_token"] = following


def _astray(symbol: str, why: str) -> AnswerUnreadable:
    return AnswerUnreadable(f"Reading bars of {symbol}: the broker's pages do not follow one another: {why}.", "Try again later.")


def timeframe_text(timeframe: Timeframe) -> str:
    """Return Alpaca's word for a timeframe. Raises InvalidValue where it has none."""
    for unit_ns, name, most in _UNITS:
        count, rest = divmod(timeframe.ns, unit_ns)
        if not rest and 1 <= count <= most:
            return f"{count}{name}"
    raise InvalidValue("timeframe", timeframe, "Alpaca has 1m to 59m, 1h to 23h, 1d and 1w.")


def _series(symbol: str, timeframe: Timeframe, bars: list[_Bar], start_ns: int, end_ns: int) -> BarSeries:
    """Return a page's bars as columns; a bar is stamped with its start. Raises ValueError when they go back in time."""
    starts = np.array([bar.t.removesuffix("Z") for bar in bars], "datetime64[ns]").astype(np.int64)
    if len(starts) > 1 and not bool((np.diff(starts) > 0).all()):
        raise ValueError("the bars are not in the order of time")
    columns = [np.array([getattr(bar, name) for bar in bars], np.float64) for name in "ohlcv"]
    return BarSeries.from_columns(symbol, timeframe, starts, *columns).between(start_ns, end_ns)
