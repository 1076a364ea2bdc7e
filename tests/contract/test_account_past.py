"""An account that is opened from its snapshot is what it is when everything is read from the start, on every store."""

import hashlib
import random

import msgspec
import pytest

from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.findings import Findings
from core.model.instants import HOUR_NS
from core.model.order import OrderStatus
from core.ports import Store
from core.runs.snapshot_check import check_snapshots
from core.trading.account_past import AccountPast, sums_of, version_of
from core.trading.run_past import PAST_TYPES, write_sums
from tests.account_history import History, assert_equal, from_the_start, orders, remembered
from tests.contract.samples import StillClock, order, run
from tests.strictness.log_guard import AllowLog
from tests.unit.trading.desk import KEY


async def written(store: Store, seed: int, acts: int = 60, *, coins: bool = False) -> History:
    history = History(store, seed, coins=coins)
    await history.begin()
    for _ in range(acts):
        await history.act()
    return history


async def fold(store: Store, clock: StillClock, near_ns: int, *, coins: bool = False) -> None:
    async for _ in AccountPast(KEY, store.runs, clock, coin_fees=coins).folded(near_ns):
        pass


async def snapshot(store: Store) -> AccountSnapshot:
    found = await store.runs.account_snapshot(KEY)
    assert found is not None
    return found


