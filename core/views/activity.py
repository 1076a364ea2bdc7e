"""The journal: events in words."""

import msgspec

from core.events.envelope import Envelope
from core.events.live_payloads import EquityMarked
from core.events.payloads import OrderAccepted, OrderCreated, StrategyStateSaved
from core.views.columns import Column, Kind
from core.views.table import Changes, RowTable
from core.views.words import FindOrder, Level, level_of, words

KEEP = 20_000
"""Rows kept; the oldest go first."""

_SLACK = KEEP // 4


class ActivityRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the journal. `time_ns` UTC; `source` is the run's words or the part of the program.

    There are thousands, and none is ever a part of a cycle: the collector of garbage need not look at them.
    """

    seq: int
    time_ns: int
    level: Level
    source: str
    text: str
    type: str
    run_id: str | None = None
    order_id: str | None = None


class ActivityTable(RowTable[ActivityRow]):
    """Lines, oldest first, at most `KEEP` and a quarter; each event once."""

    columns = (
        Column[ActivityRow]("time", "Time", Kind.TIME, lambda row: row.time_ns, 142),
        Column[ActivityRow]("level", "Level", Kind.STATUS, lambda row: row.level.value, 88),
        Column[ActivityRow]("source", "Source", Kind.TEXT, lambda row: row.source, 150),
        Column[ActivityRow]("text", "What happened", Kind.TEXT, lambda row: row.text, 560),
        Column[ActivityRow]("type", "Event", Kind.TEXT, lambda row: row.type, 130, hidden=True),
        Column[ActivityRow]("seq", "Seq", Kind.NUMBER, lambda row: row.seq or None, 72, decimals=0, hidden=True),
        Column[ActivityRow]("run", "Run", Kind.ID, lambda row: row.run_id, 96, hidden=True),
    )

    def __init__(self, find_order: FindOrder) -> None:
        super().__init__()
        self._find_order = find_order
        self._seen: set[int] = set()

    def words_of(self, row: ActivityRow) -> str:
        return f"{row.text} {row.source} {row.type} {row.level} {row.run_id or ''}".lower()

    def clear(self) -> None:
        super().clear()
        self._seen = set()

    def fold(self, event: Envelope, source: str) -> None:
        """Take an event. Steps that go without saying (an order made, an order accepted) are left to the order table."""
        payload = event.payload
        if isinstance(payload, (OrderCreated, OrderAccepted, StrategyStateSaved)) or (event.seq and event.seq in self._seen):
            return
        if isinstance(payload, EquityMarked) and payload.account is not None:
            return  # in a rising market an account has one at every look
        if event.seq:
            self._seen.add(event.seq)
        self.rows.append(
            ActivityRow(
                seq=event.seq,
                time_ns=event.ts,
                level=level_of(event),
                source=source,
                text=words(event, self._find_order),
                type=event.type,
                run_id=event.run_id,
                order_id=getattr(event.payload, "order_id", None),
            )
        )

    def say(self, text: str, *, time_ns: int, level: Level = Level.INFO, source: str = "window") -> None:
        """Add a line of the window's own."""
        self.rows.append(ActivityRow(seq=0, time_ns=time_ns, level=level, source=source, text=text, type="window.Said"))

    @property
    def has_changes(self) -> bool:
        return super().has_changes or len(self.rows) > KEEP + _SLACK

    def take_changes(self) -> Changes:
        if len(self.rows) > KEEP + _SLACK:
            self._doomed.update(range(len(self.rows) - KEEP))
        return super().take_changes()

    def drop(self, first: int, last: int) -> None:
        self._seen.difference_update(row.seq for row in self.rows[first : last + 1])
        super().drop(first, last)
