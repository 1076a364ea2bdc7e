"""What a memory store was given and only carries on: where events were archived, and the hashes of those that came with some."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Carried:
    """Rows by column, as they came. `head`: the last seq then; what came later is chained by this program, or not."""

    archives: list[Mapping[str, Any]] = field(default_factory=list)
    hashes: list[Mapping[str, Any]] = field(default_factory=list)
    head: int = 0
