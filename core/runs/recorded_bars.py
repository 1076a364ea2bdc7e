"""The bars that a paper or live run saw: kept under a name of its own, to be replayed."""

from typing import Final

from core.model.market import BarSetKey

_RECORDED: Final = "run-"


def recorded(run_id: str, symbol: str, timeframe: str) -> BarSetKey:
    """Return under what a run's bars are kept: what it saw, to be replayed."""
    return BarSetKey(symbol=symbol, timeframe=timeframe, source=f"{_RECORDED}{run_id}")


def is_recorded(key: BarSetKey) -> bool:
    """Tell whether bars are those that a run saw: they are taken only where they are asked for by name."""
    return key.source.startswith(_RECORDED)
