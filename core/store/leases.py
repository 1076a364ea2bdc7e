"""Leases in the database: who may act for a run or an account. All time is the database's own."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from core import ENGINE_VERSION
from core.errors import HeldElsewhere, LeaseLost
from core.model.desk import Desk, DeskSeen, Lease, LeaseKind
from core.store.dialect import database_of, execute
from core.store.threads import Threads

_COLUMNS: Final = "kind, name, epoch, desk_id, desk_name, owner, expires_ms, offered_to"
_MS: Final = 1_000
_WORDS: Final = {LeaseKind.RUN: "Run", LeaseKind.ACCOUNT: "Account"}


class DatabaseLeases:
    """`Leases` in the tables `leases` and `desks`. `is_alive`: whether a process of this machine, by name, still lives."""

    def __init__(self, threads: Threads, desk: Desk, owner: str, is_alive: Callable[[str], bool]) -> None:
        self._threads = threads
        self._desk = desk
        self._owner = owner
        self._is_alive = is_alive

    async def acquire(self, kind: LeaseKind, name: str, ttl_s: float) -> Lease:
        """See `core.ports.Leases`."""
        return await self._threads.write_and_wait(lambda connection: self._acquire(connection, kind, name, round(ttl_s * _MS)))

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """See `core.ports.Leases`."""
        return await self._threads.write_and_wait(lambda connection: self._renew(connection, leases, round(ttl_s * _MS)))

    async def release(self, lease: Lease) -> None:
        """See `core.ports.Leases`."""
        await self._threads.write_and_wait(lambda connection: _change(connection, lease, "expires_ms = 0, offered_to = NULL", ()))

    async def offer(self, lease: Lease, desk_id: str | None) -> None:
        """See `core.ports.Leases`."""

        def offer(connection: Connection) -> None:
            if not _change(connection, lease, "offered_to = ?", (desk_id,)):
                raise lost(lease)

        await self._threads.write_and_wait(offer)

    async def held(self, kind: LeaseKind) -> Sequence[Lease]:
        """See `core.ports.Leases`."""
        return await self._threads.read(lambda connection: _held(connection, "kind = ? AND expires_ms > 0 ORDER BY name", (kind.value,)))

    async def desks(self) -> Sequence[DeskSeen]:
        """See `core.ports.Leases`."""
        return await self._threads.read(self._desks)

    def _acquire(self, connection: Connection, kind: LeaseKind, name: str, ttl_ms: int) -> Lease:
        now = database_of(connection).sql.now_ms
        before = _held(connection, "kind = ? AND name = ?", (kind.value, name))
        # A process of this desk that is gone holds nothing, however long its lease would still last.
        gone = [lease.owner for lease in before if lease.desk.id == self._desk.id and not self._is_alive(lease.owner)]
        row = execute(
            connection,
            f"INSERT INTO leases ({_COLUMNS}) VALUES (?, ?, 1, ?, ?, ?, {now} + ?, NULL)"  # noqa: S608 - our own names; values are parameters
            " ON CONFLICT (kind, name) DO UPDATE SET epoch = leases.epoch + 1, desk_id = excluded.desk_id, desk_name = excluded.desk_name,"
            " owner = excluded.owner, expires_ms = excluded.expires_ms, offered_to = NULL"
            f" WHERE leases.expires_ms <= {now} OR leases.offered_to = excluded.desk_id OR leases.owner = ?"
            " RETURNING epoch, expires_ms",
            (kind.value, name, self._desk.id, self._desk.name, self._owner, ttl_ms, gone[0] if gone else ""),
        ).fetchone()
        if row is None:
            (holder,) = _held(connection, "kind = ? AND name = ?", (kind.value, name))
            raise HeldElsewhere(f"{_WORDS[kind]} {name}", holder.desk.name)
        return Lease(kind=kind, name=name, epoch=row[0], desk=self._desk, owner=self._owner, expires_ms=row[1])

    def _renew(self, connection: Connection, leases: Sequence[Lease], ttl_ms: int) -> list[Lease]:
        now = database_of(connection).sql.now_ms
        execute(
            connection,
            f"INSERT INTO desks (id, name, version, seen_ms) VALUES (?, ?, ?, {now})"  # noqa: S608
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, seen_ms = excluded.seen_ms",
            (self._desk.id, self._desk.name, ENGINE_VERSION),
        )
        # In one order on every desk: two that renew and take over at once must not wait for each other.
        in_order = sorted(leases, key=lambda lease: (lease.kind, lease.name))
        return [lease for lease in in_order if not _change(connection, lease, f"expires_ms = {now} + ?", (ttl_ms,))]

    def _desks(self, connection: Connection) -> list[DeskSeen]:
        now = database_of(connection).sql.now_ms
        rows = execute(connection, f"SELECT id, name, version, {now} - seen_ms FROM desks ORDER BY name, id").fetchall()  # noqa: S608
        return [
            DeskSeen(desk=Desk(id=row[0], name=row[1]), version=row[2], seen_s=max(0, row[3]) / _MS, is_here=row[0] == self._desk.id)
            for row in rows
        ]


def check_held(connection: Connection, lease: Lease) -> None:
    """Raise LeaseLost unless `lease` is held; nobody takes it over before the transaction ends."""
    sql = database_of(connection).sql
    found = execute(connection, f"SELECT 1 FROM leases WHERE {_IS}{sql.for_update}", _identity(lease)).fetchone()  # noqa: S608
    if found is None:
        raise lost(lease)


def lost(lease: Lease) -> LeaseLost:
    """Return the error for a lease that another has taken over."""
    return LeaseLost(f"{lease.kind} {lease.name}")


_IS: Final = "kind = ? AND name = ? AND epoch = ? AND owner = ? AND expires_ms > 0"


def _identity(lease: Lease) -> tuple[Any, ...]:
    return lease.kind.value, lease.name, lease.epoch, lease.owner


def _change(connection: Connection, lease: Lease, change: str, values: tuple[Any, ...]) -> bool:
    """Change a lease that is held; False when it is lost."""
    done = execute(connection, f"UPDATE leases SET {change} WHERE {_IS}", (*values, *_identity(lease)))  # noqa: S608
    return bool(done.rowcount)


def _held(connection: Connection, where: str, values: tuple[Any, ...]) -> list[Lease]:
    now = database_of(connection).sql.now_ms
    rows = execute(connection, f"SELECT {_COLUMNS}, {now} FROM leases WHERE {where}", values).fetchall()  # noqa: S608
    return [
        Lease(
            kind=LeaseKind(kind),
            name=name,
            epoch=epoch,
            desk=Desk(id=desk_id, name=desk_name),
            owner=owner,
            expires_ms=expires_ms,
            expired=expires_ms <= now_ms,
            offered_to=offered_to,
        )
        for kind, name, epoch, desk_id, desk_name, owner, expires_ms, offered_to, now_ms in rows
    ]
