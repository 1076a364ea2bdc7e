"""Bars from a broker into the store: page by page, so that a stop loses nothing, and only what is missing."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
import numpy as np

from core.data.gaps import find_gaps
from core.data.keeping import BarKeeper
from core.data.work import OnProgress, in_thread
from core.errors import InvalidValue
from core.events.envelope import Envelope
from core.events.payloads import BarsDeleted, BarsDownloaded
from core.model.download import Downloaded, DownloadPlan
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import Adjustment, BarSeries, BarSetKey, Gap, MergeReport, Timeframe, asset_class_of
from core.model.result import Progress
from core.ports import BarHistory, Clock, Store

SETTLING_NS: Final = MINUTE_NS
"""How long after its end a bar may still be corrected; younger ones are left for the next time."""
LATE_NS: Final = DAY_NS
"""How long a broker may take until it has its newest bars, and this machine's clock be ahead: nothing so young is known not to be."""
PROBED: Final = 3
"""So many of the newest stored bars tell whether adjusted prices have changed since."""
_LOOK_BACK: Final = 2_000
"""Bars' lengths within which the newest stored ones are looked for: nights, weekends and thin days lie between them."""
_PAGE: Final = 1_000

Span = tuple[int, int]
"""From an instant on, up to another; UTC ns."""


class Downloader:
    """Fetches what a plan asks for and the log does not know yet. What was fetched is an event, so a later call goes on from there."""

    def __init__(self, store: Store, clock: Clock, keeper: BarKeeper) -> None:
        self._store = store
        self._clock = clock
        self._keeper = keeper

    async def download(self, plan: DownloadPlan, history: BarHistory, on_progress: OnProgress) -> list[Downloaded]:
        """Fetch and store. Cancelled, or failing in the middle, it keeps every page that was stored.

        Raises InvalidValue, and what the broker raises.
        """
        timeframe = Timeframe.parse(plan.timeframe)
        end_ns = min(plan.end_ns, self._clock.now_ns() - SETTLING_NS - timeframe.ns + 1)
        if end_ns <= plan.start_ns:
            raise InvalidValue("start", "too late", f"no bar of {timeframe} from there on is over yet.")
        keys = [_key(symbol, timeframe, plan, history) for symbol in dict.fromkeys(plan.symbols)]
        known = {} if plan.again else covered(await self._data_events())
        meter = _Meter(on_progress, len(keys) * (end_ns - plan.start_ns))
        done = []
        for key in keys:
            period, spans = (plan.start_ns, end_ns), known.get(key, [])
            is_stale = bool(spans) and await self._is_stale(key, timeframe, plan.feed, history)
            missing = together([period, *spans]) if is_stale else without(period, spans)
            meter.skip(end_ns - plan.start_ns - sum(last - first for first, last in missing))
            one = await self._one(key, timeframe, missing, period, plan.feed, history, meter)
            done.append(msgspec.structs.replace(one, readjusted=is_stale))
        return done

    async def _is_stale(self, key: BarSetKey, timeframe: Timeframe, feed: str | None, history: BarHistory) -> bool:
        """Tell whether a split or a dividend has changed a set of adjusted prices since it was fetched: all its newest bars are others.

        One that was corrected is no sign of it.
        """
        if key.adjustment is Adjustment.RAW:
            return False
        stored = next((one for one in await self._store.bars.sets() if one.key == key), None)
        if stored is None:
            return False
        newest = await self._store.bars.read(key, stored.last_ns - _LOOK_BACK * timeframe.ns, None)
        newest = newest.slice(max(0, len(newest) - PROBED), len(newest))
        now: dict[int, float] = {}
        first, last = int(newest.start_ns[0]), int(newest.start_ns[-1]) + 1
        pages = history.pages(key.symbol, timeframe, first, last, adjustment=key.adjustment, feed=_feed(key.symbol, feed))
        async with aclosing(pages):
            async for page in pages:
                now |= dict(zip(page.start_ns.tolist(), page.close.tolist(), strict=True))
        then = dict(zip(newest.start_ns.tolist(), newest.close.tolist(), strict=True))
        both = then.keys() & now.keys()
        return bool(both) and all(then[start_ns] != now[start_ns] for start_ns in both)

    async def _one(
        self,
        key: BarSetKey,
        timeframe: Timeframe,
        missing: Sequence[Span],
        period: Span,
        feed: str | None,
        history: BarHistory,
        meter: "_Meter",
    ) -> Downloaded:
        merge, fetched, refused = MergeReport(), 0, 0
        for first, last in missing:
            reached = first
            pages = history.pages(key.symbol, timeframe, first, last, adjustment=key.adjustment, feed=_feed(key.symbol, feed))
            async with aclosing(pages):
                async for page in pages:
                    kept = sound(page)
                    of_page = await self._store.bars.merge(key, kept)
                    following = int(page.start_ns[-1]) + 1
                    await self._tell(key, (reached, following), of_page)
                    merge = _both(merge, of_page)
                    fetched, refused = fetched + len(page), refused + len(page) - len(kept)
                    meter.advance(following - reached, f"{key.symbol}: {fetched:,} bars")
                    reached = following
            if reached < last:
                # There is no room for a bar, or it was long enough ago that the broker has it by now, where there is one.
                known = last if last - reached < timeframe.ns else min(last, self._clock.now_ns() - LATE_NS)
                if reached < known:
                    await self._tell(key, (reached, known), MergeReport())
                meter.advance(last - reached, f"{key.symbol}: {fetched:,} bars")
        if fetched:
            await self._keeper.tell_merged(key, merge)
        stored = await self._store.bars.read(key, *period)
        gaps = await in_thread(self._clock, lambda _: find_gaps(stored.start_ns, timeframe.ns, asset_class_of(key.symbol)))
        return Downloaded(
            key=key,
            start_ns=period[0],
            end_ns=period[1],
            fetched=fetched,
            refused=refused,
            merge=merge,
            stored=len(stored),
            gaps=tuple(_longest_first(gaps)),
        )

    async def _tell(self, key: BarSetKey, span: Span, merge: MergeReport) -> None:
        await self._keeper.tell(
            BarsDownloaded(
                symbol=key.symbol,
                timeframe=key.timeframe,
                source=key.source,
                adjustment=key.adjustment,
                start_ns=span[0],
                end_ns=span[1],
                added=merge.added,
                identical=merge.identical,
                changed=merge.changed,
            )
        )

    async def _data_events(self) -> list[Envelope]:
        found: list[Envelope] = []
        after = 0
        while page := await self._store.log.read(after_seq=after, pattern="data.*", limit=_PAGE):
            found += page
            after = page[-1].seq
        return found


