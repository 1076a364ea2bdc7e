"""Which of the stored bars a run's config means."""

from collections.abc import Sequence

from core.errors import InvalidValue, NoBars, UnknownName
from core.model.instants import iso
from core.model.market import BarSet, BarSetKey
from core.model.run import RunConfig
from core.runs.recorded_bars import is_recorded


def choose_set(config: RunConfig, symbol: str, stored: Sequence[BarSet]) -> BarSetKey:
    """Return the one set that `config` means for `symbol`. Raises UnknownName, InvalidValue or NoBars."""
    of_symbol = [item for item in stored if item.key.symbol == symbol and (config.source is not None or not is_recorded(item.key))]
    if not of_symbol:
        raise UnknownName("symbol with stored bars", symbol, {item.key.symbol for item in stored})
    fitting = [item for item in of_symbol if item.key.timeframe == config.timeframe]
    if not fitting:
        raise UnknownName(f"timeframe of {symbol}", config.timeframe, {item.key.timeframe for item in of_symbol})
    if config.source is not None:
        sources = {item.key.source for item in fitting}
        fitting = [item for item in fitting if item.key.source == config.source]
        if not fitting:
            raise UnknownName(f"source of {symbol} {config.timeframe}", config.source, sources)
    if config.adjustment is not None:
        fitting = [item for item in fitting if item.key.adjustment is config.adjustment]
        if not fitting:
            raise InvalidValue("adjustment", config.adjustment, f"{symbol} {config.timeframe} is not stored so.")
    if len(fitting) > 1:
        named = ", ".join(f"{item.key.source} ({item.key.adjustment})" for item in fitting)
        raise InvalidValue("source", "left open", f"{symbol} {config.timeframe} is stored more than once: {named}. Name one.")
    found = fitting[0]
    late = config.start_ns is not None and config.start_ns > found.last_ns
    early = config.end_ns is not None and config.end_ns <= found.first_ns
    if late or early:
        span = f"{iso(found.first_ns)} to {iso(found.last_ns)}"
        raise NoBars(f"There are no {config.timeframe} bars of {symbol} in that period.", f"Stored: {span}.")
    return found.key
