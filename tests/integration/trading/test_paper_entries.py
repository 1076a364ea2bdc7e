"""What moves the paper account without an execution, in the books of the runs on it: each has its part, together they are the account.

On a file and on a server; the program is started again before, in the middle of and after what happens.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.brokers.paper.source import PaperSource
from core.clock.calendar import exchange_day
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, RunCreated, SplitApplied
from core.model.broker import AccountName
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.findings import Findings
from core.model.instants import DAY_NS, parse_instant
from core.model.order import Fill, Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.model.run import AccountKind, AccountTerms, Run, RunConfig, RunMode, RunStatus
from core.ports import Broker
from core.runs.conservation import check_run
from core.runs.exits import exits_of
from core.runs.families import Families
from core.runs.run_event import run_event
from core.store.database import DatabaseStore
from core.trading.books import RunBook
from core.trading.seat import Seat
from core.trading.service import AccountDesk, Intent
from core.trading.state import AccountState
from tests.broker.inside_bench import HandClock, HandMarket, hand_source
from tests.unit.trading.desk import bug

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
CASH = D(50_000)
DAY = exchange_day(parse_instant("2023-11-14T15:00:00Z"))


class Scene:
    """A market, a database, and a program that can be started on them again and again."""

    def __init__(self, url: Path | str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.clock = HandClock()
        self.market = HandMarket(self.clock)
        self.market.quote("SPY", "100", "100")
        self.stopped: list[str] = []
        self.terms = AccountTerms()
        self.count = 0
        self.families: dict[str, Families] = {}
        self._program = AsyncExitStack()

    async def start(self, *runs: str) -> None:
        """Start the program, and let these runs trade."""
        self.store = DatabaseStore(self.url, self.clock, locks=self.folder)
        await self.store.open()
        self._program.push_async_callback(self.store.close)
        self.source: PaperSource = hand_source(self.market, self.clock, self.store.paper, account=self.terms, actions=self.store.actions)
        self.broker: Broker = await self._program.enter_async_context(self.source.open("paper", AccountName.PAPER))
        number = (await self.broker.account.account()).number
        features = self.source.info("paper").features
        state = AccountState(f"paper:{number}", features, RiskLimits(), runs=self.store.runs, clock=self.clock)
        self.desk = AccountDesk(
            state, self.broker, runs=self.store.runs, log=self.store.log, is_open=lambda _symbol, _now: True, is_armed=True, on_bug=bug,
            missing_s=0.01, soon_s=0.01,
        )  # fmt: skip
        await self._program.enter_async_context(self.desk.open())
        for run_id in runs:
            await self._sit(run_id)

    async def end(self) -> None:
        """End the program."""
        await self._program.aclose()
        self._program = AsyncExitStack()

    async def again(self, *runs: str) -> None:
        await self.end()
        await self.start(*runs)

    async def _sit(self, run_id: str) -> None:
        if await self.store.runs.run(run_id) is None:
            config = RunConfig(strategy_id="hand", symbols=("SPY",), timeframe="1m", mode=RunMode.PAPER, cash=CASH, broker="paper")
            async with self.store.runs.begin() as work:
                work.put_run(Run(id=run_id, config=config, status=RunStatus.PENDING, created_ns=1))
                work.append([run_event(run_id, RunCreated(config=config), 1, 0)])
        self.families[run_id] = Families()
        book = self.desk.state.books.get(run_id) or RunBook(CASH, RiskLimits())
        self.desk.sit(run_id, book, Seat(lambda: None, lambda error: self.stopped.append(error.args[0]), waiting=self.families[run_id]))

    def order(self, run_id: str, side: OrderSide, qty: str, **terms: Any) -> Order:
        self.count += 1
        if "limit_price" in terms:
            terms["type"] = OrderType.LIMIT
        request = OrderRequest(symbol="SPY", side=side, qty=D(qty), **terms)
        now = self.clock.now_ns()
        return Order(
            id=f"{run_id}-{self.count}", run_id=run_id, request=request, time_in_force=TimeInForce.GTC,
            status=OrderStatus.CREATED, created_ns=now, updated_ns=now,
        )  # fmt: skip

    async def send(self, run_id: str, side: OrderSide, qty: str, **terms: Any) -> str:
        """Send an order and return its id once the broker has answered for it."""
        order = self.order(run_id, side, qty, **terms)
        await self.desk.place([Intent(order=order)])
        wanted = OrderStatus.ACCEPTED if "limit_price" in terms else OrderStatus.FILLED
        await self.until(lambda: self.life(order.id).status is wanted)
        return order.id

    def life(self, order_id: str) -> Order:
        return self.desk.state.lives[order_id].order

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            await self.desk.state.until(is_so)

    async def happens(self, *actions: CorporateAction, at: str = "2023-11-15T06:00:00Z") -> None:
        """Let it be the morning of a day on which companies do something, while the program runs."""
        await self.store.actions.put(actions)
        self.clock.now = max(self.clock.now, parse_instant(at))
        keeper: Any = self.broker.desk._keeper  # type: ignore[attr-defined]  # its clock does not wake it: nobody waits in this test
        await keeper.do(lambda exchange: exchange.pass_time())
        await keeper._look_at_actions()

    async def executed(self, broker: Broker, count: int) -> None:
        """Return when the account has so many executions."""
        told = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            ear = group.create_task(broker.streams.order_updates(lambda _: told.set(), lambda _: None))
            while len(await broker.account.executions()) < count:
                await told.wait()
                told.clear()
            ear.cancel()

    async def told(self, kind: type, run_id: str) -> list[Any]:
        return [event.payload for event in await self.store.log.read(run_id=run_id, limit=1_000) if isinstance(event.payload, kind)]

    def held(self, run_id: str) -> Decimal:
        return self.desk.state.books[run_id].held("SPY")

    def cash(self, run_id: str) -> Decimal:
        return self.desk.state.books[run_id].cash

    async def assert_together_they_are_the_account(self) -> None:
        """The parts of the runs, and what is nobody's, are what the broker says; nothing is stopped; what is stored agrees with itself."""
        found = await self.desk.reconcile()
        assert found == ()
        theirs = {one.symbol: one.qty for one in await self.broker.account.positions()}
        ours = self.desk.state.positions()
        for symbol, qty in self.desk.state.outside.items():
            ours[symbol] = ours.get(symbol, D(0)) + qty
        assert {symbol: qty for symbol, qty in ours.items() if qty} == theirs
        assert self.stopped == []
        findings = Findings()
        for run in await self.store.runs.runs():
            await check_run(run, self.store, findings)
        assert findings.report().findings == ()


