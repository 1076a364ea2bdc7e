"""Gathers what a check finds; of a kind that is found everywhere only the first."""

from collections import Counter
from typing import Final

from core.model.care import CheckReport, Finding

MOST: Final = 50
"""Findings of one kind that are told one by one."""


class Findings:
    """Collects findings and counts."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._told: Counter[str] = Counter()
        self.counts: dict[str, int] = {}

    def add(self, kind: str, sentence: str) -> None:
        """Take one; beyond `MOST` of its kind it is only counted."""
        self._told[kind] += 1
        if self._told[kind] <= MOST:
            self._found.append(Finding(kind=kind, sentence=sentence))

    def count(self, kind: str, number: int = 1) -> None:
        """Note that so many were looked at."""
        self.counts[kind] = self.counts.get(kind, 0) + number

    def report(self) -> CheckReport:
        """Return all of it."""
        rest = [
            Finding(kind=kind, sentence=f"There are {number - MOST:,} more findings of this kind ({kind}).")
            for kind, number in self._told.items()
            if number > MOST
        ]
        return CheckReport(findings=(*self._found, *rest), counts=self.counts)
