"""The contract of `BarStore`, on every store."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from core.errors import BugError, SealedBars
from core.model.market import Adjustment, BarSeries, BarSet, Timeframe, bars_sha256
from core.ports import Store
from core.store.bar_hash import CHUNK_SPAN, content_sha256
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from tests.contract.samples import KEY, MINUTE_NS, NOW_NS, StillClock, bars, same_bars
from tests.examples import examples


async def test_nothing_is_stored_at_first(store: Store) -> None:
    assert await store.bars.sets() == []
    found = await store.bars.read(KEY)
    assert (len(found), found.symbol, str(found.timeframe)) == (0, "BTC/USD", "1m")
    assert not await store.bars.delete(KEY)


async def test_merged_bars_come_back_exactly(store: Store) -> None:
    rng = np.random.default_rng(7)
    starts = np.cumsum(rng.integers(1, 9, 500)) * MINUTE_NS - 300 * MINUTE_NS  # some before 1970
    columns = [rng.normal(0, 1e6, 500) for _ in range(5)]
    columns[0][:5] = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, np.nan]
    stored = BarSeries.from_columns("BTC/USD", Timeframe.parse("1m"), starts, *columns)

    report = await store.bars.merge(KEY, stored)
    assert (report.added, report.identical, report.changed) == (500, 0, 0)
    assert same_bars(await store.bars.read(KEY), stored)
    assert (await store.bars.merge(KEY, stored)).identical == 500


async def test_a_set_tells_what_it_holds(store: Store, clock: StillClock) -> None:
    await store.bars.merge(KEY, bars([5, 7]))
    clock.now += 5
    await store.bars.merge(KEY, bars([3, 9]))
    clock.now += 5
    await store.bars.merge(KEY, bars([3, 9]))  # changes nothing
    expected = BarSet(
        key=KEY,
        bars=4,
        first_ns=3 * MINUTE_NS,
        last_ns=9 * MINUTE_NS,
        updated_ns=NOW_NS + 5,
        sha256=content_sha256(bars([3, 5, 7, 9])),
    )
    assert await store.bars.sets() == [expected]


async def test_a_merge_counts_new_same_and_changed_bars(store: Store) -> None:
    await store.bars.merge(KEY, bars([1, 3, 5, 7], [1.0, 3.0, 5.0, 7.0]))
    report = await store.bars.merge(KEY, bars([0, 1, 2, 5, 8], [0.0, 1.0, 2.0, 5.5, 8.0]))

    assert (report.added, report.identical, report.changed) == (3, 1, 1)
    assert report.changed_examples == (5 * MINUTE_NS,)
    assert same_bars(await store.bars.read(KEY), bars([0, 1, 2, 3, 5, 7, 8], [0.0, 1.0, 2.0, 3.0, 5.5, 7.0, 8.0]))


async def test_a_bar_changes_when_one_column_does(store: Store) -> None:
    held = bars([1, 2])
    await store.bars.merge(KEY, held)
    changed = bars([1, 2])
    changed.volume[1] = 99.0
    report = await store.bars.merge(KEY, changed)
    assert (report.identical, report.changed) == (1, 1)
    assert (await store.bars.read(KEY)).volume.tolist() == [100.0, 99.0]


async def test_at_most_twenty_examples_are_kept(store: Store) -> None:
    minutes = [number * CHUNK_SPAN // 10 for number in range(50)]  # over several chunks
    await store.bars.merge(KEY, bars(minutes, 1.0))
    report = await store.bars.merge(KEY, bars(minutes, 2.0))
    assert report.changed == 50
    assert report.changed_examples == tuple(minute * MINUTE_NS for minute in minutes[:20])


async def test_read_cuts_at_the_given_times(store: Store) -> None:
    minutes = [0, 1, CHUNK_SPAN - 1, CHUNK_SPAN, CHUNK_SPAN + 5, 3 * CHUNK_SPAN]
    stored = bars(minutes, [float(minute) for minute in minutes])
    await store.bars.merge(KEY, stored)
    edges = [-5, 0, 1, 2, CHUNK_SPAN - 1, CHUNK_SPAN, CHUNK_SPAN + 1, 2 * CHUNK_SPAN, 3 * CHUNK_SPAN, 3 * CHUNK_SPAN + 1]
    for first in edges:
        for last in edges:
            found = await store.bars.read(KEY, first * MINUTE_NS, last * MINUTE_NS)
            assert same_bars(found, stored.between(first * MINUTE_NS, last * MINUTE_NS)), (first, last)
    assert same_bars(await store.bars.read(KEY, None, MINUTE_NS), stored.slice(0, 1))
    assert same_bars(await store.bars.read(KEY, 2 * CHUNK_SPAN * MINUTE_NS), stored.slice(5, 6))


async def test_sources_and_adjustments_never_mix(store: Store) -> None:
    keys = [KEY, msgspec.structs.replace(KEY, source="broker"), msgspec.structs.replace(KEY, adjustment=Adjustment.ALL)]
    for number, key in enumerate(keys):
        await store.bars.merge(key, bars([1, 2], float(number)))
    for number, key in enumerate(keys):
        assert same_bars(await store.bars.read(key), bars([1, 2], float(number)))
    assert await store.bars.delete(keys[0])
    assert not await store.bars.delete(keys[0])
    assert len(await store.bars.read(keys[0])) == 0
    assert same_bars(await store.bars.read(keys[1]), bars([1, 2], 1.0))
    assert {found.key for found in await store.bars.sets()} == set(keys[1:])


async def test_sets_come_by_symbol_and_length(store: Store) -> None:
    for symbol, timeframe in (("SPY", "1d"), ("BTC/USD", "1d"), ("BTC/USD", "5m"), ("BTC/USD", "1h"), ("BTC/USD", "15m")):
        key = msgspec.structs.replace(KEY, symbol=symbol, timeframe=timeframe)
        await store.bars.merge(key, bars([1440 * 9], key=key))
    found = [(item.key.symbol, item.key.timeframe) for item in await store.bars.sets()]
    assert found == [("BTC/USD", "5m"), ("BTC/USD", "15m"), ("BTC/USD", "1h"), ("BTC/USD", "1d"), ("SPY", "1d")]


async def test_a_deleted_set_can_be_made_again(store: Store) -> None:
    await store.bars.merge(KEY, bars([1, 2]))
    await store.bars.delete(KEY)
    report = await store.bars.merge(KEY, bars([2, 3], 5.0))
    assert (report.added, report.changed) == (2, 0)
    assert same_bars(await store.bars.read(KEY), bars([2, 3], 5.0))


async def test_simulated_bars_are_marked_as_such(store: Store) -> None:
    await store.bars.merge(KEY, bars([1, 2]), simulated=True)
    assert [item.simulated for item in await store.bars.sets()] == [True]
    await store.bars.merge(KEY, bars([3]))
    assert [item.simulated for item in await store.bars.sets()] == [True]


async def test_merging_nothing_makes_no_set(store: Store) -> None:
    report = await store.bars.merge(KEY, bars([]))
    assert (report.added, report.identical, report.changed) == (0, 0, 0)
    assert await store.bars.sets() == []


async def test_bars_that_do_not_belong_are_refused(store: Store) -> None:
    other = msgspec.structs.replace(KEY, symbol="ETH/USD")
    with pytest.raises(BugError, match="ETH/USD"):
        await store.bars.merge(KEY, bars([1], key=other))
    with pytest.raises(BugError, match="increase"):
        await store.bars.merge(KEY, bars([2, 1]))
    with pytest.raises(BugError, match="increase"):
        await store.bars.merge(KEY, bars([1, 1]))
    assert await store.bars.sets() == []


async def test_merges_at_the_same_time_lose_nothing(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(12):
            minutes = [number, number + 100, number + 2 * CHUNK_SPAN, number % 3 + 7 * CHUNK_SPAN]
            group.create_task(store.bars.merge(KEY, bars(minutes)))
    expected = sorted(
        {*range(12), *range(100, 112), *range(2 * CHUNK_SPAN, 2 * CHUNK_SPAN + 12), *range(7 * CHUNK_SPAN, 7 * CHUNK_SPAN + 3)}
    )
    assert same_bars(await store.bars.read(KEY), bars(expected))
    assert [item.bars for item in await store.bars.sets()] == [len(expected)]


_MINUTES = st.one_of(st.integers(-50, 50), st.integers(CHUNK_SPAN - 20, CHUNK_SPAN + 20), st.integers(-CHUNK_SPAN - 9, -CHUNK_SPAN + 9))
_SERIES = st.dictionaries(_MINUTES, st.sampled_from([1.0, 2.0, -0.0, 0.0, float("nan"), 0.1 + 0.2]), max_size=30)


@examples(25, HealthCheck.function_scoped_fixture)
@given(merges=st.lists(_SERIES, min_size=1, max_size=5))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_merging_is_laying_one_dict_over_another(kind: str, merges: list[dict[int, float]]) -> None:
    def bits(price: float) -> bytes:
        return np.float64(price).tobytes()

    with tempfile.TemporaryDirectory() as directory:
        store: Store = MemoryStore(StillClock()) if kind == "memory" else DatabaseStore(Path(directory) / "desk.db", StillClock())
        await store.open()
        model: dict[int, float] = {}
        try:
            for merge in merges:
                report = await store.bars.merge(KEY, bars(sorted(merge), [merge[minute] for minute in sorted(merge)]))
                met = [minute for minute in merge if minute in model]
                same = [minute for minute in met if bits(model[minute]) == bits(merge[minute])]
                assert (report.added, report.identical, report.changed) == (len(merge) - len(met), len(same), len(met) - len(same))
                assert report.changed_examples == tuple(minute * MINUTE_NS for minute in sorted(set(met) - set(same)))[:20]
                model |= merge
                assert same_bars(await store.bars.read(KEY), bars(sorted(model), [model[minute] for minute in sorted(model)]))
            held = await store.bars.sets()
            assert [item.bars for item in held] == ([len(model)] if model else [])
        finally:
            await store.close()


async def test_the_hash_of_bars_is_of_their_content(store: Store) -> None:
    stored = bars([1, 2, 3], [1.0, 2.0, 3.0])
    await store.bars.merge(KEY, stored)
    whole = bars_sha256(stored)
    assert whole == "e5fec0c2d094a6a1875f0542deef04cabe41d68b0403ffdda322b7f37ad16e5c"
    assert bars_sha256(await store.bars.read(KEY)) == whole
    changed = bars([1, 2, 3], [1.0, 2.0, 3.0])
    changed.volume[2] = np.nextafter(3.0, 4.0)
    others = [changed, bars([1, 2, 4], [1.0, 2.0, 3.0]), stored.slice(0, 2), bars([1, 2, 3], [1.0, 2.0, 3.5])]
    assert len({bars_sha256(other) for other in others} | {whole}) == 5


async def test_equal_sets_have_equal_hashes_however_they_came_to_be(store: Store) -> None:
    minutes = [0, 1, CHUNK_SPAN - 1, CHUNK_SPAN, 3 * CHUNK_SPAN]
    whole = bars(minutes, [float(minute) for minute in minutes])
    await store.bars.merge(KEY, whole)
    other = msgspec.structs.replace(KEY, source="broker")
    for first in (4, 2, 0, 3, 1):
        await store.bars.merge(other, bars([minutes[first]], 7.0))
    one, two = await store.bars.sets()
    assert one.sha256 != two.sha256
    await store.bars.merge(other, whole)
    hashes = {item.sha256 for item in await store.bars.sets()}
    assert hashes == {content_sha256(whole)} == {"fea82c337b9a099b43a55a5a03826dd828b11e444c0f226c11412827c8cd8a9b"}


async def test_a_sealed_set_stays_as_it_is(store: Store) -> None:
    await store.bars.merge(KEY, bars([1, 2]))
    sealed = await store.bars.seal(KEY, sealed=True)
    assert sealed is not None
    assert (sealed.sealed, sealed.bars, sealed.sha256) == (True, 2, content_sha256(bars([1, 2])))
    assert await store.bars.sets() == [sealed]
    for minutes in ([1, 2], [3], [2, 3]):
        with pytest.raises(SealedBars, match="1m bars of BTC/USD from file are sealed"):
            await store.bars.merge(KEY, bars(minutes, 5.0))
    with pytest.raises(SealedBars):
        await store.bars.delete(KEY)
    await store.bars.merge(msgspec.structs.replace(KEY, source="broker"), bars([3]))
    assert same_bars(await store.bars.read(KEY), bars([1, 2]))

    opened = await store.bars.seal(KEY, sealed=False)
    assert opened is not None
    assert not opened.sealed
    assert (await store.bars.merge(KEY, bars([3]))).added == 1
    assert await store.bars.delete(KEY)
    assert await store.bars.seal(KEY, sealed=True) is None


async def test_a_set_that_is_sealed_while_a_merge_goes_on_is_whole(store: Store) -> None:
    await store.bars.merge(KEY, bars([1]))
    async with asyncio.TaskGroup() as group:
        merging = group.create_task(_merged(store))
        sealing = group.create_task(store.bars.seal(KEY, sealed=True))
    sealed = sealing.result()
    assert sealed is not None
    assert sealed.sha256 == content_sha256(await store.bars.read(KEY))
    assert sealed.bars == (2 if merging.result() else 1)


async def _merged(store: Store) -> bool:
    try:
        await store.bars.merge(KEY, bars([2]))
    except SealedBars:
        return False
    return True
