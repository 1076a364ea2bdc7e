"""Gives unused space back to the system."""

from sqlalchemy import Connection

from core.model.care import Vacuum


def vacuum(connection: Connection) -> Vacuum:
    """Rewrite the database without the space that nothing uses; `connection` is in no transaction. It waits for no reader."""
    before = _size(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return Vacuum(before=before, after=_size(connection))


def _size(connection: Connection) -> int | None:
    if connection.dialect.name == "sqlite":
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
        return int(pages * (connection.exec_driver_sql("PRAGMA page_size").scalar() or 0))
    found = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar()
    return None if found is None else int(found)
