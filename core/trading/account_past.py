"""The past of an account, run by run: read from its snapshot and what came after it, and stored as the next one.

The log is the truth. A snapshot is a projection with the numbers up to which it goes; each run in it is whole as of its own numbers,
so it does not matter when it was made, or by which desk. What is missing, of another version, or damaged is folded from the start.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from core.errors import StoreError
from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.instants import HOUR_NS
from core.model.run import Run, RunMode
from core.ports import Clock, RunStore
from core.trading.order_fold import OrderLife
from core.trading.run_past import PAST_TYPES, VERSION, RunPast, RunSum, check_remembered, read_sums, write_sums

KEEP_S: Final = 3_600.0
"""How often a desk that is open folds what its account did since."""
NEAR_NS: Final = HOUR_NS
"""Orders that changed so short a time before the account was compared last are kept: the broker lists them at the next comparison."""
_SLICE_NS: Final = 8_000_000
"""How long it computes before the loop gets its turn."""
_log = logging.getLogger(__name__)


class FoldedRun(NamedTuple):
    """A run's past, the orders of it that are kept, and what is stored of it; None: nothing, for all of them are kept."""

    past: RunPast
    lives: Mapping[str, OrderLife]
    left: RunSum | None


class AccountPast:
    """`account`: its key. `coin_fees`: whether its broker keeps fees of bought coins; a run that bought some is kept whole then."""

    def __init__(self, account: str, runs: RunStore, clock: Clock, *, coin_fees: bool = False) -> None:
        self._account = account
        self._runs = runs
        self._clock = clock
        self._coin_fees = coin_fees
        self._version = version_of(coin_fees=coin_fees)

    async def folded(self, near_ns: int | None) -> AsyncGenerator[FoldedRun]:
        """Give every run that traded at the account, the newest first. What they leave is stored once all are taken. Raises StoreError.

        `near_ns`: see `RunPast.kept`.
        """
        check_remembered(PAST_TYPES)
        stored = await self._stored()
        ends, sums = await self._runs.run_ends(), dict[str, RunSum]()
        until_ns, broker_id = self._clock.monotonic_ns() + _SLICE_NS, self._account.partition(":")[0]
        for run in await self._runs.runs():
            if run.config.mode is RunMode.BACKTEST or run.config.broker != broker_id:
                continue
            folded = await self._folded(run, stored.get(run.id), ends.get(run.id, RunEnd()), near_ns)
            if folded.left is not None:
                sums[run.id] = folded.left
            if folded.past.has_orders:
                yield folded
            if self._clock.monotonic_ns() > until_ns:
                await asyncio.sleep(0)
                until_ns = self._clock.monotonic_ns() + _SLICE_NS
        if near_ns is not None and sums != stored:
            await self._store(sums)

    async def whole(self, run: Run) -> RunPast:
        """Return a run's past from the start. Raises StoreError."""
        past = RunPast(run, self._account)
        tail = await self._runs.run_tail(run.id, RunEnd(), also=(), types=PAST_TYPES)
        await asyncio.to_thread(past.take, tail)  # a run of a year takes longer than the loop can wait
        return past

    async def keep(self, near_ns: Callable[[], int | None]) -> None:
        """Fold what is new from time to time, so that the next opening finds little that is."""
        while True:
            await asyncio.sleep(KEEP_S)
            try:
                async for _ in self.folded(near_ns()):
                    pass
            except StoreError as error:
                _log.warning("What %s did was not folded: %s", self._account, error)

    async def _folded(self, run: Run, before: RunSum | None, end: RunEnd, near_ns: int | None) -> FoldedRun:
        if before is not None:
            past = RunPast(run, self._account, before)
            if end == before.end and not before.kept:
                return FoldedRun(past, {}, before)
            tail = await self._runs.run_tail(run.id, before.end, also=before.kept, types=PAST_TYPES)
            if past.follows(tail):
                await asyncio.to_thread(past.take, tail)
                if (found := self._left(past, near_ns)).left is not None:
                    return found
        return await asyncio.to_thread(self._left, await self.whole(run), near_ns)

    def _left(self, past: RunPast, near_ns: int | None) -> FoldedRun:
        if near_ns is not None and not (self._coin_fees and past.buys_coins()):
            lives = past.kept(near_ns)
            if (left := past.sum(lives)) is not None:
                return FoldedRun(past, lives, left)
        return FoldedRun(past, past.kept(None), None)

    async def _stored(self) -> Mapping[str, RunSum]:
        snapshot = await self._runs.account_snapshot(self._account)
        if snapshot is None or snapshot.version != self._version:
            return {}
        try:
            return sums_of(snapshot)
        except ValueError as error:
            _log.warning("The snapshot of %s is damaged and is made anew: %s", self._account, error)
            return {}

    async def _store(self, sums: Mapping[str, RunSum]) -> None:
        body = write_sums(sums.values())
        try:
            async with self._runs.begin() as work:
                work.put_account_snapshot(AccountSnapshot(account=self._account, version=self._version, sha256=_sha256(body), body=body))
        except StoreError as error:  # it costs the next opening some time, and nothing else
            _log.warning("The snapshot of %s was not stored: %s", self._account, error)


def version_of(*, coin_fees: bool) -> int:
    """Return the version of a snapshot that this program makes, and goes on with. `coin_fees`: see `AccountPast`."""
    return 2 * VERSION + coin_fees


def sums_of(snapshot: AccountSnapshot) -> Mapping[str, RunSum]:
    """Return what a snapshot of this version holds, by run. Raises ValueError for a damaged one."""
    if snapshot.sha256 != _sha256(snapshot.body):
        raise ValueError("its hash is another.")
    try:
        return read_sums(snapshot.body)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def _sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
