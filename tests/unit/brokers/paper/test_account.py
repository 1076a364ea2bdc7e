"""The paper account as a connection: nothing is told before it is kept, nothing is lost or doubled when keeping fails, and its feed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest

from core.brokers.paper.source import PaperSource
from core.clock.calendar import exchange_day
from core.errors import BrokerRefused, BrokerUnreachable, DatabaseUnreachable, KeysRefused, NotInThisVersion, OutcomeUnknown, UnknownName
from core.model.broker import AccountName, BarKind, LiveBar, OrderUpdate, StreamState, Watch
from core.model.corporate_action import Split
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import Bar
from core.model.order import OrderSide, OrderStatus, OrderType
from core.model.paper import AccountBooks, PaperChange
from core.model.run import AccountKind, AccountTerms
from core.ports import Broker
from core.store.memory import MemoryCorporateActionStore
from core.store.memory_paper import MemoryPaperBooks
from tests.broker.bench import buy, listening
from tests.broker.inside_bench import QUOTES, HandClock, HandMarket, hand_source
from tests.strictness.log_guard import AllowLog

D = Decimal
LIMIT = OrderType.LIMIT


class Frail(MemoryPaperBooks):
    """Books that can fail: before a change is kept, after it, or by never answering."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: list[str] = []
        self.saves = 0
        self.is_asked = asyncio.Event()
        self.is_blind = False
        """Whether the next look comes too early to see anything."""

    async def load(self, account_id: str) -> AccountBooks | None:
        is_blind, self.is_blind = self.is_blind, False
        return None if is_blind else await super().load(account_id)

    async def save(self, change: PaperChange) -> None:
        self.saves += 1
        self.is_asked.set()
        fails = self.fails.pop(0) if self.fails else ""
        if fails == "before":
            raise DatabaseUnreachable("The server is gone.")
        await super().save(change)
        if fails == "after":
            raise DatabaseUnreachable("Whether the last change was made is not known.")
        if fails == "never":
            await asyncio.Event().wait()

    def held(self) -> AccountBooks:
        (books,) = self.contents()
        return books


