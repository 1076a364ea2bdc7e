"""What Harbour trades and when, its quotes, and its bars."""

from collections.abc import AsyncGenerator, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from core.brokers.api import InvalidValue, NotInThisVersion
from core.model.broker import Asset, MarketClock, Print, Quote, SessionDay
from core.model.instants import to_ns
from core.model.market import Adjustment, AssetClass, BarSeries, Timeframe

from .rows import asset_of, bars_of, print_of, quote_of
from .wire import Wire
from .words import instant, reading

STEPS = {"1m": 60, "1d": 86_400}


class HarbourMarket:
    """The exchange as Harbour has it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        if asset_class is not AssetClass.EQUITY:
            return []
        return [asset_of(row) for row in await self._wire.get("/listing")]

    async def clock(self) -> MarketClock:
        row = await self._wire.get("/time")
        with reading("the time"):
            return MarketClock(
                now_ns=instant(row["now"]),
                is_open=row["open"],
                next_open_ns=instant(row["opens"]),
                next_close_ns=instant(row["closes"]),
            )

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        rows = await self._wire.get("/calendar", first=first.isoformat(), last=last.isoformat())
        with reading("a session"):
            return [_session(date.fromisoformat(row["day"]), row["from"], row["to"], ZoneInfo(row["zone"])) for row in rows]

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        rows = await self._wire.get("/quotes", syms=",".join(symbols))
        return {quote.symbol: quote for quote in map(quote_of, rows)}

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        rows = await self._wire.get("/trades", syms=",".join(symbols))
        return {trade.symbol: trade for trade in map(print_of, rows)}


class HarbourHistory:
    """Bars, as they were traded."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def source_of(self, symbol: str, feed: str | None) -> str:
        if feed not in {None, "main"}:
            raise InvalidValue("feed", feed, "Harbour has main.")
        return "harbour-main"

    async def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        step_s = STEPS.get(str(timeframe))
        if step_s is None:
            raise InvalidValue("timeframe", timeframe, "Harbour has 1m and 1d.")
        if adjustment is not Adjustment.RAW:
            raise NotInThisVersion("Harbour's bars are not adjusted.", "Ask for raw ones.")
        query = {"sym": symbol, "step": step_s, "to": -(-end_ns // 1_000)}
        at: int | None = -(-start_ns // 1_000)
        while at is not None:
            answer = await self._wire.get("/bars", at=at, **query)
            with reading("bars"):
                page, at = bars_of(answer["rows"], symbol, timeframe), answer["more"]
            yield page


def _session(day: date, opens: int, closes: int, zone: ZoneInfo) -> SessionDay:
    """A session of so many minutes after midnight, by the clocks of the exchange."""

    def at(minute: int) -> int:
        return to_ns(datetime.combine(day, time(minute // 60, minute % 60), zone))

    return SessionDay(day=day, open_ns=at(opens), close_ns=at(closes))
