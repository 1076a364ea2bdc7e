"""From where losses are counted, of a run or of a whole account."""

from decimal import Decimal
from typing import NamedTuple


class LossMark(NamedTuple):
    """The highest equity, the day (since 1970), and the equity that it began with. Money in account currency."""

    peak: Decimal
    day: int
    day_start: Decimal


class Losses:
    """Keeps the mark as the equity moves. `start`: the equity before any was seen."""

    def __init__(self, start: Decimal) -> None:
        self.mark = LossMark(start, -1, start)

    def watch(self, equity: Decimal, day: int) -> None:
        """Note the equity: the highest there was, and the one with which the day began."""
        peak, known_day, day_start = self.mark
        self.mark = LossMark(max(peak, equity), day, day_start if day == known_day else equity)

    def recall(self, before: LossMark) -> None:
        """Go on from where losses were counted from before."""
        newest = before if before.day >= self.mark.day else self.mark
        self.mark = newest._replace(peak=max(before.peak, self.mark.peak))