class _Meter:
    """Counts the time that is done, of all symbols together."""

    def __init__(self, on_progress: OnProgress, total_ns: int) -> None:
        self._on_progress = on_progress
        self._total_ns = total_ns
        self._done_ns = 0

    def skip(self, span_ns: int) -> None:
        """Count what is there already; below zero: so much more than was meant is fetched."""
        self._done_ns += max(0, span_ns)
        self._total_ns += max(0, -span_ns)

    def advance(self, span_ns: int, what: str) -> None:
        """Count what is done now, and tell."""
        self._done_ns += span_ns
        self._on_progress(Progress(done=self._done_ns // SECOND_NS, total=self._total_ns // SECOND_NS, what=what))


def covered(events: Iterable[Envelope]) -> dict[BarSetKey, list[Span]]:
    """Return which periods of which sets were fetched, by the log; a deleted set starts anew."""
    spans: dict[BarSetKey, list[Span]] = {}
    for event in events:
        payload = event.payload
        if isinstance(payload, (BarsDownloaded, BarsDeleted)):
            key = BarSetKey(
                symbol=payload.symbol, timeframe=payload.timeframe, source=payload.source, adjustment=Adjustment(payload.adjustment)
            )
            if isinstance(payload, BarsDeleted):
                spans.pop(key, None)
            else:
                spans.setdefault(key, []).append((payload.start_ns, payload.end_ns))
    return spans


def without(period: Span, taken: Iterable[Span]) -> list[Span]:
    """Return the parts of `period` that no span of `taken` covers, oldest first."""
    left = []
    reached, end = period
    for first, last in sorted(taken):
        if first >= end:
            break
        if first > reached:
            left.append((reached, first))
        reached = max(reached, last)
    if reached < end:
        left.append((reached, end))
    return left


def together(spans: Iterable[Span]) -> list[Span]:
    """Return spans without what they have in common, oldest first."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _key(symbol: str, timeframe: Timeframe, plan: DownloadPlan, history: BarHistory) -> BarSetKey:
    source = history.source_of(symbol, _feed(symbol, plan.feed))
    if plan.adjustment is not Adjustment.RAW and not asset_class_of(symbol).has_sessions:
        raise InvalidValue("adjustment", plan.adjustment, f"{symbol} has no splits and no dividends; its bars are raw.")
    return BarSetKey(symbol=symbol, timeframe=str(timeframe), source=source, adjustment=plan.adjustment)


def _feed(symbol: str, feed: str | None) -> str | None:
    """Return the feed for a symbol: feeds are of exchanges, and crypto has none."""
    return feed if asset_class_of(symbol).has_sessions else None


def sound(page: BarSeries) -> BarSeries:
    """Return the bars that do not contradict themselves."""
    open_, high, low, close, volume = page.columns()
    is_sound = np.isfinite([open_, high, low, close, volume]).all(axis=0) & (low > 0) & (volume >= 0)
    is_sound &= (high >= np.maximum(open_, close)) & (low <= np.minimum(open_, close))
    if is_sound.all():
        return page
    return BarSeries.from_columns(page.symbol, page.timeframe, page.start_ns[is_sound], *(column[is_sound] for column in page.columns()))


def _both(first: MergeReport, second: MergeReport) -> MergeReport:
    return MergeReport(
        added=first.added + second.added,
        identical=first.identical + second.identical,
        changed=first.changed + second.changed,
        changed_examples=(first.changed_examples + second.changed_examples)[:20],
    )


def _longest_first(gaps: Iterable[Gap]) -> list[Gap]:
    return sorted(gaps, key=lambda gap: (-gap.missing, gap.start_ns))
