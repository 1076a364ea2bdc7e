"""The tables of the data panel: stored bar sets, and the holes of one of them."""

from core.model.instants import from_ns
from core.model.market import Adjustment, BarSet, BarSetKey, Gap
from core.views.columns import Column, Kind
from core.views.table import RowTable


def key_text(key: BarSetKey) -> str:
    """Return what tells a set from every other, in words: `SPY 1d from yahoo, raw`."""
    return f"{key.symbol} {key.timeframe} from {key.source}, {key.adjustment.value}"


_STATE = "What is out of the prices, when they are not raw; a sealed set cannot be changed or deleted."


def period_words(bar_set: BarSet) -> str:
    """Return `2014 – 2015`, inside one year `2024-03 – 11`, inside one month `2024-03`."""
    first, last = _day(bar_set.first_ns), _day(bar_set.last_ns)
    if first == last:
        return first
    if first[:4] != last[:4]:
        return f"{first[:4]} – {last[:4]}"
    return first[:7] if first[:7] == last[:7] else f"{first[:7]} – {last[5:7]}"


def state_words(bar_set: BarSet) -> str:
    """Return `raw`, `split`, `sealed`, `split, sealed`."""
    marks = [] if bar_set.key.adjustment is Adjustment.RAW else [bar_set.key.adjustment.value]
    marks += ["sealed"] if bar_set.sealed else []
    return ", ".join(marks) or Adjustment.RAW.value


class BarSetTable(RowTable[BarSet]):
    """Stored bar sets, by symbol and timeframe."""

    columns = (
        Column[BarSet]("symbol", "Symbol", Kind.TEXT, lambda row: row.key.symbol, 86),
        Column[BarSet]("timeframe", "Bar", Kind.TEXT, lambda row: row.key.timeframe, 40, tip="Length of a bar."),
        Column[BarSet]("source", "Source", Kind.TEXT, lambda row: row.key.source, 76, gives_way=1),
        Column[BarSet]("bars", "Bars", Kind.NUMBER, lambda row: row.bars, 66, decimals=0),
        Column[BarSet]("period", "Period", Kind.TEXT, period_words, 94, tip="First to last bar, UTC; the days on hover."),
        Column[BarSet]("state", "State", Kind.TEXT, state_words, 50, gives_way=2, tip=_STATE),
        Column[BarSet]("first", "First", Kind.TEXT, lambda row: _day(row.first_ns), 88, hidden=True, tip="Day of the first bar, UTC."),
        Column[BarSet]("last", "Last", Kind.TEXT, lambda row: _day(row.last_ns), 88, hidden=True, tip="Day of the last bar, UTC."),
        Column[BarSet]("adjustment", "Adjusted", Kind.TEXT, lambda row: row.key.adjustment.value, 64, hidden=True),
        Column[BarSet]("kind", "Kind", Kind.TEXT, lambda row: "simulated" if row.simulated else "real", 72, hidden=True),
    )  # fmt: skip

    def key_of(self, row: BarSet) -> str:
        return key_text(row.key)

    def symbol_of(self, row: BarSet) -> str:
        return row.key.symbol

    def tip_of(self, column: Column[BarSet], row: BarSet) -> str | None:
        return f"{_day(row.first_ns)} to {_day(row.last_ns)}" if column.key == "period" else None


class GapTable(RowTable[Gap]):
    """Holes of a set against its calendar, oldest first."""

    columns = (
        Column[Gap]("start", "Missing from", Kind.TIME, lambda row: row.start_ns, 140, tip="Start of the first bar that is missing."),
        Column[Gap]("end", "to", Kind.TIME, lambda row: row.end_ns, 140, tip="Start of the next bar that is there."),
        Column[Gap]("missing", "Bars missing", Kind.NUMBER, lambda row: row.missing, 90, decimals=0),
    )  # fmt: skip

    def key_of(self, row: Gap) -> str:
        return str(row.start_ns)


def _day(instant_ns: int) -> str:
    return from_ns(instant_ns).date().isoformat()
