"""What looking after a store finds and does: checks, exports, archives, chains of hashes."""

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a store that is not as it must be. `kind` says where: among the events, runs, orders, fills, bars …."""

    kind: str
    sentence: str


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looked at (`counts`, by kind) and what it found."""

    findings: tuple[Finding, ...] = ()
    counts: dict[str, int] = {}


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying the chain of hashes of a run's events gave.

    `events` were looked at and `hashed` of them have a hash. `first_changed`: the first event that is not what it was when it
    was stored, is missing, or stands where none stood; None when all is as it was.
    """

    run_id: str
    events: int
    hashed: int
    first_changed: int | None = None
    sentence: str = ""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to a file of everything, or read back: rows by table."""

    file: str
    rows: dict[str, int]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """A file that events were moved to. `kind`: the class of its events; `sha256`: of its lines."""

    name: str
    kind: str
    file: str
    events: int
    first_seq: int
    last_seq: int
    sha256: str
    created_ns: int


class Vacuum(msgspec.Struct, frozen=True, kw_only=True):
    """Size of a store before and after it gave back unused space, bytes; None where the database does not tell."""

    before: int | None
    after: int | None
