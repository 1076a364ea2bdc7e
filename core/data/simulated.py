"""The simulated market: made-up minutes that behave like real ones, the same on every machine.

Prices come from a seeded generator and are no market's prices. They have what a strategy meets in real ones:
volatility that comes in clusters, days far off the usual, jumps overnight, a lively open and close, a half day,
the end of daylight saving, and minutes in which nobody traded. Only additions, multiplications and square roots
are used, which every processor rounds alike, and prices are rounded to the cent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.random import PCG64, Generator

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, to_ns
from core.model.market import BarSeries, BarSetKey, Floats, Instants, Timeframe

SIMULATED: Final = "simulated"
EQUITY: Final = "DEMO"
PAIR: Final = "DEMO-B"
CRYPTO: Final = "DEMO/USD"

_TIMEFRAME: Final = Timeframe(MINUTE_NS)
_FIRST: Final = date(2025, 9, 2)
_LAST: Final = date(2025, 12, 31)
# Written out, because the calendar of the exchange takes seconds to load; a test compares the two.
_HOLIDAYS: Final = frozenset({date(2025, 11, 27), date(2025, 12, 25)})
_HALF_DAYS: Final = frozenset({date(2025, 11, 28), date(2025, 12, 24)})
_WINTER_TIME: Final = date(2025, 11, 2)
_STEPS: Final = 8
"""Prices inside a minute, from which its open, high, low and close are taken."""


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """One symbol of the simulated market."""

    key: BarSetKey
    make: Callable[[], BarSeries]


def _equity() -> BarSeries:
    return _equities()[0]


def _pair() -> BarSeries:
    return _equities()[1]


def _equities() -> tuple[BarSeries, BarSeries]:
    """Return two shares that mostly move together: the second follows the first, with a spread that comes back."""
    chance = Generator(PCG64(20_250_902))
    start_ns, session, place, minutes = _session_minutes()
    # A lively open and close: three times the quiet middle of the day.
    middle = 2.0 * place / (minutes - 1) - 1.0
    lively = 0.7 + 1.4 * middle * middle * middle * middle
    steps = _moves(chance, len(start_ns), lively * _clusters(chance, session * 6 + place * 6 // minutes, 0.00042))
    opening = np.flatnonzero(np.concatenate(([True], np.diff(session) > 0)))
    # Overnight the price jumps by about half of what it moves in a day.
    steps[opening, 0] += 0.006 * _shocks(chance, len(opening))
    volume = np.rint(lively * lively * 9_000.0 * (0.3 + chance.random(len(start_ns)) + _activity(steps))) + 100.0
    keep = _kept(chance, len(start_ns), single=0.001, outages=3, longest=15)
    keep[opening] = True
    first = _bars(EQUITY, start_ns, _path(180.0, steps), volume, keep)
    spread = _reverting(chance, len(start_ns), back=0.004, size=0.00022)
    own = _moves(chance, len(start_ns), np.full(len(start_ns), 0.00008))
    other = 0.9 * steps + own
    other[:, 0] += np.diff(spread, prepend=0.0)
    turnover = np.rint(volume * (0.4 + 0.4 * chance.random(len(start_ns))))
    keep = _kept(chance, len(start_ns), single=0.002, outages=2, longest=12)
    return first, _bars(PAIR, start_ns, _path(64.0, other), turnover, keep)


def _crypto() -> BarSeries:
    """Return a coin that trades around the clock, livelier by day in America, with minutes and hours missing."""
    chance = Generator(PCG64(20_250_903))
    first = to_ns(datetime(_FIRST.year, _FIRST.month, _FIRST.day, tzinfo=UTC))
    last = to_ns(datetime(_LAST.year, _LAST.month, _LAST.day, tzinfo=UTC)) + DAY_NS
    start_ns = np.arange(first, last, MINUTE_NS, dtype=np.int64)
    hour = (start_ns % DAY_NS) / HOUR_NS
    noon = 1.0 - np.abs((hour - 16.0 + 12.0) % 24.0 - 12.0) / 12.0
    lively = 0.7 + 0.7 * noon * noon
    regime = (start_ns - first) // (6 * HOUR_NS)
    steps = _moves(chance, len(start_ns), lively * _clusters(chance, regime, 0.00062))
    volume = np.rint((lively * 2.4 * (0.05 + chance.random(len(start_ns)) + _activity(steps))) * 1e6) / 1e6
    keep = _kept(chance, len(start_ns), single=0.03, outages=9, longest=240)
    return _bars(CRYPTO, start_ns, _path(52_000.0, steps), volume, keep)


MARKETS: Final = tuple(
    SimulatedMarket(BarSetKey(symbol=symbol, timeframe=str(_TIMEFRAME), source=SIMULATED), make)
    for symbol, make in ((EQUITY, _equity), (PAIR, _pair), (CRYPTO, _crypto))
)
"""Every symbol of the simulated market, the one to show first at the front."""


def _session_minutes() -> tuple[Instants, Instants, Instants, Instants]:
    """Return for each minute its start, its session, its place in the session, and the session's minutes."""
    days = [_FIRST + timedelta(days=each) for each in range((_LAST - _FIRST).days + 1)]
    days = [day for day in days if day.weekday() < 5 and day not in _HOLIDAYS]
    opens = [to_ns(datetime(day.year, day.month, day.day, 13 if day < _WINTER_TIME else 14, 30, tzinfo=UTC)) for day in days]
    lengths = np.array([210 if day in _HALF_DAYS else 390 for day in days], np.int64)
    session = np.repeat(np.arange(len(days), dtype=np.int64), lengths)
    place = np.arange(len(session), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.array(opens, np.int64)[session] + place * MINUTE_NS, session, place, lengths[session]


def _shocks(chance: Generator, count: int) -> Floats:
    """Return numbers around 0 of variance 1: a sum of four uniform ones, near enough to normal and exact everywhere."""
    uniform = chance.random((count, 4))
    shocks: Floats = (((uniform[:, 0] + uniform[:, 1]) + (uniform[:, 2] + uniform[:, 3])) - 2.0) * np.sqrt(3.0)
    return shocks


def _clusters(chance: Generator, regime: Instants, usual: float) -> Floats:
    """Return the size of each minute's move: quiet and wild spells follow one another (GARCH(1,1) on the regimes)."""
    variance, sizes = 1.0, []
    for shock in _shocks(chance, int(regime[-1]) + 1).tolist():
        sizes.append(variance)
        variance = min(9.0, 0.03 + variance * (0.71 + 0.26 * shock * shock))
    level = np.sqrt(np.array(sizes))
    # From one regime to the next the size moves in a straight line.
    first = np.searchsorted(regime, np.arange(len(level)), side="left")
    inside = (np.arange(len(regime)) - first[regime]) / np.diff(first, append=len(regime))[regime]
    following = np.append(level[1:], level[-1])
    sized: Floats = usual * (level[regime] * (1.0 - inside) + following[regime] * inside)
    return sized


def _moves(chance: Generator, count: int, size: Floats) -> Floats:
    """Return the relative moves inside each minute, shape (count, steps); now and then a minute moves several times as far."""
    uniform = chance.random((count, _STEPS, 2))
    shocks = ((uniform[:, :, 0] + uniform[:, :, 1]) - 1.0) * np.sqrt(6.0)
    wild = 1.0 + 3.0 * (chance.random(count) < 0.006) + 1.5 * (chance.random(count) < 0.08)
    moves: Floats = shocks * (size * wild / np.sqrt(float(_STEPS)))[:, None]
    return moves


def _activity(steps: Floats) -> Floats:
    """Return how much trading goes with each minute's moves; wild minutes trade more."""
    distance = np.zeros(len(steps))
    for step in range(steps.shape[1]):  # one after the other: the library's own sum may add in another order elsewhere
        distance += np.abs(steps[:, step])
    shares: Floats = np.minimum(distance / np.sort(distance)[len(distance) // 2], 12.0)
    return shares


def _reverting(chance: Generator, count: int, *, back: float, size: float) -> Floats:
    """Return a spread that is pulled back to 0 by the share `back` a minute."""
    value, values = 0.0, []
    for shock in _shocks(chance, count).tolist():
        value = value * (1.0 - back) + size * shock
        values.append(value)
    return np.array(values)


def _path(start: float, moves: Floats) -> Floats:
    """Return the prices inside each minute, on the cent, shape (n, steps)."""
    # A product one factor after the other: its roundings are the same everywhere.
    prices = start * np.multiply.accumulate(1.0 + moves.reshape(-1))
    return np.rint(prices.reshape(moves.shape) * 100.0) / 100.0


def _kept(chance: Generator, count: int, *, single: float, outages: int, longest: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return which minutes exist: single ones are missing, and some longer stretches."""
    keep = chance.random(count) >= single
    for begin, length in zip((chance.random(outages) * count).tolist(), (chance.random(outages) * longest).tolist(), strict=True):
        keep[int(begin) : int(begin) + int(length) + 2] = False
    keep[0] = keep[-1] = True
    return keep


def _bars(symbol: str, start_ns: Instants, prices: Floats, volume: Floats, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> BarSeries:
    high, low = prices.max(axis=1), prices.min(axis=1)
    columns = (prices[:, 0].copy(), high, low, prices[:, -1].copy(), volume)
    return BarSeries.from_columns(symbol, _TIMEFRAME, start_ns[keep], *(column[keep] for column in columns))
