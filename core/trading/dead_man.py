"""The dead man's switch of an account: who hears nothing for too long sends nothing, until a person says so.

Orders that are decided in the dark are refused by `max_silence_s` and `max_price_age_s`; this ends the deciding. It throws the kill
switch of the runs concerned, as a person would. Source: docs/risk.md, "Dead man".
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from core.errors import KnownError
from core.events.live_payloads import SwitchThrown
from core.model.instants import SECOND_NS
from core.model.risk import OnSilence, SwitchLevel
from core.trading.state import AccountState

LOOK_S: Final = 1.0
"""How often it looks."""
_log = logging.getLogger(__name__)


class DeadMan:
    """Watches the lines to one account, and the market of each run that sits there. `is_open`: whether a symbol's market is open."""

    def __init__(
        self,
        state: AccountState,
        is_open: Callable[[str, int], bool],
        on_bug: Callable[[BaseException, str], None],
        look_s: float = LOOK_S,
    ) -> None:
        self._state = state
        self._is_open = is_open
        self._on_bug = on_bug
        self._look_s = look_s
        self._thrown: dict[str, int] = {}
        """By run: when the silence began for which the switch was thrown. A person who takes it back is not contradicted."""

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self.look()
            except KnownError as error:
                _log.warning("The dead man's switch of %s could not be thrown: %s", self._state.key, error)
            except Exception as error:
                self._on_bug(error, f"dead man's switch of {self._state.key}")

    async def look(self) -> None:
        """Throw the switch of each run that has heard nothing for too long. Raises StoreError; then it is thrown at the next look."""
        state = self._state
        if not self._new():
            return
        async with state.turn:
            entry = state.entry()
            for run_id, (since_ns, reason) in self._new().items():
                entry.tell(SwitchThrown(level=self._level(run_id), reason=reason), run_id=run_id)
                entry.afterwards.append(partial(state.set_level, run_id, self._level(run_id)))
                entry.afterwards.append(partial(self._thrown.__setitem__, run_id, since_ns))
            await state.apply(entry)

    def _new(self) -> dict[str, tuple[int, str]]:
        """Return the runs that have heard nothing for too long, and whose switch is not thrown for it: since when, and a sentence."""
        state = self._state
        found = {run_id: why for run_id in tuple(state.seats) if (why := self._silence(run_id)) is not None}
        new = {run_id: why for run_id, why in found.items() if self._thrown.get(run_id) != why[0] and not state.level(run_id).halts}
        self._thrown = {run_id: since_ns for run_id, since_ns in self._thrown.items() if run_id in found}
        return new

    def _silence(self, run_id: str) -> tuple[int, str] | None:
        """Return since when a run has heard nothing for too long, and a sentence of it; None while all is well."""
        state = self._state
        book, feed, now_ns = state.books[run_id], state.seats[run_id].feed, state.clock.monotonic_ns()
        limit_s = _stricter(state.limits.halt_silence_s, book.limits.halt_silence_s)
        lines = {f"the broker's line for {what}": since_ns for what, since_ns in state.lines.silent().items()}
        if feed is not None:
            lines |= {f"the market's line for {what}": since_ns for what, since_ns in feed.lost.items()}
        if limit_s is not None and lines:
            what, since_ns = min(lines.items(), key=lambda line: line[1])
            if now_ns - since_ns > limit_s * SECOND_NS:
                return since_ns, _sentence(what, now_ns - since_ns, limit_s)
        limit_s = _stricter(state.limits.halt_feed_s, book.limits.halt_feed_s)
        if limit_s is None or feed is None:
            return None
        if not any(self._is_open(symbol, state.clock.now_ns()) for symbol in feed.symbols):
            feed.heard(now_ns)  # nothing is to be heard; the limit begins when the market opens
            return None
        if now_ns - feed.heard_ns <= limit_s * SECOND_NS:
            return None
        return feed.heard_ns, _sentence(f"a price of {', '.join(feed.symbols)}", now_ns - feed.heard_ns, limit_s)

    def _level(self, run_id: str) -> SwitchLevel:
        wanted = {self._state.limits.on_silence, self._state.books[run_id].limits.on_silence}
        return SwitchLevel.CANCEL_ALL if OnSilence.CANCEL in wanted else SwitchLevel.HALT


def _stricter(one: float | None, other: float | None) -> float | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _sentence(what: str, silent_ns: int, limit_s: float) -> str:
    return f"Nothing came of {what} for {silent_ns / SECOND_NS:.0f} s; the limit is {limit_s:g} s. It holds until you take it back."
