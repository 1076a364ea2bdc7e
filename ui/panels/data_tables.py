"""The tables of the data panel: stored bar sets, and the holes of one of them."""

from core.model.instants import from_ns
from core.model.market import BarSet, BarSetKey, Gap
from core.views.columns import Column, Kind
from core.views.table import RowTable


def key_text(key: BarSetKey) -> str:
    """Return what tells a set from every other, in words: `SPY 1d from yahoo, raw`."""
    return f"{key.symbol} {key.timeframe} from {key.source}, {key.adjustment.value}"


class BarSetTable(RowTable[BarSet]):
    """Stored bar sets, by symbol and timeframe."""

    columns = (
        Column[BarSet]("symbol", "Symbol", Kind.TEXT, lambda row: row.key.symbol, 84),
        Column[BarSet]("timeframe", "Frame", Kind.TEXT, lambda row: row.key.timeframe, 56, tip="Length of a bar."),
        Column[BarSet]("source", "Source", Kind.TEXT, lambda row: row.key.source, 74),
        Column[BarSet]("bars", "Bars", Kind.NUMBER, lambda row: row.bars, 70, decimals=0),
        Column[BarSet]("first", "First", Kind.TEXT, lambda row: _day(row.first_ns), 88, tip="Day of the first bar, UTC."),
        Column[BarSet]("last", "Last", Kind.TEXT, lambda row: _day(row.last_ns), 88, tip="Day of the last bar, UTC."),
        Column[BarSet]("adjustment", "Adjusted", Kind.TEXT, lambda row: row.key.adjustment.value, 64, tip="What is out of the prices."),
        Column[BarSet]("kind", "Kind", Kind.TEXT, lambda row: "simulated" if row.simulated else "real", 72),
    )  # fmt: skip

    def key_of(self, row: BarSet) -> str:
        return key_text(row.key)

    def symbol_of(self, row: BarSet) -> str:
        return row.key.symbol


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
