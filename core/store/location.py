"""Where the data is kept, as a person names it: a path, a URL, or the word memory."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote

from core.errors import InputError
from core.events.codec import EventCodec
from core.model.desk import Desk
from core.ports import Clock, Store
from core.store.memory import MemoryStore

MEMORY: Final = "memory"
_SQLITE: Final = ("sqlite", "sqlite+aiosqlite", "sqlite+pysqlite")
_NAMES: Final = "Name a file (sqlite:///path), a server's database (postgresql://user@host/name), or memory."


def is_postgres(url: str) -> bool:
    """Tell whether a URL names a PostgreSQL database; a driver in its scheme (`postgresql+asyncpg://`) does not matter."""
    scheme, marker, _ = url.strip().partition("://")
    return bool(marker) and scheme.lower().partition("+")[0] in {"postgresql", "postgres"}


def database_path(url: str) -> Path | None:
    """Return the path of the SQLite file, or None for `memory`. Not for PostgreSQL; see `is_postgres`.

    Takes a plain path, `sqlite:///relative/path`, `sqlite:////absolute/path` and `memory`. Raises InputError for anything else.
    """
    text = url.strip()
    scheme, marker, rest = text.partition("://")
    if marker and scheme.lower() not in _SQLITE:
        raise InputError(f"{scheme}:// is not a database this program knows.", _NAMES)
    name = unquote(rest.removeprefix("/").partition("?")[0]) if marker else text
    if name in {"", ":memory:"} or (not marker and name == MEMORY):
        if not text:
            raise InputError("The database has no name.", _NAMES)
        return None
    return Path(name).expanduser()


def store_at(
    url: str,
    clock: Clock,
    *,
    codec: EventCodec | None = None,
    locks: Path | None = None,
    desk: Desk | None = None,
    hash_chain: bool = False,
    bar_cache: Path | None = None,
) -> Store:
    """Return the store that `url` names, not yet open. `locks` and what follows: see `DatabaseStore`. Raises InputError."""
    if not is_postgres(url) and database_path(url) is None:
        return MemoryStore(clock, codec=codec, desk=desk, hash_chain=hash_chain)
    from core.store.database import DatabaseStore  # SQLAlchemy takes a fifth of a second to import, and memory does not need it

    return DatabaseStore(url, clock, codec=codec, locks=locks, desk=desk, hash_chain=hash_chain, bar_cache=bar_cache)
