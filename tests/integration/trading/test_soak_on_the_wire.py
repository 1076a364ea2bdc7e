"""Orders by the hundred, and by the thousand with `--soak`, over real HTTP and websockets with all faults mixed, seeded.

A strategy places and cancels, and beside it a person, who changes, closes and turns around, too. At the end there is one order at the
broker for one intent, every fill is booked once, positions are equal, and no run was stopped.
"""

import asyncio
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock.realtime import SystemClock
from core.errors import BrokerError
from core.model.order import OrderStatus
from core.trading.order_fold import OrderLife
from core.trading.reconcile import Difference
from tests.broker.bench import QUICK, fake_broker
from tests.broker.book import FINAL, Refused
from tests.broker.desk import POST, WireScene, wired
from tests.broker.faults import Fault, Mischief, Way
from tests.broker.server import FakeBroker
from tests.integration.trading.person import WISHES, Person, by_hand

HASTY = replace(QUICK, read_s=0.4, answer_s=0.6)
OPTIONS: dict[str, Any] = {"patience": HASTY, "look_ups_s": (0.0, 0.02, 0.05), "soon_s": 0.05, "missing_s": 0.05, "reconcile_s": 2.0}
LOOK_UP, CANCEL, LISTS, STREAM = "GET /v2/orders:by_client_order_id", "DELETE /v2/orders/", "GET /v2/", "GET /stream"
CHANGE = "PATCH /v2/orders/"
REFUSAL = '{"code": 42210000, "message": "something went wrong"}'
FAULTS = (
    *(Fault(POST, way) for way in (Way.RESET_BEFORE, Way.RESET_DURING, Way.RESET_AFTER, Way.NONSENSE)),
    *(Fault(POST, way, status) for way in (Way.STATUS, Way.DONE_THEN_STATUS) for status in (500, 502, 503, 504, 429)),
    Fault(POST, Way.STATUS, 503, headers={"Retry-After": "1"}),
    Fault(POST, Way.STATUS, 429, headers={"Retry-After": "0.01"}),
    Fault(POST, Way.STATUS, 422, body=REFUSAL),
    Fault(POST, Way.DONE_THEN_STATUS, 422, body=REFUSAL),
    Fault(POST, Way.LATE, delay_s=0.05),
    Fault(POST, Way.SILENT),
    Fault(POST, Way.DONE_THEN_SILENT),
    *(Fault(CHANGE, way) for way in (Way.RESET_BEFORE, Way.RESET_AFTER, Way.NONSENSE, Way.SILENT, Way.DONE_THEN_SILENT)),
    Fault(CHANGE, Way.STATUS, 422, body=REFUSAL),
    Fault(CHANGE, Way.DONE_THEN_STATUS, 503),
    Fault(LOOK_UP, Way.STATUS, 500),
    Fault(LOOK_UP, Way.RESET_BEFORE),
    Fault(LOOK_UP, Way.NONSENSE),
    Fault(LOOK_UP, Way.STATUS, 404, body='{"code": 40410000, "message": "order not found"}'),
    Fault(CANCEL, Way.STATUS, 500),
    Fault(CANCEL, Way.DONE_THEN_STATUS, 503),
    Fault(CANCEL, Way.RESET_AFTER),
    Fault(LISTS, Way.STATUS, 503),
    Fault(LISTS, Way.NONSENSE),
    Fault(LISTS, Way.STATUS, 429),
    Fault(STREAM, Way.STATUS, 503),
    Fault(STREAM, Way.RESET_BEFORE),
)
NONSENSE = (b"{", b"\xff", b'{"stream": "trade_updates", "data": null}')


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


