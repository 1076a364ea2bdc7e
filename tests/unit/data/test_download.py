"""Which periods are still to be fetched, and up to when."""

from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.desk import DataDesk
from core.data.download import SETTLING_NS, covered, without
from core.events.envelope import envelope
from core.events.payloads import BarsDeleted, BarsDownloaded
from core.model.download import DownloadPlan, usual_end
from core.model.instants import HOUR_NS, MINUTE_NS
from core.model.market import Adjustment, BarSeries, BarSetKey, Timeframe
from core.store.memory import MemoryStore
from tests.contract.samples import NOW_NS, StillClock

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: (min(ends), max(ends))), max_size=8)


@given(st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda ends: ends[0] < ends[1]), SPANS)
def test_what_is_left_is_what_no_span_has(period: tuple[int, int], taken: list[tuple[int, int]]) -> None:
    left = without(period, taken)
    instants = {instant for first, last in left for instant in range(first, last)}
    assert instants == {instant for instant in range(*period) if not any(first <= instant < last for first, last in taken)}
    assert left == sorted(left)
    assert all(first < last for first, last in left)


def test_a_deleted_set_has_nothing_covered() -> None:
    def event(payload: BarsDownloaded | BarsDeleted) -> object:
        return envelope(payload, id="e", ts=0, producer="data")

    name = {"symbol": "SPY", "timeframe": "1m", "source": "alpaca-iex", "adjustment": "raw"}
    first = BarsDownloaded(**name, start_ns=0, end_ns=5, added=1, identical=0, changed=0)
    second = BarsDownloaded(**name, start_ns=7, end_ns=9, added=1, identical=0, changed=0)
    key = BarSetKey(symbol="SPY", timeframe="1m", source="alpaca-iex")
    assert covered([event(first), event(second)]) == {key: [(0, 5), (7, 9)]}  # type: ignore[list-item]
    assert covered([event(first), event(BarsDeleted(**name)), event(second)]) == {key: [(7, 9)]}  # type: ignore[list-item]


class AllMinutes:
    """A history that has every bar it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def source_of(self, symbol: str, feed: str | None) -> str:
        return f"all-{feed}"

    async def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        self.asked.append((start_ns, end_ns))
        starts = np.arange(-(-start_ns // timeframe.ns) * timeframe.ns, end_ns, timeframe.ns, dtype=np.int64)
        for first in range(0, len(starts), 7):
            some = starts[first : first + 7]
            yield BarSeries.from_columns(symbol, timeframe, some, *(np.ones(len(some)) for _ in range(5)))


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    opened = MemoryStore(StillClock())
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
async def test_only_bars_that_have_been_over_for_a_while_are_fetched(store: MemoryStore, timeframe: str) -> None:
    clock, history = StillClock(), AllMinutes()
    desk, length_ns = DataDesk(store, clock), Timeframe.parse(timeframe).ns
    start_ns = NOW_NS // HOUR_NS * HOUR_NS - 30 * length_ns
    plan = DownloadPlan(symbols=("BTC/USD",), timeframe=timeframe, start_ns=start_ns, end_ns=NOW_NS + 100 * length_ns)

    async def last_known() -> int:
        await desk.download(plan, history, lambda _: None)
        bars = await store.bars.read(BarSetKey(symbol="BTC/USD", timeframe=timeframe, source="all-None"))
        return int(bars.start_ns[-1]) + length_ns

    first = await last_known()
    assert first <= clock.now - SETTLING_NS < first + length_ns
    clock.now += 5 * length_ns
    assert await last_known() == first + 5 * length_ns
    assert history.asked[1][0] == history.asked[0][1]  # it goes on where it was


async def test_progress_counts_all_symbols_and_what_is_there_already(store: MemoryStore) -> None:
    desk, history = DataDesk(store, StillClock()), AllMinutes()
    start_ns = NOW_NS // HOUR_NS * HOUR_NS - HOUR_NS
    plan = DownloadPlan(symbols=("BTC/USD",), timeframe="1m", start_ns=start_ns, end_ns=start_ns + 30 * MINUTE_NS)
    await desk.download(plan, history, lambda _: None)
    told: list[tuple[int, int]] = []
    both = DownloadPlan(symbols=("BTC/USD", "ETH/USD"), timeframe="1m", start_ns=start_ns, end_ns=start_ns + 30 * MINUTE_NS)
    await desk.download(both, history, lambda progress: told.append((progress.done, progress.total)))
    assert told == sorted(told)
    assert told[0][0] > 1_800
    assert told[-1] == (3_600, 3_600)


def test_a_feed_that_every_account_sees_late_ends_earlier() -> None:
    assert usual_end(NOW_NS, "iex") == usual_end(NOW_NS, None) == NOW_NS
    assert usual_end(NOW_NS, "sip") == NOW_NS - 16 * MINUTE_NS
