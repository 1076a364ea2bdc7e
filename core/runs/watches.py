"""What a paper or live run listens to."""

from collections.abc import Sequence

from core.model.broker import Watch
from core.model.market import asset_class_of


def watches(symbols: Sequence[str], feed: str | None) -> list[Watch]:
    """Return what brings the minutes of these symbols: a stream brings one class of assets, and only equities have a feed to choose."""
    classes = dict.fromkeys(asset_class_of(symbol) for symbol in symbols)
    return [
        Watch(bars=tuple(symbol for symbol in symbols if asset_class_of(symbol) is one), feed=feed if one.has_sessions else None)
        for one in classes
    ]
