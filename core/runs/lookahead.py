"""The sentinel of every run: at sampled decision times the data are cut, and what was decided must be the same.

The beginning of the run is replayed by a second instance of the strategy that sees the data as cut at the next sampled
time; indicators that the strategy brings are computed again over arrays cut at places spread over the whole run. What
differs is confirmed by a fresh instance over data that end there, before anybody is accused.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Final

import numpy as np

from core.backtest.assembly import larger_market
from core.backtest.timeline import distinct
from core.errors import LookAhead, NotRepeatable
from core.model.instants import iso
from core.model.market import Floats
from core.model.money import plain
from core.runs.replay import LIBRARY, Decision, Original, Replay, first_difference
from core.strategy.actions import (
    Action,
    CancelOrder,
    FetchWindow,
    Note,
    PlaceOneCancelsOther,
    PlaceOrder,
    ReplaceOrder,
    StopRun,
)
from core.strategy.windows import Column, Indicator
from core.views.words import request_words

SHARE: Final = 100
"""One of so many of the run's bars is replayed,"""
LEAST: Final = 2_000
"""but not fewer than these, and so the whole of a short run;"""
MOST: Final = 20_000
"""not more than these,"""
LEAST_TIMES: Final = 250
"""and always those of so many decision times."""
_ACTED_CUTS: Final = 12
_OTHER_CUTS: Final = 12
_STRICT: Final = 3
"""Replays over data that really end, when the quick one differs for a reason that is not the future."""
_STRICT_AFTER: Final = 6
"""Replays that look for a decision which an indicator that looks ahead has changed,"""
_FURTHER: Final = 2_000
"""within so many bars from its first wrong value on."""
_SOON: Final = 8
"""Within the first of so many parts of what is replayed lies the decision at which the data end for certain."""
_SPREAD: Final = ((0.5, 1.0), (0.12, 0.25), (0.03, 0.06), (0.005, 0.02))
"""Where in the run indicators are computed again over cut arrays: together about as long as the run."""
_ROUNDING: Final = 1e-9
_ROUNDING_OF_ALL: Final = 1e-12

_LATER_TODO: Final = "Look for what reads later bars; the run's result is kept, but nothing of it can be trusted."
_CHANCE_TODO: Final = "Take chance from self.random, and nothing from the time of day or from outside."

InThread = Callable[[Callable[[int], object]], Awaitable[None]]
"""Does a piece of work in the run's thread; it is given until when."""


