"""What an account's runs had come to when their orders were folded last."""

from typing import NamedTuple

import msgspec


class RunEnd(NamedTuple):
    """Where a run ends: the numbers of its last order and fill, and the seq of its last event; 0 where there is none."""

    orders: int = 0
    fills: int = 0
    events: int = 0


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A fold as it is stored; what it holds is its maker's to know. `sha256` is of `body`, `version` of the way it was folded."""

    account: str
    version: int
    sha256: str
    body: str
