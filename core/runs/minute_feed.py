"""The minutes of a run that goes on in real time: from the stream, and at its start and after a gap from the broker's history."""

import asyncio
from collections.abc import Sequence
from typing import Final

from core.data.download import sound
from core.events.live_payloads import MinuteLate, StreamChanged
from core.model.broker import BarKind, LiveBar, StreamState, StreamStatus, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import Adjustment, Bar, Timeframe, asset_class_of
from core.model.money import exact
from core.model.run import RunConfig
from core.ports import LiveClock
from core.runs.desks import OpenAccount
from core.runs.gaps import Gaps
from core.runs.journal import RunJournal
from core.runs.live_bars import MINUTE, LiveBars, one_bar
from core.runs.loss_watch import LossWatch
from core.runs.market_hours import MarketHours
from core.runs.minutes import AHEAD_NS
from core.trading.feed import Feed

GRACE_S: Final = 2.0
"""Real seconds that a decision waits for the bars of its minute: one without a trade never comes."""
_SESSION_NS: Final = 6 * 3_600 * SECOND_NS


class MinuteFeed:
    """Of one run. What comes goes to `bars`, as far as it lies in `hours` and is no nonsense; the newest prices to the account's state.

    `feed`: what the dead man's switch knows of it; `from_ns`: since when minutes are wanted.
    """

    def __init__(
        self,
        config: RunConfig,
        account: OpenAccount,
        clock: LiveClock,
        bars: LiveBars,
        hours: MarketHours,
        feed: Feed,
        losses: LossWatch,
        from_ns: int,
    ) -> None:
        self._config = config
        self._account = account
        self._clock = clock
        self._bars = bars
        self._hours = hours
        self._feed = feed
        self._losses = losses
        self._from_ns = from_ns
        self._arrived = asyncio.Event()
        self.gaps = Gaps(config.symbols, fill=self._fill_gap, follow=self._follow, failed=self._tell_lost)
        self._statuses: list[StreamStatus] = []
        self._late: list[MinuteLate] = []
        self._deaf: dict[str, int] = {}
        """Symbols whose stream does not bring anything now, and since when by the monotonic clock."""

    @property
    def lacking(self) -> set[str]:
        """The symbols of which minutes may be missing that the history will bring."""
        return self.gaps.symbols | self._deaf.keys()

    async def complete(self, symbol: str, until_ns: int) -> None:
        """Take what the broker's history has of a symbol; minutes that are there already stay as they are. Raises BrokerError."""
        first_ns = max(self._from_ns, self._bars.newest_minute(symbol))
        feed = self._config.feed if asset_class_of(symbol).has_sessions else None
        pages = self._account.broker.history.pages(symbol, MINUTE, first_ns, until_ns, adjustment=Adjustment.RAW, feed=feed)
        async for page in pages:
            minutes = self._hours.inside(sound(page))
            self._note_late(symbol, self._bars.add(minutes))
            self._losses.know(self._account.desk.state, minutes)

    def watches(self) -> list[Watch]:
        """Return what to listen to: a stream brings one class of assets."""
        symbols = self._config.symbols
        classes = dict.fromkeys(asset_class_of(symbol) for symbol in symbols)
        feed = self._config.feed
        return [
            Watch(bars=tuple(symbol for symbol in symbols if asset_class_of(symbol) is one), feed=feed if one.has_sessions else None)
            for one in classes
        ]

    async def listen(self, watch: Watch) -> None:
        """Take what a stream brings, until it is cancelled."""

        def on_tick(tick: Tick) -> None:
            self._feed.heard(self._clock.monotonic_ns())
            if isinstance(tick, LiveBar) and tick.kind is BarKind.FINAL:
                self._take(tick.bar)

        what = asset_class_of(watch.bars[0]).value

        def on_status(status: StreamStatus) -> None:
            self._statuses.append(status)
            self._feed.listens(what, self._clock.monotonic_ns(), is_so=status.state is StreamState.LISTENING)
            if status.state is not StreamState.LISTENING:
                self._deaf = dict.fromkeys(watch.bars, self._clock.monotonic_ns()) | self._deaf
            else:
                self._deaf = {symbol: since_ns for symbol, since_ns in self._deaf.items() if symbol not in watch.bars}
                self.gaps.begin(watch.bars)  # what was told while nobody listened is asked for

        await self._account.market.listen(watch, on_tick, on_status)

    def _take(self, bar: Bar) -> None:
        minute = sound(one_bar(bar))  # what a download would not keep, no run sees; and nothing follows on a minute of tomorrow
        if not len(minute) or not self._hours.counts(bar.symbol, bar.start_ns):
            return
        if bar.end_ns > self._clock.now_ns() + AHEAD_NS:
            self.gaps.begin((bar.symbol,))  # where our clock is wrong, and is set, the history has what was not taken
            return
        if not self.gaps.holds(bar):
            self._note_late(bar.symbol, self._bars.add(minute, is_live=True))
        self._account.desk.state.note_price(bar.symbol, exact(bar.close), bar.end_ns)
        self._arrived.set()

    def _note_late(self, symbol: str, starts: Sequence[int]) -> None:
        """Note minutes that came after what they belong to was seen without them; they are told with the next decision."""
        self._late += [MinuteLate(symbol=symbol, start_ns=start_ns) for start_ns in starts]

    async def until(self, now_ns: int) -> None:
        """Return once every symbol's minutes up to now are there, or will not come."""
        gaps, lacked = self.gaps, self.gaps.unfilled
        if lacked:
            await gaps.fill(GRACE_S)
            # It may reach further than the decision that waits: to where the stream goes on.
            gaps.release(max(now_ns, self._clock.now_ns() // MINUTE_NS * MINUTE_NS))
        gaps.release(now_ns)
        expected = self._expected(now_ns)
        try:
            async with asyncio.timeout(GRACE_S):
                while any(self._bars.newest_minute(symbol) < now_ns for symbol in expected):
                    self._arrived.clear()
                    await self._arrived.wait()
                    gaps.release(now_ns)
        except TimeoutError:
            # The newest minute may have been told before anybody listened, and stored after it was asked for.
            gaps.begin(symbol for symbol in expected if symbol in lacked and self._bars.newest_minute(symbol) < now_ns)
            if gaps.unfilled:
                await gaps.fill(GRACE_S)
        finally:
            gaps.release(None)

    def _expected(self, now_ns: int) -> list[str]:
        """Return whose minute is waited for: not of a symbol that holds up others, with a gap that stays or a stream that is long lost."""
        deaf_ns = self._clock.monotonic_ns() - round(GRACE_S * SECOND_NS)
        absent = {symbol for symbol, since_ns in self._deaf.items() if since_ns < deaf_ns}
        if not self.gaps.is_everywhere:
            absent |= self.gaps.unfilled
        return [one for one in self._config.symbols if one not in absent and self._hours.counts(one, now_ns - MINUTE_NS)]

    async def _fill_gap(self, symbol: str) -> None:
        await self.complete(symbol, self._clock.now_ns() // MINUTE_NS * MINUTE_NS)

    def _follow(self, bar: Bar) -> None:
        self._note_late(bar.symbol, self._bars.add(one_bar(bar)))

    def _tell_lost(self, said: str) -> None:
        self._statuses.append(StreamStatus(state=StreamState.LOST, said=said))

    def tell(self, journal: RunJournal) -> None:
        """Record what came too late, and that a stream or the history was away, as it was noted since the last time."""
        late, self._late = self._late, []
        for minute in late:
            journal.record(minute, self._clock.now_ns(), None, None)
        told, self._statuses = self._statuses, []
        for status in told:
            if status.state in {StreamState.LOST, StreamState.STALE}:
                payload = StreamChanged(account=self._account.desk.state.key, stream="bars", state=status.state.value, said=status.said)
                journal.record(payload, self._clock.now_ns(), None, None)


def history_from(origin_ns: int, warmup: int, timeframe: Timeframe) -> int:
    """Return from when on bars are wanted, so that `warmup` of them end before the start of a run, at `origin_ns`."""
    per_day = max(1, min(_SESSION_NS, DAY_NS) // timeframe.ns)
    days = -(-warmup // per_day) * 3 // 2 + 5 if warmup else 0
    return (origin_ns // DAY_NS - days) * DAY_NS
