"""How long one waits for a database that does not answer."""

import threading
import time
from typing import Final

_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 0.5


class Patience:
    """Waits once in full, then not again until the database has answered: work behind a dead server fails at once. Of one thread."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._until = 0.0
        self._wait_s = _FIRST_WAIT_S
        self._is_away = False
        self._was_lost = False
        self._gives_up = threading.Event()

    def begin(self) -> None:
        """Begin a piece of work."""
        self._until = time.monotonic() + (0 if self._is_away else self._patience_s)
        self._wait_s = _FIRST_WAIT_S
        self._was_lost = False

    def lost(self) -> None:
        """A connection that stood was lost. The first time the waiting begins anew: it may have been silent for longer than that."""
        if not self._was_lost:
            self.begin()
            self._was_lost = True

    def answered(self) -> None:
        """The database is there."""
        self._is_away = False

    def wait(self) -> bool:
        """Wait a little before the next try; False when it is time to give up."""
        if time.monotonic() >= self._until or self._gives_up.wait(self._wait_s):
            self._is_away = True
            return False
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        return True

    def give_up(self) -> None:
        """End every wait, of now and later: the store closes. From any thread."""
        self._gives_up.set()
