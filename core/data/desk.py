"""The data desk: what the engine's door offers about price files and stored bars.

What reads and writes files is imported by the worker thread that needs it: the libraries behind it take up to a
second, and neither the program's start nor the loop shall wait for them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from core.data.download import Downloader
from core.data.gaps import find_gaps
from core.data.keeping import BarKeeper
from core.data.simulated import MARKETS, SIMULATED, SimulatedMarket
from core.data.work import Job, OnProgress, in_thread
from core.errors import NoBars
from core.events.payloads import BarsDeleted, BarsSealed, BarsUnsealed, CorporateActionsDeleted, CorporateActionsImported
from core.model.corporate_action import ActionImport
from core.model.download import Downloaded, DownloadPlan
from core.model.market import BarSeries, BarSet, BarSetKey, Gap, asset_class_of
from core.model.price_file import FileFormat, FileGuess, ImportPlan, ImportReport, OnBad
from core.model.result import Progress
from core.ports import BarHistory, Clock, Store

if TYPE_CHECKING:
    from core.data.action_file import ActionReading
    from core.data.importer import Reading


class DataDesk:
    """Price files in and out, gaps, splits and dividends, and the simulated market. Reading and computing happen in worker threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keeper = BarKeeper(store, clock)
        self._downloader = Downloader(store, clock, self._keeper)

    async def inspect(self, path: Path, file_format: FileFormat | None, symbol: str | None) -> FileGuess:
        """Return what a price file looks like; with `file_format`, as that format reads it."""

        def work(_job: Job) -> FileGuess:
            from core.data.guess import inspect

            return inspect(path, file_format, symbol)

        return await in_thread(self._clock, work)

    async def import_file(self, plan: ImportPlan, on_progress: OnProgress) -> ImportReport:
        """Import a price file in one transaction. Cancelled before the bars are stored, it leaves nothing behind."""

        def work(job: Job) -> "Reading":
            from core.data.importer import read_bars

            return read_bars(plan, job)

        reading = await in_thread(self._clock, work, on_progress)
        bars = reading.bars
        key = BarSetKey(symbol=bars.symbol, timeframe=str(bars.timeframe), source=plan.source, adjustment=plan.adjustment)
        on_progress(Progress(done=len(bars), total=len(bars), what="Storing"))
        merge = await self._keeper.keep(key, bars, simulated=False)
        return ImportReport(
            key=key,
            rows=reading.rows,
            taken=len(bars),
            refused=reading.rows - len(bars),
            merge=merge,
            first_ns=int(bars.start_ns[0]),
            last_ns=int(bars.start_ns[-1]),
            refused_by_reason=reading.refused_by_reason,
            bad_rows=reading.bad_rows,
            said=reading.said,
        )

    async def download(self, plan: DownloadPlan, history: BarHistory, on_progress: OnProgress) -> list[Downloaded]:
        """Fetch bars from a broker: what is missing, page by page; what was stored stays when it is cancelled."""
        return await self._downloader.download(plan, history, on_progress)

    async def gaps(self, key: BarSetKey) -> list[Gap]:
        """Return the holes of a set against its calendar, oldest first. Raises NoBars."""
        bars = await self._read(key)
        return await in_thread(self._clock, lambda _job: find_gaps(bars.start_ns, bars.timeframe.ns, asset_class_of(key.symbol)))

    async def export(self, key: BarSetKey, path: Path) -> int:
        """Write a set to a file whose ending tells the form; return the number of bars. Raises NoBars, InvalidValue, DataError."""
        bars = await self._read(key)

        def work(job: Job) -> None:
            from core.data.export import write_bars

            write_bars(bars, path, job)

        await in_thread(self._clock, work)
        return len(bars)

    async def delete(self, key: BarSetKey) -> bool:
        """Remove a bar set; False when there was none."""
        deleted = await self._store.bars.delete(key)
        if deleted:
            await self._keeper.tell(BarsDeleted(symbol=key.symbol, timeframe=key.timeframe, source=key.source, adjustment=key.adjustment))
        return deleted

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet:
        """Make a set immutable, or open it again, and return it as it is then. Raises NoBars."""
        found = await self._store.bars.seal(key, sealed=sealed)
        if found is None:
            raise _not_stored(key)
        named = {"symbol": key.symbol, "timeframe": key.timeframe, "source": key.source, "adjustment": str(key.adjustment)}
        await self._keeper.tell(BarsSealed(**named, bars=found.bars, sha256=found.sha256 or "") if sealed else BarsUnsealed(**named))
        return found

    async def ensure_demo_market(self, on_progress: OnProgress) -> list[BarSet]:
        """Make the simulated market's sets that are not there yet; return all of them, in the market's order."""
        have = {bar_set.key for bar_set in await self._store.bars.sets()}
        for done, market in enumerate(MARKETS):
            if market.key in have:
                continue
            on_progress(Progress(done=done, total=len(MARKETS), what="Making the simulated market"))

            def make(_job: Job, market: SimulatedMarket = market) -> BarSeries:
                return market.make()

            bars = await in_thread(self._clock, make)
            await self._keeper.keep(market.key, bars, simulated=True)
        on_progress(Progress(done=len(MARKETS), total=len(MARKETS), what="Making the simulated market"))
        by_key = {bar_set.key: bar_set for bar_set in await self._store.bars.sets() if bar_set.key.source == SIMULATED}
        return [by_key[market.key] for market in MARKETS]

    async def import_actions(self, path: Path, symbol: str | None, on_bad: OnBad, on_progress: OnProgress) -> ActionImport:
        """Import a file of splits and dividends in one transaction. Cancelled before they are stored, it leaves nothing behind."""

        def work(job: Job) -> "ActionReading":
            from core.data.action_file import read_actions

            return read_actions(path, symbol, on_bad, job)

        reading = await in_thread(self._clock, work, on_progress)
        symbols = tuple(sorted({action.symbol for action in reading.actions}))
        merge = await self._store.actions.put(reading.actions)
        told = CorporateActionsImported(symbols=symbols, added=merge.added, identical=merge.identical, changed=merge.changed)
        await self._keeper.tell(told)
        return ActionImport(
            symbols=symbols,
            rows=reading.rows,
            taken=reading.rows - reading.refused,
            refused=reading.refused,
            merge=merge,
            refused_by_reason=dict(reading.refused_by_reason.most_common()),
            bad_rows=tuple(reading.bad_rows),
            said=tuple(reading.said),
        )

    async def delete_actions(self, symbol: str) -> int:
        """Remove a symbol's splits and dividends; return how many there were."""
        removed = await self._store.actions.delete(symbol)
        if removed:
            await self._keeper.tell(CorporateActionsDeleted(symbol=symbol, removed=removed))
        return removed

    async def _read(self, key: BarSetKey) -> BarSeries:
        bars = await self._store.bars.read(key)
        if not len(bars):
            raise _not_stored(key)
        return bars


def _not_stored(key: BarSetKey) -> NoBars:
    return NoBars(f"No bars of {key.symbol} {key.timeframe} from {key.source} are stored.", "Import a file first, or choose another set.")