class Sentinel:
    """Watches one run. `witness` its decisions until `is_watching` ends; `check` then, `check_indicators` at its end."""

    def __init__(self, original: Original, load_class: Callable[[], Awaitable[type]], in_thread: InThread, seed: str) -> None:
        """`load_class` imports the strategy's file anew, so that what a plug-in keeps in its module is not handed on."""
        self._original = original
        self._load_class = load_class
        self._in_thread = in_thread
        self._random = np.random.Generator(np.random.PCG64(int.from_bytes(sha256(seed.encode()).digest()[:8], "little")))
        self._times = _early_times(original)
        self._decisions: list[Decision] = []
        self.until_ns = int(self._times[-1]) if len(self._times) else original.start_ns
        """The last decision time that is replayed."""
        self._witnessed_ns = self.until_ns
        """Up to where `_decisions` holds every decision."""
        self.is_checked = False

    def witness(self, now_ns: int, actions: Sequence[Action]) -> bool:
        """Take note of a decision; False when no more are needed."""
        if now_ns > self.until_ns:
            return False
        self._decisions.append(Decision(now_ns, tuple(actions)))
        return True

    async def check(self, now_ns: int) -> None:
        """Replay what was decided up to now. Raises LookAhead or NotRepeatable."""
        self.is_checked = True
        self.until_ns = self._witnessed_ns = until_ns = min(self.until_ns, now_ns)
        times = self._times[self._times <= until_ns]
        if not len(times):
            return
        acted = [decision.time_ns for decision in self._decisions if until_ns >= decision.time_ns >= times[0]]
        cuts = sorted({*_spread(acted, _ACTED_CUTS), *self._sampled(times.tolist(), _OTHER_CUTS), until_ns})
        found = first_difference(self._decisions, await self._replayed(until_ns, cuts), until_ns)
        if found is None:
            # Once more where the data really end: there are other ways to later bars than windows and indicators.
            soon = [time_ns for time_ns in acted if time_ns <= times[len(times) // _SOON]]
            if soon:
                await self._judge(soon[-1])
            return
        differs_ns = found[0].time_ns
        await self._judge(next(cut for cut in cuts if cut >= differs_ns))
        # Not the future: the quick replay asks indicators several times of one instance, which some may not bear.
        for cut in _spread(acted or times.tolist(), _STRICT):
            await self._judge(cut)

    async def check_indicators(self, own: Sequence[Indicator]) -> None:
        """Compute the strategy's own indicators again over arrays cut here and there. Raises LookAhead or NotRepeatable."""
        markets = {market.bars.symbol: market for market in self._original.markets}
        for indicator in own:
            if indicator.function in LIBRARY:
                continue
            market, known = markets[indicator.symbol], indicator.values
            if indicator.timeframe not in {None, str(market.bars.timeframe)}:
                market = larger_market(market, str(indicator.timeframe))
            if len(known) < 2:
                continue
            inputs = [item.read(market.bars) if isinstance(item, Column) else item.values for item in indicator.inputs]
            for low, high in _SPREAD:
                count = max(1, int(len(known) * self._random.uniform(low, high)))
                row = await self._first_wrong(indicator, known, [values[:count] for values in inputs])
                if row is None:
                    continue
                if await self._first_wrong(indicator, known, inputs, len(known)) is not None:
                    raise NotRepeatable(
                        f"The indicator {indicator.name} of {indicator.symbol} gave other values when it was computed again "
                        f"over the same bars.",
                        _CHANCE_TODO,
                    )
                cut_ns = int(market.end_ns[count - 1])
                await self._judge_after(int(market.end_ns[row]), int(market.end_ns[min(row + _FURTHER, len(known) - 1)]))
                raise LookAhead(
                    f"The indicator {indicator.name} looks ahead: at the {indicator.symbol} bar of {iso(int(market.bars.start_ns[row]))} "
                    f"it is {known[row]:g} when it is computed over all bars and {self._last[row]:g} when those after "
                    f"{iso(cut_ns)} are cut off.",
                    _LATER_TODO,
                )

    # --- inside ---

    async def _first_wrong(self, indicator: Indicator, known: Floats, inputs: Sequence[Floats], count: int | None = None) -> int | None:
        """Return the first row in which an indicator over copies of `inputs` is not what is known; None for what cannot be told."""
        wrong: list[int] = []

        def compute(_deadline_ns: int) -> None:
            copies = [values.copy() for values in inputs]
            for values in copies:
                values.flags.writeable = False
            try:
                self._last = indicator.compute(*copies)[:count]
            except Exception:  # too few bars for it, perhaps: that is no proof of anything
                return
            row = _first_unequal(known[: len(self._last)], self._last)
            if row is not None:
                wrong.append(row)

        await self._in_thread(compute)
        return wrong[0] if wrong else None

    async def _replayed(self, until_ns: int, cuts: Sequence[int] | None) -> list[Decision]:
        replay = Replay(await self._load_class(), self._original, until_ns, cuts)
        while not replay.is_over:
            await self._in_thread(replay.advance)
        return replay.decisions

    async def _judge(self, cut_ns: int) -> None:
        """Compare the run with a fresh instance over data that end at `cut_ns`. Raises LookAhead or NotRepeatable.

        Chance would be accused where it happens to agree up to the cut. So all that the run decided must come out the same over
        whole data, and what was decided over the cut data must come out the same again.
        """
        found = first_difference(self._decisions, await self._replayed(cut_ns, [cut_ns]), cut_ns)
        if found is None:
            return
        run, cut = found
        again = first_difference(self._decisions, await self._replayed(self._witnessed_ns, None), self._witnessed_ns)
        if again is None:
            once_more = first_difference(self._decisions, await self._replayed(cut_ns, [cut_ns]), cut_ns)
            if once_more != found:
                again = cut, (Decision(cut.time_ns, ()) if once_more is None else once_more[1])
        if again is not None:
            first, second = again
            raise NotRepeatable(
                f"The decisions cannot be repeated: at {self._where(first.time_ns)} the strategy decided: {_words(first)}; given the "
                f"same bars again: {_words(second)}.",
                _CHANCE_TODO,
            )
        raise LookAhead(
            f"The strategy looks ahead: at {self._where(run.time_ns)} it decided: {_words(run)}; with all bars after "
            f"{iso(cut_ns)} cut off it decides: {_words(cut)}.",
            _LATER_TODO,
        )

    async def _judge_after(self, first_ns: int, last_ns: int) -> None:
        """Look from `first_ns` to `last_ns` for a decision that an indicator which looks ahead has changed, where that can be afforded."""
        until = sum(int(np.searchsorted(market.end_ns, last_ns, side="right")) for market in self._original.markets)
        if until > MOST:
            return
        self._decisions = await self._replayed(last_ns, None)
        self._witnessed_ns = last_ns
        acted = [decision.time_ns for decision in self._decisions if first_ns <= decision.time_ns]
        for cut_ns in _spread(acted, _STRICT_AFTER):
            await self._judge(cut_ns)

    def _where(self, time_ns: int) -> str:
        """Return a decision time with the bars that ended then."""
        named = []
        for market in self._original.markets:
            at = int(np.searchsorted(market.end_ns, time_ns, side="left"))
            if at < len(market.end_ns) and market.end_ns[at] == time_ns:
                named.append(f"{market.bars.symbol} {market.bars.timeframe} bar of {iso(int(market.bars.start_ns[at]))}")
        return f"the end of the {' and the '.join(named[:2])}" if named else iso(time_ns)

    def _sampled(self, times: Sequence[int], count: int) -> list[int]:
        return [times[int(self._random.random() * len(times))] for _ in range(count)]


def _early_times(original: Original) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return the first decision times of the run, as many as are replayed."""
    total = sum(len(market.end_ns) - market.ready for market in original.markets if market.ready < len(market.end_ns))
    bars = min(MOST, max(LEAST, total // SHARE))
    wanted = max(LEAST_TIMES, bars // max(1, len(original.markets)))
    ends = [market.end_ns[market.ready : market.ready + wanted] for market in original.markets]
    return distinct(np.sort(np.concatenate(ends)))[:wanted] if ends else np.empty(0, np.int64)


def _spread(times: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of `times`, the first and the last among them."""
    if len(times) <= count:
        return list(times)
    return [times[at * (len(times) - 1) // (count - 1)] for at in range(count)]


def _first_unequal(known: Floats, again: Floats) -> int | None:
    """Return the first row in which two arrays differ by more than the order of summing explains; nan equals nan.

    A sum over arrays of another length may be rounded otherwise (by a Fourier transform, by pairs): that is not the future.
    """
    wrong = ~((known == again) | (np.isnan(known) & np.isnan(again)))
    if not wrong.any():
        return None
    rows = np.flatnonzero(wrong)
    one, other = known[rows], again[rows]
    largest = float(np.max(np.abs(known[np.isfinite(known)]), initial=0.0))
    with np.errstate(invalid="ignore"):
        away = np.abs(one - other)
        is_rounding = (away <= _ROUNDING * np.maximum(np.abs(one), np.abs(other))) | (away <= _ROUNDING_OF_ALL * largest)
    rows = rows[~(is_rounding & np.isfinite(away))]
    return int(rows[0]) if len(rows) else None


def _words(decision: Decision) -> str:
    """Return a decision in plain words."""
    if decision.error is not None:
        return f"an error ({decision.error})"
    return ", ".join(_action_words(action) for action in decision.actions) or "nothing"


def _action_words(action: Action) -> str:
    match action:
        case PlaceOrder():
            return request_words(action.request)
        case PlaceOneCancelsOther():
            return f"{request_words(action.first)} or {request_words(action.second)}"
        case ReplaceOrder():
            terms = ((name, getattr(action, name)) for name in ("qty", "limit_price", "stop_price", "trail_price", "trail_percent"))
            return f"replace {action.ref} (" + ", ".join(f"{name} {plain(value)}" for name, value in terms if value is not None) + ")"
        case CancelOrder():
            return f"cancel {action.ref}"
        case StopRun():
            return f"end the run ({action.reason})"
        case Note():
            return f"note “{action.text}”"
        case FetchWindow():
            return f"a window of {action.bars} bars of {action.symbol}"