@pytest.fixture(params=["sqlite", "postgres"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    url: Path | str = tmp_path / "desk.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    kept = Scene(url, tmp_path)
    try:
        yield kept
    finally:
        await kept.end()


def split(ratio: str, day: int = DAY + 1) -> Split:
    return Split(symbol="SPY", day=day, ratio=D(ratio))


MARGIN = AccountTerms(kind=AccountKind.MARGIN)


async def test_exits_that_left_with_their_entry_go_through_a_split_at_the_account(scene: Scene) -> None:
    await scene.start("one")
    exits = (OrderLeg(type=OrderType.LIMIT, limit_price=D(110)), OrderLeg(type=OrderType.STOP, stop_price=D(90)))
    entry = scene.order("one", BUY, "10", type=OrderType.LIMIT, limit_price=D(95), target=exits[0], stop_loss=exits[1])
    legs = [msgspec.structs.replace(leg, status=OrderStatus.CREATED) for leg in exits_of(entry, entry.created_ns)]
    await scene.desk.place([Intent(order=entry, exits=tuple(Intent(order=leg) for leg in legs))])
    await scene.until(lambda: all(scene.life(one.id).status is OrderStatus.ACCEPTED for one in (entry, *legs)))
    await scene.happens(split("2"))
    await scene.until(lambda: scene.life(entry.id).request.qty == 20)
    stop, target = (scene.life(leg.id).request for leg in legs)
    assert (target.qty, target.limit_price, stop.qty, stop.stop_price) == (D(20), D(55), D(20), D(45))
    await scene.again("one")
    scene.clock.now = parse_instant("2023-11-15T15:00:00Z")
    scene.market.quote("SPY", "47.4", "47.5", size="100")
    await scene.until(lambda: scene.held("one") == 20)
    scene.market.quote("SPY", "55", "55.02", size="100")
    await scene.until(lambda: scene.life(legs[1].id).status is OrderStatus.FILLED)
    await scene.until(lambda: scene.life(legs[0].id).status is OrderStatus.CANCELLED)
    assert scene.held("one") == 0
    await scene.assert_together_they_are_the_account()


@pytest.mark.parametrize("is_woken", [True, False])
async def test_what_fills_right_after_a_split_is_heard_in_its_place(scene: Scene, *, is_woken: bool) -> None:
    await scene.start("one")
    keeper: Any = scene.broker.desk._keeper  # type: ignore[attr-defined]  # whose word that there is something new comes late
    listeners = [] if is_woken else [keeper.entry_listeners.pop()]
    order_id = await scene.send("one", BUY, "10", limit_price=D(95))
    scene.market.quote("SPY", "94", "95", size="4")
    await scene.until(lambda: scene.life(order_id).filled_qty == 4)
    await scene.happens(split("2"), at="2023-11-15T15:00:00Z")
    scene.market.quote("SPY", "47", "47.5", size="100")  # before anybody has heard of the split
    keeper.entry_listeners.extend(listeners)
    await scene.until(lambda: scene.held("one") == 20)
    order = scene.life(order_id)
    assert (order.status, order.filled_qty, order.request.qty) == (OrderStatus.FILLED, D(20), D(20))
    await scene.assert_together_they_are_the_account()
    await scene.again("one")
    assert scene.held("one") == 20
    await scene.assert_together_they_are_the_account()


@pytest.mark.parametrize("restarts", ["never", "before", "after", "off"])
async def test_a_split_is_each_runs_own(scene: Scene, restarts: str) -> None:
    await scene.start("one", "two")
    await scene.send("one", BUY, "10")
    await scene.send("two", BUY, "5")
    works = await scene.send("one", BUY, "8", limit_price=D("90.01"))
    entry = scene.order("two", BUY, "4", type=OrderType.LIMIT, limit_price=D(80))
    exit_ = scene.order("two", SELL, "4", type=OrderType.LIMIT, limit_price=D("120.03"))
    scene.families["two"].wait(entry.id, [Intent(order=exit_)])
    before = {run_id: scene.cash(run_id) for run_id in ("one", "two")}
    scene.desk.state.note_price("SPY", D(100), scene.clock.now)
    if restarts == "before":
        await scene.again("one", "two")
    if restarts == "off":
        await scene.store.actions.put([split("4")])
        scene.clock.now += DAY_NS
        await scene.again("one", "two")
    else:
        await scene.happens(split("4"))
        await scene.until(lambda: scene.held("one") == 40)
    if restarts == "after":
        await scene.again("one", "two")
    assert (scene.held("one"), scene.held("two")) == (D(40), D(20))
    assert {run_id: scene.cash(run_id) for run_id in ("one", "two")} == before
    assert scene.desk.state.books["one"].position("SPY").avg_price == 25
    order = scene.life(works)
    assert (order.request.qty, order.request.limit_price, order.status) == (D(32), D("22.5"), OrderStatus.ACCEPTED)
    if restarts == "never":
        assert scene.desk.state.prices["SPY"] == 25  # no profit and no loss by the old price
        (waiting,) = scene.families["two"].waiting_orders()
        assert (waiting.request.qty, waiting.request.limit_price) == (D(16), D("30.01"))
    (told,) = await scene.told(SplitApplied, "one")
    assert (told.ratio, told.qty_before, told.qty, told.cash) == (D(4), D(10), D(40), D(0))
    assert len(await scene.told(SplitApplied, "two")) == 1
    await scene.assert_together_they_are_the_account()
    scene.clock.now = max(scene.clock.now, parse_instant("2023-11-15T15:00:00Z"))
    scene.market.quote("SPY", "22.4", "22.5", size="100")
    await scene.until(lambda: scene.life(works).status is OrderStatus.FILLED)
    assert scene.held("one") == 72
    await scene.again("one", "two")
    assert (scene.held("one"), scene.held("two")) == (D(72), D(20))
    await scene.assert_together_they_are_the_account()


async def test_of_a_split_that_leaves_fractions_each_is_paid_for_its_own(scene: Scene) -> None:
    await scene.start("one", "two")
    await scene.send("one", BUY, "20")
    await scene.send("two", BUY, "20")
    before = (await scene.broker.account.account()).cash
    cash = scene.cash("one") + scene.cash("two")
    await scene.happens(split("0.3333333333333333333333333333"))
    await scene.until(lambda: scene.held("one") != 20)
    unit = D("0.000000001")
    for _ in range(2):
        assert scene.held("one") == scene.held("two") == D("6.666666666")
        # Two thirds of the last unit of each make a whole one together, which the account kept: it is nobody's.
        assert scene.desk.state.outside["SPY"] == unit
        await scene.assert_together_they_are_the_account()
        paid = scene.cash("one") + scene.cash("two") - cash
        assert (await scene.broker.account.account()).cash - before == paid - 300 * unit > 0
        await scene.again("one", "two")


async def test_runs_that_hold_against_each_other_have_each_its_own(scene: Scene) -> None:
    scene.terms = MARGIN
    await scene.start("one", "two")
    await scene.send("one", BUY, "10")
    await scene.send("two", SELL, "10")
    before = scene.cash("one"), scene.cash("two")
    await scene.happens(split("2"), Dividend(symbol="SPY", day=DAY + 1, amount=D("0.5")))
    await scene.until(lambda: scene.cash("two") != before[1])
    assert (scene.held("one"), scene.held("two")) == (D(20), D(-20))
    assert (scene.cash("one") - before[0], scene.cash("two") - before[1]) == (D(10), D(-10))
    await scene.again("one", "two")
    assert (scene.cash("one") - before[0], scene.cash("two") - before[1]) == (D(10), D(-10))
    await scene.assert_together_they_are_the_account()


async def test_what_was_there_before_and_is_nobodys_splits_too(scene: Scene) -> None:
    await scene.start("one")
    request = scene.order("x", BUY, "3").request
    await scene.send("one", BUY, "10")
    await scene.broker.desk.close_position("SPY", "somebody", D(4))
    await scene.until(lambda: scene.desk.state.outside.get("SPY") == -4)
    assert request.qty == 3
    await scene.happens(split("3"))
    await scene.until(lambda: scene.held("one") == 30)
    assert scene.desk.state.outside["SPY"] == -12
    await scene.again("one")
    assert (scene.held("one"), scene.desk.state.outside["SPY"]) == (D(30), D(-12))
    await scene.assert_together_they_are_the_account()


async def test_a_dividend_is_paid_to_who_holds_and_only_once(scene: Scene) -> None:
    await scene.start("one", "two", "three")
    await scene.send("one", BUY, "10")
    await scene.send("two", BUY, "3")
    account = (await scene.broker.account.account()).cash
    before = {run_id: scene.cash(run_id) for run_id in ("one", "two", "three")}
    await scene.happens(Dividend(symbol="SPY", day=DAY + 1, amount=D("0.77")))
    await scene.until(lambda: scene.cash("two") != before["two"])
    for _ in range(2):
        paid = {run_id: scene.cash(run_id) - cash for run_id, cash in before.items()}
        assert paid == {"one": D("7.70"), "two": D("2.31"), "three": D(0)}
        assert (await scene.broker.account.account()).cash - account == sum(paid.values())
        (told,) = await scene.told(DividendPaid, "two")
        assert (told.per_share, told.qty, told.cash) == (D("0.77"), D(3), D("2.31"))
        await scene.again("one", "two", "three")
        before["three"] = scene.cash("three")
    await scene.assert_together_they_are_the_account()


async def test_what_was_sold_before_a_split_that_nobody_was_told_of_counts_as_it_was(scene: Scene) -> None:
    await scene.start("one")
    await scene.send("one", BUY, "10")
    sells = await scene.send("one", SELL, "4", limit_price=D(110))
    desk = scene.desk
    await scene.end()
    assert desk.state.books["one"].held("SPY") == 10
    # Another program had the account meanwhile: the order filled, then came the split.
    store = DatabaseStore(scene.url, scene.clock, locks=scene.folder)
    await store.open()
    await store.actions.put([split("2")])
    async with hand_source(scene.market, scene.clock, store.paper, actions=store.actions).open("paper", AccountName.PAPER) as broker:
        scene.market.quotes["SPY"] = msgspec.structs.replace(scene.market.quotes["SPY"], bid=D(110), ask=D("110.02"))
        await scene.executed(broker, 2)
    scene.clock.now = parse_instant("2023-11-15T06:00:00Z")
    async with hand_source(scene.market, scene.clock, store.paper, actions=store.actions).open("paper", AccountName.PAPER) as broker:
        assert [one.qty for one in await broker.account.positions()] == [12]
    await store.close()
    await scene.start("one")
    assert (scene.held("one"), scene.life(sells).filled_qty) == (D(12), D(4))
    await scene.assert_together_they_are_the_account()


async def test_of_a_half_filled_order_the_rest_fills_in_the_new_units(scene: Scene) -> None:
    await scene.start("one")
    order_id = await scene.send("one", BUY, "10", limit_price=D(95))
    scene.market.quote("SPY", "94", "95", size="4")
    await scene.until(lambda: scene.life(order_id).filled_qty == 4)
    await scene.happens(split("2"))
    await scene.until(lambda: scene.held("one") == 8)
    order = scene.life(order_id)
    assert (order.request.qty, order.filled_qty, order.avg_fill_price) == (D(20), D(8), D("47.5"))
    await scene.again("one")
    scene.clock.now = parse_instant("2023-11-15T15:00:00Z")
    scene.market.quote("SPY", "47", "47.5", size="100")
    await scene.until(lambda: scene.life(order_id).status is OrderStatus.FILLED)
    assert (scene.held("one"), scene.life(order_id).filled_qty) == (D(20), D(20))
    await scene.assert_together_they_are_the_account()


async def test_what_borrowed_units_cost_is_charged_to_who_borrowed_them(scene: Scene) -> None:
    scene.terms = AccountTerms(kind=AccountKind.MARGIN, borrow_rate=D("0.36"), credit_rate=D("0.036"))
    await scene.start("one", "two", "three")
    await scene.send("one", SELL, "10")
    await scene.send("two", SELL, "5")
    await scene.send("three", BUY, "1")
    before = {run_id: scene.cash(run_id) for run_id in ("one", "two", "three")}
    await scene.happens(at="2023-11-15T00:30:00Z")
    await scene.until(lambda: scene.cash("two") != before["two"])
    charged = {run_id: cash - scene.cash(run_id) for run_id, cash in before.items()}
    assert charged == {"one": D("0.94"), "two": D("0.46"), "three": D(0)}  # of 14 that the account is short
    (told,) = await scene.told(InterestCharged, "one")
    assert (told.symbol, told.amount) == ("SPY", D("0.94"))
    await scene.again("one", "two", "three")
    assert [before[run_id] - scene.cash(run_id) for run_id in ("one", "two")] == [D("0.94"), D("0.46")]


async def test_a_margin_call_is_told_to_each_run_and_what_it_closes_is_theirs(scene: Scene) -> None:
    scene.terms = MARGIN
    scene.market.quote("SPY", "400", "400", size="1000")
    await scene.start("one", "two", "idle")
    await scene.send("one", BUY, "300")
    await scene.send("two", BUY, "75")
    works = await scene.send("two", BUY, "1", limit_price=D(10))
    scene.market.quote("SPY", "170", "170", size="200")
    await scene.until(lambda: scene.held("one") == 140)
    assert scene.held("two") == 35
    await scene.until(lambda: scene.life(works).status is OrderStatus.CANCELLED)
    scene.market.quotes["SPY"] = msgspec.structs.replace(scene.market.quotes["SPY"], bid=D(169), ask=D(169))
    await scene.again("one", "two", "idle")  # and the newest quote is asked for
    await scene.until(lambda: not scene.held("one") and not scene.held("two"))
    await scene.assert_together_they_are_the_account()
    for run_id in ("one", "two"):
        (told,) = await scene.told(MarginCall, run_id)
        assert told.exposure == 375 * 170
        closing: list[Fill] = [fill for fill in await scene.store.runs.fills(run_id) if fill.reason == "margin_call"]
        assert [fill.price for fill in closing] == [170, 169]
    assert await scene.told(MarginCall, "idle") == []
    assert sum(scene.cash(run_id) for run_id in ("one", "two")) == 2 * CASH + (await scene.broker.account.account()).cash - 100_000
