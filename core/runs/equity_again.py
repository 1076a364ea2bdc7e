"""The equity of the first part of a run that was interrupted or is looked at, drawn up from its fills and the bars it saw."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from core.model.market import Instants
from core.model.money import exact, to_float
from core.model.order import Fill
from core.model.risk import RiskLimits
from core.trading.books import BookChange, RunBook


def equity_until(
    cash: Decimal,
    moves: Iterable[tuple[int, Fill | BookChange]],
    ends: Mapping[str, Instants],
    closes: Mapping[str, Sequence[float]],
    first_ns: int,
    until_ns: int,
    most: int | None = None,
) -> list[tuple[int, float, bool]]:
    """Return time, equity and whether anything was held, at each end of a bar in `[first_ns, until_ns)`, oldest first.

    `ends`, `closes`: of each symbol's bars. `moves`: the run's fills and what else changed what it has; `core.trading.books.merged`.
    `most`: how many points at most, evenly.
    """
    times = np.unique(np.concatenate([of[(of >= first_ns) & (of < until_ns)] for of in ends.values()]))
    if most is not None and len(times) > most:
        times = times[np.linspace(0, len(times) - 1, most).astype(np.int64)]
    book, waiting, found = RunBook(cash, RiskLimits()), list(moves)[::-1], []
    for now_ns in times.tolist():
        while waiting and waiting[-1][0] < now_ns:  # what filled at that instant was decided at it
            time_ns, move = waiting.pop()
            book.take(move, time_ns)
        prices = {}
        for symbol, of in ends.items():
            at = int(np.searchsorted(of, now_ns, side="right")) - 1
            if at >= 0:
                prices[symbol] = book.price_now(symbol, exact(closes[symbol][at]), int(of[at]))
        found.append((now_ns, to_float(book.equity(prices)), bool(book.positions())))
    return found
