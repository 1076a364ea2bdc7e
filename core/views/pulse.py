"""How fresh what is shown is: the broker's feed and the database, as a level and a few words."""

from dataclasses import dataclass
from typing import Final

from core.views.words import Level

FRESH_S: Final = 10.0
"""Until when a feed that says nothing is taken for a quiet market."""
SILENT_S: Final = 60.0
"""From when on orders are refused: the account's own limit, see docs/risk.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """`level` None: there is nothing to tell of. `words` stand on the toolbar, `sentence` on hover."""

    level: Level | None
    words: str
    sentence: str


NO_FEED: Final = Pulse(level=None, words="–", sentence="No account is connected.")


def feed_pulse(silent_s: float, account: str) -> Pulse:
    """Return how fresh an account's feed is that was last heard of `silent_s` seconds ago."""
    level = Level.GOOD if silent_s <= FRESH_S else Level.WARNING if silent_s <= SILENT_S else Level.ERROR
    words = f"{silent_s:.1f} s" if silent_s < FRESH_S else f"{silent_s:.0f} s" if silent_s < 600 else f"{silent_s / 60:.0f} min"
    after = " Orders are refused until it answers." if level is Level.ERROR else ""
    return Pulse(level=level, words=words, sentence=f"{account} was heard of {words} ago.{after}")


def database_pulse(where: str, answered_ms: float | None, error: str = "") -> Pulse:
    """Return how a database is that answered after so many milliseconds, or, with `error`, did not."""
    if error:
        return Pulse(level=Level.ERROR, words="", sentence=error)
    if answered_ms is None:
        return Pulse(level=None, words="", sentence=f"{where} has not been asked yet.")
    return Pulse(level=Level.GOOD, words="", sentence=f"{where} answers in {max(1, round(answered_ms))} ms.")
