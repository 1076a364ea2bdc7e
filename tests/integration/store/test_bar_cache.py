"""Bars that are kept by their hash are read without asking for them again, and never when they are not those that are meant."""

import os
import random
from pathlib import Path

import msgspec
import numpy as np

from core.model.market import BarSeries, BarSetKey
from core.ports import Store
from core.store.bar_cache import BarCache, CachedBarStore
from core.store.bar_hash import CHUNK_SPAN, content_sha256
from core.store.memory import MemoryBarStore, MemoryStore
from tests.contract.samples import KEY, MINUTE_NS, StillClock, bars, same_bars

MINUTES = [0, 1, 5, CHUNK_SPAN - 1, CHUNK_SPAN, 3 * CHUNK_SPAN]


class FarAway(MemoryBarStore):
    """A store that counts the bars that are fetched from it."""

    def __init__(self) -> None:
        super().__init__(StillClock())
        self.fetched = 0

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        found = await super().read(key, start_ns, end_ns)
        self.fetched += len(found)
        return found


async def test_a_set_is_fetched_once(tmp_path: Path) -> None:
    far = FarAway()
    held = bars(MINUTES, [0.1, -0.0, np.nan, 5e-324, 1.0, 2.0])
    await far.merge(KEY, held)
    for _ in range(2):
        near = CachedBarStore(far, BarCache(tmp_path / "bars"))  # of another start of the program
        assert same_bars(await near.read(KEY), held)
        assert same_bars(await near.read(KEY, MINUTE_NS, CHUNK_SPAN * MINUTE_NS), held.slice(1, 4))
    assert far.fetched == len(held)
    twin = msgspec.structs.replace(KEY, source="twin")
    await far.merge(twin, held)
    assert same_bars(await near.read(twin), held)
    assert far.fetched == len(held), "the same bars have the same hash, whatever their source"


async def test_a_set_that_changed_is_fetched_anew(tmp_path: Path) -> None:
    far, chance = FarAway(), random.Random(4)
    near = CachedBarStore(far, BarCache(tmp_path / "bars"))
    for _ in range(30):
        minutes = sorted(chance.sample(range(3 * CHUNK_SPAN), 5))
        await near.merge(KEY, bars(minutes, float(chance.randrange(3))))
        assert same_bars(await near.read(KEY), await far.read(KEY))
    assert len(await near.read(msgspec.structs.replace(KEY, source="nothing"))) == 0
    assert await near.seal(KEY, sealed=True) in await near.sets()
    assert await near.seal(KEY, sealed=False) is not None
    assert await near.delete(KEY)
    assert len(await near.read(KEY)) == 0


async def test_a_file_that_is_not_what_its_name_says_is_not_taken(tmp_path: Path) -> None:
    far = FarAway()
    near = CachedBarStore(far, BarCache(tmp_path))
    await far.merge(KEY, bars([1, 2, 3]))
    await near.read(KEY)
    (name,) = os.listdir(tmp_path)  # noqa: PTH208 - nothing else goes on in this loop
    whole = (tmp_path / name).read_bytes()
    BarCache(tmp_path).put("another", bars([1, 2, 4]))
    other = (tmp_path / "another.bars").read_bytes()
    for content in (b"", whole[:10], whole[:-3], whole[:60] + bytes([whole[60] ^ 0xFF]) + whole[61:], other):
        (tmp_path / name).write_bytes(content)
        before = far.fetched
        assert same_bars(await near.read(KEY), bars([1, 2, 3]))
        assert far.fetched == before + 3
        assert (tmp_path / name).read_bytes() == whole


async def test_what_was_not_read_longest_goes_first(tmp_path: Path) -> None:
    series = [bars([number, number + 7]) for number in range(4)]
    names = [content_sha256(each) for each in series]
    BarCache(tmp_path).put(names[0], series[0])
    size = (tmp_path / f"{names[0]}.bars").stat().st_size
    cache = BarCache(tmp_path, most_bytes=2 * size + size // 2)
    cache.put(names[1], series[1])
    for name, time_ns in zip(names[:2], (2_000, 1_000), strict=True):  # the first was read last
        os.utime(tmp_path / f"{name}.bars", ns=(time_ns, time_ns))
    cache.put(names[2], series[2])
    assert [cache.get(name) is not None for name in names[:3]] == [True, False, True]
    tiny = BarCache(tmp_path, most_bytes=1)
    tiny.put(names[3], series[3])
    assert [tiny.get(name) is not None for name in names] == [False, False, False, True], "the newest stays"


async def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    far = FarAway()
    await far.merge(KEY, bars([1, 2, 3]))
    near = CachedBarStore(far, BarCache(tmp_path / "file" / "bars"))
    for _ in range(2):
        assert same_bars(await near.read(KEY), bars([1, 2, 3]))
    assert far.fetched == 6


async def test_sets_of_before_hashes_were_kept_are_read_as_they_are(tmp_path: Path) -> None:
    store: Store = MemoryStore(StillClock())
    await store.bars.merge(KEY, bars([1, 2, 3]))
    near = CachedBarStore(_WithoutHashes(store), BarCache(tmp_path / "bars"))
    assert same_bars(await near.read(KEY, 2 * MINUTE_NS), bars([2, 3]))
    assert not (tmp_path / "bars").exists()


class _WithoutHashes(FarAway):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self._of = store.bars

    async def sets(self) -> list:  # type: ignore[type-arg]  # as in the base
        return [msgspec.structs.replace(item, sha256=None) for item in await self._of.sets()]

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        return await self._of.read(key, start_ns, end_ns)