@pytest.mark.parametrize("coins", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_a_snapshot_at_any_point_changes_nothing(store: Store, clock: StillClock, seed: int, coins: bool) -> None:
    chance = random.Random(seed)
    history = await written(store, seed, 20, coins=coins)
    for _ in range(4):
        await fold(store, clock, history.now_ns - chance.choice((0, HOUR_NS, 48 * HOUR_NS)), coins=coins)
        for _ in range(chance.randint(0, 25)):
            await history.act()
    await assert_equal(store, clock, coins=coins)


async def test_what_is_over_is_not_read_again(store: Store, clock: StillClock) -> None:
    history = await written(store, 11)
    await fold(store, clock, history.now_ns)
    state, _ = await remembered(store, clock)
    plain = await from_the_start(store, clock)
    assert 0 < len(state.lives) < len(plain.lives)
    kept = {each for one in sums_of(await snapshot(store)).values() for each in one.kept}
    assert set(state.lives) == kept
    assert {life.order.id for life in plain.working()} <= kept


@pytest.mark.parametrize("fault", ["another version", "another hash", "not JSON", "another shape"])
async def test_a_snapshot_that_is_no_good_is_made_anew(store: Store, clock: StillClock, fault: str, allow_log: AllowLog) -> None:
    history = await written(store, 2)
    await fold(store, clock, history.now_ns)
    good = await snapshot(store)
    wrong = sums_of(good)
    body = {"not JSON": "{", "another shape": '[{"run_id": 3}]'}.get(fault, good.body.replace('"cash":"', '"cash":"1'))
    sha256 = "0" * 64 if fault == "another hash" else hashlib.sha256(body.encode()).hexdigest()
    version = good.version + 2 if fault == "another version" else good.version
    async with store.runs.begin() as work:
        work.put_account_snapshot(AccountSnapshot(account=KEY, version=version, sha256=sha256, body=body))
    if fault != "another version":
        allow_log("is damaged and is made anew")
    await fold(store, clock, history.now_ns)
    assert (await snapshot(store)).version == version_of(coin_fees=False)
    assert sums_of(await snapshot(store)) == wrong
    await assert_equal(store, clock)


async def test_a_run_that_is_removed_leaves_the_snapshot(store: Store, clock: StillClock) -> None:
    history = await written(store, 3)
    await fold(store, clock, history.now_ns)
    async with store.runs.begin() as work:
        work.delete_run("run-b")
    await assert_equal(store, clock)
    assert "run-b" not in sums_of(await snapshot(store))


async def test_rows_that_are_gone_are_noticed(store: Store, clock: StillClock) -> None:
    history = await written(store, 4)
    await fold(store, clock, history.now_ns)
    good = await snapshot(store)
    further = [
        msgspec.structs.replace(one, end=RunEnd(one.end.orders + 5, one.end.fills + 5, one.end.events)) for one in sums_of(good).values()
    ]
    body = msgspec.json.encode(further).decode()
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    async with store.runs.begin() as work:
        work.put_account_snapshot(msgspec.structs.replace(good, body=body, sha256=sha256))
    await assert_equal(store, clock)


async def test_a_tail_is_what_came_after_an_end(store: Store) -> None:
    await written(store, 5, 40)
    ends = await store.runs.run_ends()
    whole = await store.runs.run_tail("run-a", RunEnd(), also=(), types=PAST_TYPES)
    assert whole.end == ends["run-a"]
    assert [order for _, order in whole.orders] == await store.runs.orders("run-a")
    assert sorted((fill for _, fill in whole.fills), key=lambda fill: fill.time_ns) == await store.runs.fills("run-a")
    assert {event.type for event in whole.events} <= set(PAST_TYPES)
    first, middle = whole.orders[0][1], RunEnd(whole.orders[2][0], whole.fills[0][0], whole.events[0].seq)
    tail = await store.runs.run_tail("run-a", middle, also=[first.id, "nobody's"], types=PAST_TYPES)
    assert sorted(tail.orders, key=lambda one: one[0]) == [whole.orders[0], *whole.orders[3:]]
    assert (list(tail.fills), list(tail.events), tail.end) == (list(whole.fills[1:]), list(whole.events[1:]), whole.end)
    assert (await store.runs.run_tail("run-a", whole.end, also=(), types=PAST_TYPES))[:3] == ([], [], [])


async def test_whose_orders_and_fills_are(store: Store) -> None:
    await written(store, 6, 40)
    order, fill = (await store.runs.orders("run-a"))[0], (await store.runs.fills("run-b"))[0]
    assert await store.runs.runs_of(order_ids=[order.id], fill_ids=[fill.id, "nobody's"]) == {"run-a", "run-b"}
    assert await store.runs.runs_of(order_ids=["nobody's"]) == set()
    assert order.broker_id is not None
    assert await store.runs.runs_at_broker(["run-a", "run-b"], [order.broker_id, "nobody's"]) == {"run-a"}
    assert await store.runs.runs_at_broker(["run-b"], [order.broker_id]) == set()


async def test_the_orders_that_are_not_over(store: Store) -> None:
    every = [
        msgspec.structs.replace(order(f"{run_id}-{status.value}", run_id, status), account="sim:A")
        for status in OrderStatus
        for run_id in ("run-1", "run-2", "run-3")
    ]
    async with store.runs.begin() as work:
        for run_id in ("run-1", "run-2", "run-3"):
            work.put_run(run(run_id))
        work.put_orders(every)
    found = await store.runs.open_orders(["run-2", "nobody's", "run-1"])
    for run_id in ("run-1", "run-2"):
        assert [one for one in found if one.run_id == run_id] == [one for one in every if one.run_id == run_id and not one.status.is_final]
    assert {one.run_id for one in found} == {"run-1", "run-2"}
    many = [f"nobody-{number}" for number in range(1_200)]
    assert await store.runs.open_orders([*many, "run-3"]) == [one for one in every if one.run_id == "run-3" and not one.status.is_final]
    assert await store.runs.open_orders([]) == []


async def test_no_snapshot_is_made_of_an_account_that_was_never_met(store: Store, clock: StillClock) -> None:
    history = History(store, 7)
    await history.begin(meets=False)
    for _ in range(10):
        await history.act()
    state, _ = await remembered(store, clock)
    assert orders(state) == orders(await from_the_start(store, clock))
    assert await store.runs.account_snapshots() == []


async def found_in(store: Store) -> list[str]:
    found = Findings()
    await check_snapshots(await store.runs.runs(), store, found)
    return [one.sentence for one in found.report().findings]


async def change(store: Store, **left: object) -> None:
    """Say something else of a run in the snapshot."""
    old = await snapshot(store)
    sums = dict(sums_of(old))
    sums["hand"] = msgspec.structs.replace(sums["hand"], **left)
    body = write_sums(sums.values())
    async with store.runs.begin() as work:
        work.put_account_snapshot(msgspec.structs.replace(old, body=body, sha256=hashlib.sha256(body.encode()).hexdigest()))


async def test_a_check_holds_the_snapshot_against_the_rows(store: Store, clock: StillClock) -> None:
    history = await written(store, 11, 40)
    assert await found_in(store) == []
    await fold(store, clock, history.now_ns)
    for _ in range(15):
        assert await found_in(store) == []
        await history.act()
    book = sums_of(await snapshot(store))["hand"].book
    assert book is not None
    await change(store, book=msgspec.structs.replace(book, cash=book.cash + 1))
    (found,) = await found_in(store)
    assert "says of run hand other money or positions" in found
    await change(store, book=book, kept=())
    (found,) = await found_in(store)
    assert "that these orders are over, and they are not: hand-" in found
    await change(store, book=None)
    assert len(await found_in(store)) == 1
    async with store.runs.begin() as work:
        work.put_account_snapshot(msgspec.structs.replace(await snapshot(store), sha256="0"))
    assert await found_in(store) == [f"The snapshot of account {KEY} is damaged: its hash is another. It is made anew when that is opened."]
