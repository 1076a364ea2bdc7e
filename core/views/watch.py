"""The watchlist: the last price of symbols, how far they have come since the day before, and how old that is."""

from dataclasses import dataclass

from core.model.broker import Print
from core.model.instants import DAY_NS
from core.model.market import BarSeries, BarSet
from core.views.columns import Column, Kind
from core.views.table import RowTable


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """`last` in quote currency, known at `time_ns`; `before`: the close of the day before. None where unknown."""

    symbol: str
    last: float | None = None
    time_ns: int | None = None
    before: float | None = None
    age_s: float | None = None
    origin: str = ""

    @property
    def change(self) -> float | None:
        """The last price over the close of the day before, less one."""
        return None if self.last is None or not self.before else self.last / self.before - 1


_LAST_SESSION_NS = 4 * DAY_NS
"""How long before a trade the day before it may lie, over a long weekend."""


class WatchTable(RowTable[WatchRow]):
    """Symbols in the order in which they were added."""

    columns = (
        Column[WatchRow]("symbol", "Symbol", Kind.TEXT, lambda row: row.symbol, 92),
        Column[WatchRow]("last", "Last", Kind.PRICE, lambda row: row.last, 92, decimals="price"),
        Column[WatchRow]("change", "Change", Kind.PERCENT, lambda row: row.change, 84, signed=True, tip="Since the day before."),
        Column[WatchRow]("age", "Age", Kind.DURATION, lambda row: row.age_s, 84, gives_way=1, tip="How old the price is."),
        Column[WatchRow]("origin", "From", Kind.TEXT, lambda row: row.origin, 60, gives_way=2, tip="The account's feed, or stored bars."),
    )

    def key_of(self, row: WatchRow) -> str:
        return row.symbol

    def symbol_of(self, row: WatchRow) -> str:
        return row.symbol

    def saw(self, row: WatchRow) -> None:
        self.decimals.saw_price(row.symbol, row.last)


def newest_set(sets: list[BarSet], symbol: str) -> BarSet | None:
    """Return the set of a symbol that reaches furthest; of those the finest."""
    own = [item for item in sets if item.key.symbol == symbol]
    return max(own, key=lambda item: (item.last_ns, item.bars), default=None)


def stored_row(symbol: str, series: BarSeries, origin: str, now_ns: int) -> WatchRow:
    """Return what stored bars tell of a symbol; `series` reaches back over the day before the last."""
    if not len(series):
        return WatchRow(symbol=symbol)
    last_ns = int(series.start_ns[-1]) + series.timeframe.ns
    midnight_ns = int(series.start_ns[-1]) // DAY_NS * DAY_NS
    earlier = series.close[series.start_ns < midnight_ns]
    before = float(earlier[-1]) if len(earlier) else float(series.open[0])
    age_s = max(0.0, (now_ns - last_ns) / 1e9)
    return WatchRow(symbol=symbol, last=float(series.close[-1]), time_ns=last_ns, before=before, age_s=age_s, origin=origin)


def live_row(symbol: str, trade: Print, stored: WatchRow | None, now_ns: int, origin: str) -> WatchRow:
    """Return what a market's newest trade tells, beside what is stored: bars that end days before it say nothing of its day."""
    before = None
    if stored is not None and stored.time_ns is not None and 0 <= trade.time_ns - stored.time_ns <= _LAST_SESSION_NS:
        is_same_day = (stored.time_ns - 1) // DAY_NS == trade.time_ns // DAY_NS
        before = stored.before if is_same_day else stored.last
    age_s = max(0.0, (now_ns - trade.time_ns) / 1e9)
    return WatchRow(symbol=symbol, last=float(trade.price), time_ns=trade.time_ns, before=before, age_s=age_s, origin=origin)
