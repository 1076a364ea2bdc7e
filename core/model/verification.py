"""What came of running a run again, and how several runs differ."""

import msgspec

from core.model.run import RunStatus


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not what it was. `sentence` says it for a person; `then` and `now` are the two figures."""

    what: str
    then: str
    now: str
    sentence: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """A run, run again from its manifest and compared bit for bit.

    `causes`: what the run was made from that is no longer the same; `differences`: what came out otherwise. `fills` and
    `bars` of the run as stored; `was_repeated` is False when its strategy, bars or actions are no longer there to repeat it.
    """

    run_id: str
    status: RunStatus
    causes: tuple[Difference, ...] = ()
    differences: tuple[Difference, ...] = ()
    was_repeated: bool = False
    is_whole: bool = True
    """False for a run that was cut short from outside: then its fills are compared, as far as they go."""
    fills: int = 0
    orders: int = 0
    bars: int = 0
    elapsed_s: float = 0.0
    """Of the simulation that was run again."""

    @property
    def is_same(self) -> bool:
        """Whether the run was repeated, and everything came out as it was."""
        return self.was_repeated and not self.differences


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a comparison: what it is called, and its value in each run; None where a run has none."""

    name: str
    values: tuple[str | float | None, ...]


class FillDifference(msgspec.Struct, frozen=True, kw_only=True):
    """The `number`-th fill, counted from 1, where it is not the same in all runs; in words, None where a run has no more."""

    number: int
    values: tuple[str | None, ...]


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Runs side by side, in the order they were named."""

    run_ids: tuple[str, ...]
    settings: tuple[Side, ...] = ()
    """Those that differ."""
    statistics: tuple[Side, ...] = ()
    """All of them, by key."""
    fills: tuple[int, ...] = ()
    """How many each has."""
    same_fills: int = 0
    """How many are the same in all runs before the first that is not."""
    fill_differences: tuple[FillDifference, ...] = ()
    """The first ones that differ."""
