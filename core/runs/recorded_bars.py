"""The bars that a paper or live run saw: kept under a name of its own, to be replayed."""

from typing import Final

import msgspec
import numpy as np

from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Instants, Timeframe

_RECORDED: Final = "run-"


def recorded(run_id: str, symbol: str, timeframe: str) -> BarSetKey:
    """Return under what a run's bars are kept: what it saw, to be replayed."""
    return BarSetKey(symbol=symbol, timeframe=timeframe, source=f"{_RECORDED}{run_id}")


def minutes_of(key: BarSetKey) -> BarSetKey:
    """Return under what the minutes are kept that a run's own bars were made of; `key` where they are minutes themselves."""
    return msgspec.structs.replace(key, timeframe=str(Timeframe(MINUTE_NS)))


def are_all_there(minutes: BarSeries, starts: Instants, ends: Instants) -> bool:
    """Tell whether each of a run's own bars has a minute; of those that were recorded before minutes were, none has."""
    first = np.searchsorted(minutes.start_ns, starts, side="left")
    return bool((first < np.searchsorted(minutes.start_ns, ends, side="left")).all())


def is_recorded(key: BarSetKey) -> bool:
    """Tell whether bars are those that a run saw: they are taken only where they are asked for by name."""
    return key.source.startswith(_RECORDED)
