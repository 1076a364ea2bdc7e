"""What Alpaca trades, when, and at what prices now."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from core.brokers.alpaca.fields import Fields, amount_or_none, amount_or_zero, asset_class, fields, instant, parsed, rows
from core.brokers.rest import Answer, RestClient
from core.errors import InvalidValue
from core.model.broker import Asset, MarketClock, Print, Quote, SessionDay
from core.model.instants import to_ns
from core.model.market import AssetClass, asset_class_of

Item = TypeVar("Item")

FEEDS: Final = ("iex", "sip")
CRYPTO_ROOT: Final = "/v1beta3/crypto/us"
_EXCHANGE_ZONE: Final = ZoneInfo("America/New_York")


def feed_of(feed: str | None) -> str:
    """Return the feed of equities that is meant; IEX is the one that every account has. Raises InvalidValue."""
    if feed is not None and feed not in FEEDS:
        raise InvalidValue("feed", repr(feed), f"it must be one of {', '.join(FEEDS)}.")
    return feed or FEEDS[0]


class AlpacaMarket:
    """The `BrokerMarket` of Alpaca."""

    def __init__(self, trading: RestClient, data: RestClient) -> None:
        self._trading = trading
        self._data = data

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        """See `core.ports.BrokerMarket`."""
        query = {"status": "active", "asset_class": "crypto" if asset_class is AssetClass.CRYPTO else "us_equity"}

        def read(answer: Answer) -> list[Asset]:
            return sorted((_read_asset(row) for row in rows(parsed(answer.body))), key=lambda asset: asset.symbol)

        return await self._trading.ask("/v2/assets", query, read, "Reading what can be traded")

    async def clock(self) -> MarketClock:
        """See `core.ports.BrokerMarket`."""
        return await self._trading.ask("/v2/clock", {}, lambda answer: _read_clock(parsed(answer.body)), "Reading the broker's clock")

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        """See `core.ports.BrokerMarket`."""
        query = {"start": first.isoformat(), "end": last.isoformat()}

        def read(answer: Answer) -> list[SessionDay]:
            return [_read_session(row) for row in rows(parsed(answer.body))]

        return await self._trading.ask("/v2/calendar", query, read, "Reading the calendar")

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        """See `core.ports.BrokerMarket`."""
        return await self._latest("quotes", symbols, feed, read_quote)

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        """See `core.ports.BrokerMarket`."""
        return await self._latest("trades", symbols, feed, read_print)

    async def _latest(self, kind: str, symbols: Sequence[str], feed: str | None, make: Callable[[str, Fields], Item]) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for is_crypto in (False, True):
            chosen = [symbol for symbol in symbols if (asset_class_of(symbol) is AssetClass.CRYPTO) is is_crypto]
            if not chosen:
                continue
            path = f"{CRYPTO_ROOT}/latest/{kind}" if is_crypto else f"/v2/stocks/{kind}/latest"
            query = {"symbols": ",".join(chosen)} | ({} if is_crypto else {"feed": feed_of(feed)})

            def read(answer: Answer) -> dict[str, Item]:
                by_symbol = fields(parsed(answer.body)).get(kind) or {}
                return {symbol: make(symbol, fields(row)) for symbol, row in fields(by_symbol).items() if row}

            found |= await self._data.ask(path, query, read, f"Reading the latest {kind}")
        return found


def read_quote(symbol: str, row: Fields) -> Quote:
    """Return a quote of Alpaca's short names."""
    return Quote(
        symbol=symbol,
        time_ns=instant(row["t"]),
        bid=amount_or_zero(row.get("bp")),
        bid_size=amount_or_zero(row.get("bs")),
        ask=amount_or_zero(row.get("ap")),
        ask_size=amount_or_zero(row.get("as")),
    )


def read_print(symbol: str, row: Fields) -> Print:
    """Return a trade of Alpaca's short names."""
    return Print(symbol=symbol, time_ns=instant(row["t"]), price=Decimal(str(row["p"])), size=amount_or_zero(row.get("s")))


def _read_asset(document: Any) -> Asset:
    row = fields(document)
    return Asset(
        id=str(row["id"]),
        symbol=str(row["symbol"]),
        asset_class=asset_class(row.get("class")),
        name=str(row.get("name") or ""),
        exchange=str(row.get("exchange") or ""),
        tradable=bool(row.get("tradable")),
        fractionable=bool(row.get("fractionable")),
        marginable=bool(row.get("marginable")),
        shortable=bool(row.get("shortable")),
        easy_to_borrow=bool(row.get("easy_to_borrow")),
        min_qty=amount_or_none(row.get("min_order_size")),
        lot=amount_or_none(row.get("min_trade_increment")),
        tick=amount_or_none(row.get("price_increment")),
    )


def _read_clock(document: Any) -> MarketClock:
    row = fields(document)
    return MarketClock(
        now_ns=instant(row["timestamp"]),
        is_open=bool(row["is_open"]),
        next_open_ns=instant(row["next_open"]),
        next_close_ns=instant(row["next_close"]),
    )


def _read_session(row: Fields) -> SessionDay:
    day = date.fromisoformat(str(row["date"]))
    return SessionDay(day=day, open_ns=_in_new_york(day, str(row["open"])), close_ns=_in_new_york(day, str(row["close"])))


def _in_new_york(day: date, clock: str) -> int:
    """Return the instant of a time of day that Alpaca writes without a zone: it is New York's."""
    moment = datetime.fromisoformat(f"{day.isoformat()}T{clock}")
    return to_ns(moment.replace(tzinfo=_EXCHANGE_ZONE))
