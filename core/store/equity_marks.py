"""What the losses of runs and accounts are counted from, in the table `equity_marks`: a projection of `risk.EquityMarked`."""

from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from core.model.risk import EquityMark
from core.store.dialect import execute
from core.store.sql import BulkInsert
from core.store.tables import EQUITY_MARKS

_COLUMNS: Final = ("run_id", "seq", "peak", "day", "day_start")
_PUT: Final = BulkInsert(EQUITY_MARKS, _COLUMNS, key="run_id", update=_COLUMNS[1:])


def put_equity_mark(connection: Connection, mark: EquityMark) -> None:
    """Insert or replace the mark of a run or an account."""
    _PUT.run(connection, [mark.owner, mark.seq, str(mark.peak), mark.day, str(mark.day_start)])


def read_equity_mark(connection: Connection, owner: str) -> EquityMark | None:
    """Return the mark of a run or an account."""
    row = execute(connection, f"SELECT {', '.join(_COLUMNS)} FROM equity_marks WHERE run_id = ?", (owner,)).fetchone()  # noqa: S608
    return None if row is None else equity_mark_of(*row)


def equity_mark_of(run_id: str, seq: int, peak: str, day: int, day_start: str) -> EquityMark:
    """Return the mark of a row."""
    return EquityMark(owner=run_id, seq=seq, peak=Decimal(peak), day=day, day_start=Decimal(day_start))
