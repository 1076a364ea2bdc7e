"""What Harbour says of the account and the market, in our types."""

from decimal import Decimal

import numpy as np

from core.model.broker import Account, AccountName, Asset, BarKind, BrokerPosition, LiveBar, Print, Quote, Tick
from core.model.instants import MINUTE_NS
from core.model.market import AssetClass, Bar, BarSeries, Timeframe

from .words import Document, instant, money, price, reading


@reading("the account")
def account_of(row: Document) -> Account:
    """The account's money. There is no margin and nothing is sold short."""
    return Account(
        number=row["number"],
        status=row["state"],
        currency="USD",
        cash=money(row["cash"]),
        equity=money(row["worth"]),
        last_equity=money(row["worth_before"]),
        buying_power=money(row["to_spend"]),
        non_marginable_buying_power=money(row["to_spend"]),
        long_value=money(row["worth"] - row["cash"]),
        short_value=Decimal(0),
        initial_margin=Decimal(0),
        maintenance_margin=Decimal(0),
        multiplier=Decimal(1),
        day_trades=0,
        shorting_enabled=False,
        trading_blocked=row["state"] != "OPEN",
        kind=AccountName.PAPER if row["practice"] else AccountName.LIVE,
    )


@reading("a position")
def position_of(row: Document) -> BrokerPosition:
    """Shares that are held. `cost` is what all of them cost, in points."""
    size, cost = row["size"], row["cost"]
    return BrokerPosition(
        symbol=row["sym"],
        asset_class=AssetClass.EQUITY,
        qty=Decimal(size),
        qty_available=Decimal(row["free"]),
        avg_price=price(cost) / size,
        cost_basis=price(cost),
        market_value=price(row["last"]) * size,
        price=price(row["last"]),
        unrealised_pnl=price(row["last"] * size - cost),
    )


@reading("a share")
def asset_of(row: Document) -> Asset:
    """Something that is traded, in whole shares and whole cents."""
    return Asset(
        id=row["sym"],
        symbol=row["sym"],
        asset_class=AssetClass.EQUITY,
        name=row["name"],
        exchange="Harbour",
        tradable=row["listed"],
        fractionable=False,
        marginable=False,
        shortable=False,
        easy_to_borrow=False,
        min_qty=Decimal(1),
        lot=Decimal(1),
        tick=price(100),
    )


@reading("a quote")
def quote_of(row: Document) -> Quote:
    """The best bid and offer."""
    return Quote(
        symbol=row["sym"],
        time_ns=instant(row["at"]),
        bid=price(row["bid"]),
        bid_size=Decimal(row["bid_size"]),
        ask=price(row["ask"]),
        ask_size=Decimal(row["ask_size"]),
    )


@reading("a trade")
def print_of(row: Document) -> Print:
    """A trade of the market."""
    return Print(symbol=row["sym"], time_ns=instant(row["at"]), price=price(row["px"]), size=Decimal(row["size"]))


def bars_of(rows: list[list[int]], symbol: str, timeframe: Timeframe) -> BarSeries:
    """Bars as columns; a row is its start, four prices and the volume."""
    table = np.array(rows, np.int64).reshape(-1, 6)
    starts, volumes = table[:, 0] * 1_000, table[:, 5].astype(np.float64)
    opens, highs, lows, closes = (table[:, 1:5] / 10_000).T
    return BarSeries.from_columns(symbol, timeframe, starts, opens, highs, lows, closes, volumes)


@reading("a tick")
def tick_of(row: Document) -> Tick | None:
    """What the stream of prices brings; None for what we do not know."""
    if row["k"] == "quote":
        return quote_of(row)
    if row["k"] == "trade":
        return print_of(row)
    if row["k"] == "minute":
        at, *points, volume = row["bar"]
        start_ns = instant(at)
        first, high, low, last = (point / 10_000 for point in points)
        bar = Bar(row["sym"], start_ns, start_ns + MINUTE_NS, first, high, low, last, float(volume))
        return LiveBar(bar=bar, kind=BarKind.CORRECTED if row["again"] else BarKind.FINAL)
    return None
