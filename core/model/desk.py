"""Desks: the workstations that share a database, and what only one of them may do at a time."""

import platform
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

_THERE_S: Final = 30.0
"""A desk that was heard of so lately is there."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A workstation: `id` tells it from all others and stays, `name` is for people."""

    id: str
    name: str


def this_machine() -> Desk:
    """Return the desk of a program that was given no identity: the machine."""
    name = platform.node() or "this machine"
    return Desk(id=name, name=name)


class DeskSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A desk as the others see it. `seen_s`: how long ago it was last heard of, by the database's clock."""

    desk: Desk
    version: str
    """Of the program."""
    seen_s: float
    is_here: bool
    """Whether it is this one."""

    @property
    def words(self) -> str:
        """`Ann, seen 0:02:10 ago`; of one that is there, its name."""
        return self.desk.name if self.seen_s < _THERE_S else f"{self.desk.name}, seen {timedelta(seconds=round(self.seen_s))} ago"


class LeaseKind(StrEnum):
    """What has one holder at a time."""

    RUN = "run"
    ACCOUNT = "account"
    """The right to send orders to a broker's account."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to act for one run or account, until `expires_ms` of the database's clock, UTC ms; renewed while it is used.

    `epoch` goes up with every new holder: what an earlier one still writes is known by it, and refused.
    """

    kind: LeaseKind
    name: str
    """The id of the run, the name of the account."""
    epoch: int
    desk: Desk
    owner: str
    """The process that holds it; see `Store.owner`."""
    expires_ms: int
    expired: bool = False
    """By the database's clock, when it was read."""
    offered_to: str | None = None
    """The id of the desk that may take it before it expires."""
