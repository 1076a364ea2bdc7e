"""Deleting events of the log, and noting which: a hole in the sequence that nobody noted is a loss."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from core.store.tables import DELETED_SEQS, OUTBOX

EARLIER: Final = "earlier"
"""Why a range was deleted that was a hole before deletions were noted."""


def delete_events(connection: Connection, condition: ColumnElement[bool], why: str) -> int:
    """Delete the events that fit a condition on `OUTBOX`; note their ranges; return how many there were."""
    seq = OUTBOX.c.seq
    # Rows of one range have the same difference to their number in the order.
    numbered = select(seq, (seq - func.row_number().over(order_by=seq)).label("island")).where(condition).subquery()
    ranges = select(func.min(numbered.c.seq), func.max(numbered.c.seq), literal(why)).group_by(numbered.c.island)
    connection.execute(insert(DELETED_SEQS).from_select(["first_seq", "last_seq", "why"], ranges))
    return connection.execute(delete(OUTBOX).where(condition)).rowcount
