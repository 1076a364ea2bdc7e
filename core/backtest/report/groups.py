"""Trades by symbol, side, hour and weekday."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from core.clock.calendar import EXCHANGE_ZONE, session_days
from core.model.instants import DAY_NS, HOUR_NS, SECOND_NS
from core.model.market import AssetClass, Floats, Instants, asset_class_of
from core.model.money import to_float
from core.model.position import PositionSide, Trade
from core.model.report import TradeGroup

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class TradeColumns:
    """The figures of trades as arrays, made once."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        count = len(trades)
        self.trades = trades
        self.profit = np.fromiter((to_float(trade.pnl) for trade in trades), np.float64, count)
        self.fees = np.fromiter((to_float(trade.fees) for trade in trades), np.float64, count)
        self.value = np.fromiter((to_float(trade.entry_price * trade.qty) for trade in trades), np.float64, count)
        self.entry_ns = np.fromiter((trade.entry_ns for trade in trades), np.int64, count)
        self.symbols = [trade.symbol for trade in trades]
        self.is_long = np.fromiter((trade.side is PositionSide.LONG for trade in trades), np.bool_, count)

    def returns(self) -> Floats:
        """Return profit ÷ value at entry; nan where that value is not above 0."""
        found = np.full(len(self.profit), np.nan)
        np.divide(self.profit, self.value, out=found, where=self.value > 0)
        return found


def by_symbol(columns: TradeColumns, symbols: Sequence[str]) -> tuple[TradeGroup, ...]:
    """Return a group for each of `symbols` and for others that were traded, those without trades too."""
    names = [*symbols, *sorted(set(columns.symbols) - set(symbols))]
    numbers = {name: at for at, name in enumerate(names)}
    keys = np.fromiter((numbers[symbol] for symbol in columns.symbols), np.int64, len(columns.symbols))
    return _groups(columns, keys, names, empty=True)


def by_side(columns: TradeColumns) -> tuple[TradeGroup, ...]:
    """Return a group for each side that was traded."""
    return _groups(columns, np.where(columns.is_long, 0, 1), ("long", "short"))


def by_hour(columns: TradeColumns) -> tuple[TradeGroup, ...]:
    """Return a group for each hour of the day in which trades were entered; see `local_ns`."""
    hours = local_ns(columns.entry_ns, columns.symbols) // HOUR_NS % 24
    return _groups(columns, hours, tuple(f"{hour:02d}:00" for hour in range(24)))


def by_weekday(columns: TradeColumns, *, daily: bool) -> tuple[TradeGroup, ...]:
    """Return a group for each weekday on which trades were entered. `daily`: a stamp is its bar's day, not an instant of it."""
    days = session_dates(columns.entry_ns, columns.symbols) if daily else local_ns(columns.entry_ns, columns.symbols) // DAY_NS
    return _groups(columns, (days + 3) % 7, WEEKDAYS)  # 1970-01-01 was a Thursday


def zone_words(symbols: Sequence[str]) -> str:
    """Return the zone of hours and weekdays: that of the exchange for equities, UTC for all others."""
    kinds = {asset_class_of(symbol).has_sessions for symbol in symbols}
    if kinds == {True}:
        return "New York"
    return "New York for equities, UTC for the others" if True in kinds else "UTC"


def local_ns(instants_ns: Instants, symbols: Sequence[str]) -> Instants:
    """Return the instants as wall-clock time where each symbol is traded, ns since 1970: New York for equities, else UTC."""
    shift = np.zeros(len(instants_ns), np.int64)
    of_exchange = _of_exchange(symbols)
    if of_exchange.any():
        # The clock is changed at a full hour: one look-up for each hour that occurs.
        hours, places = np.unique(instants_ns[of_exchange] // HOUR_NS, return_inverse=True)
        zone = ZoneInfo(EXCHANGE_ZONE)
        offsets = [datetime.fromtimestamp(hour * HOUR_NS // SECOND_NS, UTC).astimezone(zone).utcoffset() for hour in hours.tolist()]
        seconds = np.fromiter((0 if offset is None else offset.total_seconds() for offset in offsets), np.int64, len(offsets))
        shift[of_exchange] = seconds[places] * SECOND_NS
    return instants_ns + shift


def session_dates(starts_ns: Instants, symbols: Sequence[str]) -> Instants:
    """Return the day, since 1970, that each bar of a day or more is stamped with."""
    days = starts_ns // DAY_NS
    of_exchange = _of_exchange(symbols)
    if of_exchange.any():
        stamps, places = np.unique(starts_ns[of_exchange], return_inverse=True)
        days[of_exchange] = session_days(stamps)[places]
    return days


def _of_exchange(symbols: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    known = {symbol: asset_class_of(symbol) is AssetClass.EQUITY for symbol in set(symbols)}
    return np.fromiter((known[symbol] for symbol in symbols), np.bool_, len(symbols))


def _groups(columns: TradeColumns, keys: Instants, names: Sequence[str], *, empty: bool = False) -> tuple[TradeGroup, ...]:
    found = []
    for key, name in enumerate(names):
        profit = columns.profit[keys == key]
        count = len(profit)
        if not count and not empty:
            continue
        wins, losses = profit[profit > 0], profit[profit < 0]
        found.append(
            TradeGroup(
                name=name,
                trades=count,
                wins=len(wins),
                win_rate=len(wins) / count if count else None,
                profit=float(profit.sum()),
                mean_profit=float(profit.mean()) if count else None,
                profit_factor=float(wins.sum()) / -float(losses.sum()) if len(losses) else None,
                fees=float(columns.fees[keys == key].sum()),
                best=float(profit.max()) if count else None,
                worst=float(profit.min()) if count else None,
            )
        )
    return tuple(found)