class Desk:
    """A market, the books, and how the account is opened on them."""

    def __init__(self, kind: AccountKind = AccountKind.CASH) -> None:
        self._kind = kind
        self.clock = HandClock()
        self.market = HandMarket(self.clock)
        self.books = Frail()
        self.actions = MemoryCorporateActionStore()
        for symbol, (bid, ask) in QUOTES.items():
            self.market.quote(symbol, bid, ask)

    def source(self) -> PaperSource:
        return hand_source(self.market, self.clock, self.books, account=AccountTerms(kind=self._kind), actions=self.actions)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Broker]:
        async with self.source().open("paper", AccountName.PAPER) as broker:
            yield broker


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return when something is so; it is looked at whenever the loop has turned."""
    async with asyncio.timeout(10):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0)


async def until_filled(broker: Broker, id: str) -> None:
    async def is_filled() -> bool:
        order = await broker.orders.order_by_client_id(id)
        return order is not None and order.status is OrderStatus.FILLED

    await until(is_filled)


async def until_watched(desk: Desk, *symbols: str) -> None:
    async def is_watched() -> bool:
        return bool(desk.market.watched) and desk.market.watched[-1].quotes == symbols

    await until(is_watched)


async def test_the_account_is_opened_once_and_outlives_the_connection() -> None:
    desk = Desk()
    async with desk.open() as broker:
        number = (await broker.account.account()).number
        await broker.desk.submit(buy("a"))
        await broker.desk.submit(buy("b", type=LIMIT, limit_price=D(390)))
    async with desk.open() as broker:
        account = await broker.account.account()
        assert (account.number, account.cash) == (number, D(100_000) - 10 * D("400.01"))
        assert [one.qty for one in await broker.account.positions()] == [10]
        assert [one.client_order_id for one in await broker.orders.open_orders()] == ["b"]
        assert len(await broker.account.executions()) == 1
        desk.market.quote("SPY", "389", "389.5")
        await until_filled(broker, "b")


async def test_an_answer_is_kept_before_it_is_given() -> None:
    desk = Desk()
    async with desk.open() as broker:
        told: list[OrderUpdate] = []
        async with listening(broker.streams.order_updates) as ear:
            taken = await broker.desk.submit(buy("a"))
            told = [await ear.next(), await ear.next()]
        assert taken == desk.books.held().orders[0].order
        assert [update.event for update in told] == ["new", "fill"]


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_where_keeping_fails_the_order_is_looked_up_and_is_there_or_is_not(fails: str) -> None:
    desk = Desk()
    async with desk.open() as broker, listening(broker.streams.order_updates) as ear:
        desk.books.fails = [fails]
        with pytest.raises(OutcomeUnknown) as unknown:
            await broker.desk.submit(buy("a"))
        assert unknown.value.client_order_id == "a"
        found = await broker.orders.order_by_client_id("a")
        assert (found is not None) is (fails == "after")
        lost = await ear.until(StreamState.LOST)  # whoever listens asks for what was missed
        assert "read anew" in lost.said
        await ear.until(StreamState.LISTENING)
        if fails == "before":
            await broker.desk.submit(buy("a"))  # on the quote that stood before
        assert [one.qty for one in await broker.account.executions()] == [10]
        assert len(desk.books.held().executions) == 1


async def test_who_stops_waiting_takes_nothing_back() -> None:
    desk = Desk()
    async with desk.open() as broker:
        desk.books.is_asked.clear()
        desk.books.fails = ["never"]
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(broker.desk.submit(buy("a")))
            await desk.books.is_asked.wait()
            sending.cancel()
        found = await broker.orders.order_by_client_id("a")
        assert found is not None
        assert found.status is OrderStatus.FILLED


async def test_a_fill_that_cannot_be_kept_is_made_again() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a", type=LIMIT, limit_price=D(390)))
        await until_watched(desk, "SPY")
        desk.books.fails = ["before"]
        desk.market.quote("SPY", "389", "389.5")
        with pytest.raises(BrokerUnreachable):
            await broker.orders.open_orders()  # what the quote has done must be kept first
        await until_filled(broker, "a")
        assert [one.price for one in desk.books.held().executions] == [D("389.5")]


async def test_two_on_one_account_do_not_fill_an_order_twice() -> None:
    desk = Desk()
    async with desk.open() as one, desk.open() as other:
        await one.desk.submit(buy("a", type=LIMIT, limit_price=D(390)))
        await other.desk.submit(buy("b", type=LIMIT, limit_price=D(390)))  # on books that the first has changed meanwhile
        desk.market.quote("SPY", "389", "389.5")
        for broker in (one, other):
            await until_filled(broker, "a")
            await until_filled(broker, "b")
        assert sorted(one.order_id[-2:] for one in desk.books.held().executions) == ["o1", "o2"]
        assert (await one.account.account()).cash == (await other.account.account()).cash


async def test_a_refusal_changes_nothing_and_what_came_before_it_is_kept() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a", type=LIMIT, limit_price=D(390)))
        await until_watched(desk, "SPY")
        desk.market.quote("SPY", "389", "389.5")
        with pytest.raises(BrokerRefused):
            await broker.desk.submit(buy("b", qty="100000"))
        assert [one.order_id[-2:] for one in desk.books.held().executions] == ["o1"]


# --- the feed ---------------------------------------------------------------------------------------------


async def test_it_hears_of_what_is_wanted_by_one_stream() -> None:
    desk = Desk()
    async with desk.open() as broker:
        watch = Watch(bars=("SPY",))
        async with listening(lambda on_tick, on_status: broker.streams.market(watch, on_tick, on_status)) as ear:
            bar = LiveBar(bar=Bar("SPY", 0, MINUTE_NS, 1.0, 1.0, 1.0, 1.0, 1.0), kind=BarKind.FINAL)
            desk.market.quote("SPY", "400", "400.02")  # not asked for here
            desk.market.tell(bar)
            assert await ear.next() == bar
            await broker.desk.submit(buy("a", "AAPL"))
            await ear.until(StreamState.LISTENING)  # connected anew, with more
        assert [watch.quotes for watch in desk.market.watched] == [("SPY",), ("SPY", "AAPL")]


async def test_what_it_holds_is_heard_of_from_the_start() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a"))
    desk.market.watched.clear()
    async with desk.open() as broker:

        async def has_price() -> bool:
            return (await broker.account.positions())[0].price is not None

        await until(has_price)
        assert [watch.quotes for watch in desk.market.watched] == [("SPY",)]


async def test_a_lost_feed_fills_nothing_and_the_newest_quote_is_asked_for_when_it_is_back() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a", type=LIMIT, limit_price=D(390)))
        watch = Watch(quotes=("SPY",))
        async with listening(lambda on_tick, on_status: broker.streams.market(watch, on_tick, on_status)) as ear:
            desk.market.cut()
            await ear.until(StreamState.LOST)
            waiting = await broker.desk.submit(buy("b"))
            assert waiting.status is OrderStatus.ACCEPTED
            desk.market.quotes["SPY"] = msgspec.structs.replace(desk.market.quotes["SPY"], bid=D(388), ask=D(389))
            desk.market.mend()
            await until_filled(broker, "a")
            await until_filled(broker, "b")
    assert {one.price for one in desk.books.held().executions} == {D(389)}


async def test_a_feed_that_ends_for_good_is_told_to_who_listens_and_leaves_the_account(allow_log: AllowLog) -> None:
    allow_log("The paper account's feed ended")  # its keys were revoked
    desk = Desk()
    async with desk.open() as broker, asyncio.TaskGroup() as group:

        async def listen() -> None:
            with pytest.raises(KeysRefused):
                await broker.streams.market(Watch(quotes=("SPY",)), lambda _: None, lambda _: None)

        listening_task = group.create_task(listen())
        await until_watched(desk, "SPY")
        desk.market.error = KeysRefused("The broker does not accept the keys.")
        desk.market.cut()
        desk.market.mend()
        await listening_task
        assert (await broker.account.account()).cash == 100_000


async def test_a_feed_that_does_not_answer_takes_no_order_of_a_new_symbol() -> None:
    desk = Desk()
    async with desk.open() as broker:
        desk.market.error = BrokerUnreachable("No answer.")
        with pytest.raises(BrokerUnreachable):
            await broker.desk.submit(buy("a"))
        assert await broker.orders.orders_since(0) == []


async def test_a_feed_without_quotes_brings_bars() -> None:
    desk = Desk()
    async with desk.open() as broker:
        desk.market.quotes.clear()
        desk.market.error = NotInThisVersion("No quotes here.")
        await broker.desk.submit(buy("a"))
        desk.market.error = None
        watch = Watch(bars=("SPY",))
        async with listening(lambda on_tick, on_status: broker.streams.market(watch, on_tick, on_status)):
            start_ns = desk.clock.now_ns() + MINUTE_NS
            desk.clock.now = start_ns + MINUTE_NS
            desk.books.fails = ["before"]
            desk.market.tell(LiveBar(bar=Bar("SPY", start_ns, start_ns + MINUTE_NS, 7.0, 7.0, 7.0, 7.0, 1.0), kind=BarKind.FINAL))
            with pytest.raises(BrokerUnreachable):
                await broker.orders.open_orders()  # what the bar has done could not be kept: it is met again
            await until_filled(broker, "a")
    assert [one.price for one in desk.books.held().executions] == [7]


def test_it_knows_itself_alone() -> None:
    source = hand_source(HandMarket(HandClock()), HandClock(), MemoryPaperBooks())
    assert source.outlives_program("paper")
    with pytest.raises(UnknownName):
        source.info("alpaca")


@pytest.mark.parametrize(("kind", "left"), [(AccountKind.MARGIN, -10), (AccountKind.CASH, 10)])
async def test_a_margin_account_is_turned_around_by_one_order_and_says_so(kind: AccountKind, left: int) -> None:
    desk = Desk(kind)
    assert desk.source().info("paper").features.reverses is (kind is AccountKind.MARGIN)
    async with desk.open() as broker:
        await broker.desk.submit(buy("a"))
        turning = msgspec.structs.replace(buy("b", qty="20"), side=OrderSide.SELL)
        if kind is AccountKind.MARGIN:
            assert (await broker.desk.submit(turning)).status is OrderStatus.FILLED
        else:
            with pytest.raises(BrokerRefused):
                await broker.desk.submit(turning)
        assert [one.qty for one in await broker.account.positions()] == [left]


def test_terms_that_cannot_be_say_nothing_of_what_it_does() -> None:
    source = hand_source(HandMarket(HandClock()), HandClock(), MemoryPaperBooks(), fees="nonsense")
    assert source.info("paper").features.reverses is False


async def test_a_position_is_closed_and_all_orders_are_cancelled() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a"))
        await broker.desk.submit(buy("b", type=LIMIT, limit_price=D(390)))
        closing = await broker.desk.close_position("SPY", "close")
        assert (closing.side, closing.status) == (OrderSide.SELL, OrderStatus.FILLED)
        assert await broker.desk.cancel_all() == []
        assert await broker.orders.open_orders() == []


async def test_a_split_while_the_program_was_off_is_made_good_at_the_next_start() -> None:
    desk = Desk()
    async with desk.open() as broker:
        await broker.desk.submit(buy("a"))
    await desk.actions.put([Split(symbol="SPY", day=exchange_day(desk.clock.now) + 1, ratio=D(2))])
    desk.clock.now += 5 * DAY_NS
    for _ in range(2):
        async with desk.open() as broker:
            assert [one.qty for one in await broker.account.positions()] == [20]
    assert [one.kind.value for one in desk.books.held().entries] == ["deposit", "split"]


async def test_of_two_that_open_the_account_at_once_both_have_the_same_one() -> None:
    desk = Desk()
    async with desk.open() as one:
        desk.books.is_blind = True  # it looks before the other's deposit, and writes after it
        async with desk.open() as other:
            assert (await one.account.account()).number == (await other.account.account()).number
    assert [one.kind.value for one in desk.books.held().entries] == ["deposit"]