class Storm:
    """A market and a line to it in which everything goes wrong, by a seed."""

    def __init__(self, server: FakeBroker, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.seen: Counter[str] = Counter()

    def strike(self) -> None:
        """Something goes wrong, or does not."""
        chance, server = self.chance, self.server
        if chance.random() < 0.4:
            fault = chance.choice(FAULTS)
            self.seen[f"{fault.at.partition(' ')[0]} {fault.way.value} {fault.status}"] += 1
            server.fail(fault)
        if chance.random() < 0.2:
            mischief = chance.choice(list(Mischief))
            self.seen[f"updates {mischief.value}"] += 1
            server.do(lambda: setattr(server, "mischief", mischief))
        if chance.random() < 0.04:
            self.seen["stream cut"] += 1
            server.drop_streams()
        if chance.random() < 0.02:
            self.seen["stream nonsense"] += 1
            server.send_raw_update(chance.choice(NONSENSE))

    def trade(self) -> None:
        """The market takes parts of what works, and ends some of it; call it in the server's thread."""
        chance, book = self.chance, self.server.book
        for order in [one for one in book.orders.values() if one["status"] in {"new", "partially_filled"} or self.is_triggered(one)]:
            left = int(order["qty"]) - int(order["filled_qty"])
            if order["status"] in FINAL:
                continue  # another one of those that hang together was filled or ended just now
            if chance.random() < 0.5:
                book.fill(order["id"], str(chance.randint(1, left)), str(chance.randint(380, 420)))
            elif chance.random() < 0.05:
                book.end(order["id"], chance.choice(("canceled", "expired", "rejected")))
        if chance.random() < 0.05:  # somebody else trades here too
            body = {"client_order_id": f"hand-{len(book.orders)}", "symbol": "SPY", "side": "buy", "type": "market", "qty": "1"}
            try:
                book.settle(book.place({**body, "time_in_force": "day"}))
            except Refused:
                return

    def is_triggered(self, order: dict[str, Any]) -> bool:
        """Tell whether the market is at a stop that the broker holds on to: its entry is filled."""
        if order["status"] != "held":
            return False  # most: to look for what an order hangs together with takes a look at all of them
        return self.server.book._group_of(order)[0]["status"] == "filled" and self.chance.random() < 0.3

    def calm(self) -> None:
        """All is well again."""
        server = self.server
        server.do(server.faults.clear)
        server.do(lambda: setattr(server, "mischief", Mischief.NONE))


async def trade(scene: WireScene, storm: Storm, orders: int) -> Person:
    """A strategy trades, and beside it a person does something every now and then, without waiting for the end of it."""
    async with by_hand(scene, storm.chance) as person, asyncio.TaskGroup() as group:
        acts: list[asyncio.Task[None]] = []
        for number in range(orders):
            await decide(scene, storm, number)
            if number % 2 == 0:
                acts.append(group.create_task(person.act()))
        for act in acts[-3:]:
            act.cancel()  # the program ends in the middle of it
    return person


async def decide(scene: WireScene, storm: Storm, number: int) -> None:
    chance = storm.chance
    storm.strike()
    if chance.random() < 0.3:
        exits = chance.choice(((450, 350), (450, None), (None, 350)))
        order_id = await scene.place_with_exits(chance.randint(1, 9), chance.randint(370, 430), *exits)
    else:
        order_id = await scene.place(chance.choice(("buy", "sell")), chance.randint(1, 9), limit=str(chance.randint(370, 430)))
    if chance.random() < 0.25:
        await scene.desk.cancel(order_id)
    if number % 3 == 0:
        scene.do(storm.trade)


async def settle(scene: WireScene) -> None:
    """Until nothing is under way and nothing differs: first as it is, then with all orders ended by the broker."""
    state, server = scene.desk.state, scene.server

    def end_all() -> None:
        for order in [one for one in server.book.orders.values() if one["status"] not in FINAL]:
            server.book.end(order["id"], "canceled")

    await rest(scene, lambda: None, lambda: all(is_heard(life) for life in state.unsettled()))
    assert_exits_fit(scene)
    await rest(scene, end_all, lambda: not state.unsettled())
    assert_exits_fit(scene)


def is_heard(life: OrderLife) -> bool:
    return life.order.broker_id is not None and life.changing is None and not life.missing_qty


async def rest(scene: WireScene, meanwhile: Callable[[], None], is_so: Callable[[], bool]) -> None:
    state, found = scene.desk.state, tuple[Difference, ...]()
    try:
        async with asyncio.timeout(60):
            while True:
                scene.do(meanwhile)
                await scene.until_quiet()  # what moves while it is asked is not compared
                try:
                    found = await scene.desk.reconcile()
                except BrokerError:
                    continue  # a fault of before, which waited for its request
                if not found and not state.in_flight and is_so():
                    return
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        left = [
            (life.order.id, life.order.status.value, life.changing, life.missing_qty) for life in state.unsettled() if not is_heard(life)
        ]
        raise AssertionError(f"It does not come to rest: {found}, {state.in_flight}, {left}") from error


def assert_exits_fit(scene: WireScene) -> None:
    """No exits at the broker are over more than their entry bought, with what they sold; of two that hang together the larger counts."""
    state, theirs = scene.desk.state, scene.do(lambda: [dict(one) for one in scene.server.book.orders.values()])
    ours = scene.our_ids(theirs)
    sold, works = Counter[str](), dict[str, Counter[str]]()
    raced = set[str]()
    for one in theirs:
        order = state.lives[ours[one["id"]]].order if one["id"] in ours else None
        if order is None or order.parent_id is None:
            continue
        sold[order.parent_id] += int(one["filled_qty"])
        if one["status"] == "replaced" and int(one["filled_qty"]):
            raced.add(order.parent_id)
        if one["status"] not in FINAL and not state.groups.is_held(order):
            pairs = works.setdefault(order.parent_id, Counter())
            pair, left = min(order.id, order.sibling_id or order.id), int(one["qty"]) - int(one["filled_qty"])
            pairs[pair] = max(pairs[pair], left)
    for entry_id in sold:
        bought, working = state.lives[entry_id].order.filled_qty, works.get(entry_id, Counter()).total()
        # What filled unheard before a change is on top of the new order until that is made smaller, and the market may be faster.
        is_over = sold[entry_id] + working > bought and (working > 0 or entry_id not in raced)
        assert not is_over, f"{entry_id}: bought {bought}, sold {sold[entry_id]}, {working} more would be"


async def soak(folder: Path, server: FakeBroker, seed: int, parts: int, orders: int) -> None:
    """Trade in parts; between them the desk is closed in the middle of everything, and opened again."""
    sys.stdout.write(f"seed {seed}\n")
    storm = Storm(server, seed)
    server.do(lambda: vars(server.book).update(hold=True, forbids_wash_trades=False, cash=Decimal(10**9)))
    stopped: list[str] = []
    did, refused = Counter[str](), Counter[str]()
    for part in range(parts):
        async with wired(folder, server, **OPTIONS) as scene:
            await scene.run()
            scene.count = part * orders * 3  # an entry has two exits at most
            person = await trade(scene, storm, orders)
            stopped += scene.stopped
            did += person.did
            refused += person.refused
        storm.calm()
    async with wired(folder, server, **OPTIONS, settle_ns=0) as scene:
        await scene.run()
        async with by_hand(scene, storm.chance):
            await settle(scene)
        await scene.assert_books_equal()
        stopped += scene.stopped
        statuses = Counter(life.order.status.value for life in scene.desk.state.lives.values())
        lives = scene.desk.state.lives.values()
        entries = sum(life.order.parent_id is None and re.fullmatch(r"run-\d+", life.order.id) is not None for life in lives)
        left_together = len(scene.desk.state.groups.together)
        filled = sum(len(life.fills) for life in scene.desk.state.lives.values())
        told = Counter(event.type for event in await scene.events())
    sys.stdout.write(f"{sum(statuses.values())} orders: {dict(statuses)}; {filled} fills\nby hand: {dict(did)}, refused: {dict(refused)}\n")
    sys.stdout.write(f"faults: {dict(storm.seen)}\nevents: {dict(told)}\n")
    assert stopped == []
    assert entries == parts * orders
    assert left_together > orders // 10
    assert min(did[wish] for wish in WISHES) > 0
    assert sum(refused.values()) < sum(did.values())
    assert told["orders.ChangeSent"] > 0
    assert filled > orders // 4
    assert statuses[OrderStatus.FILLED] > orders // 10


@pytest.mark.parametrize("seed", [1, 2])
async def test_our_books_are_the_brokers_after_any_mix_of_faults(tmp_path: Path, server: FakeBroker, seed: int) -> None:
    await soak(tmp_path, server, seed, parts=2, orders=75)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15, 16])
async def test_and_after_thousands_of_orders(tmp_path: Path, server: FakeBroker, seed: int) -> None:
    await soak(tmp_path, server, seed, parts=6, orders=500)
