"""What a run hears of its market, for the dead man's switch."""

from collections.abc import Sequence
from typing import Final


class Feed:
    """The market of one run. Times are readings of the monotonic clock, in real ns."""

    def __init__(self, symbols: Sequence[str], now_ns: int) -> None:
        self.symbols: Final = tuple(symbols)
        self.heard_ns = now_ns
        """When a price of any of them came last, or could first have come."""
        self.lost: dict[str, int] = {}
        """Streams that do not listen, by a word for what they bring, and since when."""

    def heard(self, now_ns: int) -> None:
        """Take that a price came."""
        self.heard_ns = now_ns

    def listens(self, what: str, now_ns: int, *, is_so: bool) -> None:
        """Take that a stream listens, or does not."""
        if is_so:
            self.lost.pop(what, None)
        else:
            self.lost.setdefault(what, now_ns)
