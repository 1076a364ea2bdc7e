"""How far consumers have acted, in the table `consumer_offsets`."""

from sqlalchemy import Connection

from core.errors import OffsetMoved
from core.store.dialect import database_of, execute


def read_offset(connection: Connection, consumer: str) -> int:
    """Return the seq up to which a consumer has acted; 0 for one that never did."""
    row = execute(connection, "SELECT seq FROM consumer_offsets WHERE consumer = ?", (consumer,)).fetchone()
    return 0 if row is None else int(row[0])


def advance(connection: Connection, consumer: str, after_seq: int, seq: int) -> None:
    """Move an offset from `after_seq` to `seq`. Raises OffsetMoved where it is elsewhere; no other moves it before the commit."""
    now_ns = f"{database_of(connection).sql.now_ms} * 1000000"
    if after_seq == 0:
        row = f"INSERT INTO consumer_offsets (consumer, seq, updated_ns) VALUES (?, ?, {now_ns})"  # noqa: S608 - made of our own names
        moved = execute(connection, f"{row} ON CONFLICT (consumer) DO NOTHING", (consumer, seq)).rowcount
    else:
        change = f"UPDATE consumer_offsets SET seq = ?, updated_ns = {now_ns} WHERE consumer = ? AND seq = ?"  # noqa: S608
        moved = execute(connection, change, (seq, consumer, after_seq)).rowcount
    if not moved:
        raise OffsetMoved(consumer)
