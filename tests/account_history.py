"""Histories of an account, made at random from a seed, and what an account is made of when all of it is read from the start."""

import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from core.events.envelope import Payload, envelope
from core.events.live_payloads import AccountAdopted, OrderChangeSent, OrdersLeftTogether, Reconciled
from core.events.payloads import (
    DividendPaid,
    InterestCharged,
    OrderCreated,
    OrderReplaced,
    OrderReplaceRefused,
    RunCreated,
    SplitApplied,
)
from core.model.instants import DAY_NS, HOUR_NS
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.model.risk import RiskLimits
from core.model.run import BY_HAND, Run, RunConfig, RunMode, RunStatus
from core.ports import Clock, Store
from core.trading.absent_orders import AbsentOrders
from core.trading.account_past import AccountPast
from core.trading.books import RunBook, merged
from core.trading.changes import change_id, number_of
from core.trading.history import read_changes, remember
from core.trading.order_fold import revived
from core.trading.parts import Change
from core.trading.split_orders import split_change
from core.trading.state import AccountState
from tests.unit.trading.desk import FEATURES, KEY

D = Decimal
OTHER: Final = "fake:ANOTHER"
T0: Final = 1_700_000_000_000_000_000
_ENDS: Final = (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED)


class History:
    """Writes what an account does, one act at a time; the same for the same seed. Its clock moves on with each act.

    `first`: greater than the number of anything that another one made.
    """

    def __init__(self, store: Store, seed: int, *, coins: bool = False, first: int = 0) -> None:
        self._store = store
        self._chance = random.Random(seed)
        self._symbols = ("AAA", "BBB", "BTC/USD") if coins else ("AAA", "BBB")
        self.now_ns = T0 + first * DAY_NS
        self._count = first
        self._open: dict[str, Order] = {}
        self._over: dict[str, Order] = {}
        self._runs: dict[str, Run] = {}
        self._acts: list[Callable[[], Awaitable[None]]] = []

    async def begin(self, *, meets: bool = True) -> None:
        """The account is met, and two runs and a person trade there."""
        self._acts += [self._place] * 4 + [self._fill] * 5 + [self._end] * 3
        self._acts += [self._change, self._settle_change, self._group, self._book, self._late_fill, self._run_ends, self._run_begins]
        if meets:
            self._acts.append(self._compared)
            await self._put([AccountAdopted(account=KEY, positions=())], None)
        for run_id, strategy in (("run-a", "hand"), ("run-b", "hand"), ("hand", BY_HAND)):
            await self._add_run(run_id, strategy)

    async def act(self) -> None:
        """Do one thing."""
        self.now_ns += self._chance.choice((1, 1_000_000, HOUR_NS, DAY_NS))
        await self._chance.choice(self._acts)()

    async def _compared(self) -> None:
        await self._put([Reconciled(account=KEY, until_ns=self.now_ns)], None)

    async def _place(self) -> None:
        run_id = self._chance.choice(list(self._runs))
        account = OTHER if self._chance.random() < 0.03 else KEY
        await self._new(run_id, account)

    async def _fill(self) -> None:
        if self._open:
            await self._executed(self._open[self._chance.choice(list(self._open))], self.now_ns)

    async def _late_fill(self) -> None:
        """What is over is executed all the same, now or before what is booked already."""
        over = [order for order in self._over.values() if order.status is not OrderStatus.FILLED]
        if over:
            at_ns = self.now_ns if self._chance.random() < 0.5 else self.now_ns - self._chance.randint(1, DAY_NS)
            await self._executed(self._chance.choice(over), at_ns)

    async def _end(self) -> None:
        if self._open:
            order = self._open[self._chance.choice(list(self._open))]
            await self._put(
                [], order.run_id, [msgspec.structs.replace(order, status=self._chance.choice(_ENDS[1:]), updated_ns=self.now_ns)]
            )

    async def _change(self) -> None:
        if self._open:
            order = self._open[self._chance.choice(list(self._open))]
            sent = OrderChangeSent(order_id=order.id, client_order_id=change_id(order.id, 1), qty=order.request.qty)
            await self._put([sent], order.run_id)

    async def _settle_change(self) -> None:
        orders = self._open | self._over
        if orders:
            order = orders[self._chance.choice(list(orders))]
            named: dict[str, Any] = {"order_id": order.id, "client_order_id": change_id(order.id, self._chance.randint(1, 2))}
            made = self._chance.random() < 0.5
            refused = OrderReplaceRefused(code=RejectCode.NEVER_SENT, reason="No.", **named)
            filled_qty = order.filled_qty if self._chance.random() < 0.3 else None  # a split
            request = msgspec.structs.replace(order.request, qty=order.request.qty * self._chance.choice((1, 2)))
            await self._put(
                [OrderReplaced(request=request, reason="Yes.", filled_qty=filled_qty, **named) if made else refused], order.run_id
            )

    async def _group(self) -> None:
        """An entry leaves with its exits."""
        run_id = self._chance.choice(list(self._runs))
        entry = await self._new(run_id, KEY)
        exits = [await self._new(run_id, KEY, parent_id=entry.id) for _ in range(2)]
        await self._put([OrdersLeftTogether(order_id=entry.id, others=tuple(order.id for order in exits))], run_id)

    async def _book(self) -> None:
        run_id, symbol = self._chance.choice(list(self._runs)), self._chance.choice(self._symbols)
        book: list[Payload] = [
            SplitApplied(symbol=symbol, ratio=D(2), qty_before=D(3), qty=D(self._chance.randint(1, 9)), time_ns=self.now_ns),
            DividendPaid(symbol=symbol, qty=D(3), per_share=D("0.31"), cash=D("0.93")),
            InterestCharged(amount=D("0.17")),
        ]
        await self._put([self._chance.choice(book)], run_id)

    async def _run_ends(self) -> None:
        run = self._runs[self._chance.choice(list(self._runs))]
        if not run.config.is_by_hand:
            status = self._chance.choice((RunStatus.STOPPED, RunStatus.INTERRUPTED, RunStatus.RUNNING))
            run = self._runs[run.id] = msgspec.structs.replace(run, status=status)
            async with self._store.runs.begin() as work:
                work.put_run(run)

    async def _run_begins(self) -> None:
        self._count += 1
        await self._add_run(f"run-{self._count}", "hand")
        gone = self._chance.choice(list(self._runs))
        if self._chance.random() < 0.3 and gone != "hand":
            del self._runs[gone]
            for orders in (self._open, self._over):
                for order_id in [each for each, order in orders.items() if order.run_id == gone]:
                    del orders[order_id]
            async with self._store.runs.begin() as work:
                work.delete_run(gone)

    async def _add_run(self, run_id: str, strategy: str) -> None:
        config = RunConfig(strategy_id=strategy, symbols=("AAA",), timeframe="1m", mode=RunMode.PAPER, cash=D(100_000), broker="fake")
        run = self._runs[run_id] = Run(id=run_id, config=config, status=RunStatus.RUNNING, created_ns=self.now_ns)
        async with self._store.runs.begin() as work:
            work.put_run(run)
        await self._put([RunCreated(config=config)], run_id)

    async def _new(self, run_id: str, account: str, parent_id: str | None = None) -> Order:
        self._count += 1
        side = self._chance.choice(list(OrderSide))
        request = OrderRequest(symbol=self._chance.choice(self._symbols), side=side, qty=D(10), type=OrderType.LIMIT, limit_price=D(100))
        order = Order(
            id=f"{run_id}-{self._count}", run_id=run_id, request=request, time_in_force=TimeInForce.GTC, status=OrderStatus.ACCEPTED,
            created_ns=self.now_ns, updated_ns=self.now_ns, account=account, broker_id=f"b{self._count}", parent_id=parent_id,
        )  # fmt: skip
        await self._put([OrderCreated(order=order)], run_id, [order])
        return order

    async def _executed(self, order: Order, time_ns: int) -> None:
        self._count += 1
        qty = self._chance.choice((order.request.qty - order.filled_qty, D(1)))
        price = D(self._chance.randint(9_000, 11_000)) / 100
        fill_id, fee = f"{order.account}/e{self._count}", D("0.01")
        request = order.request
        fill = Fill(fill_id, order.run_id, order.id, request.symbol, request.side, qty, price, fee, D(0), time_ns)
        filled = order.filled_qty + qty
        status = OrderStatus.FILLED if filled >= order.request.qty else order.status
        after = msgspec.structs.replace(order, filled_qty=filled, avg_fill_price=price, status=status, updated_ns=self.now_ns)
        await self._put([], order.run_id, [after], [fill])

    async def _put(
        self, payloads: list[Payload], run_id: str | None, orders: list[Order] | None = None, fills: list[Fill] | None = None
    ) -> None:
        async with self._store.runs.begin() as work:
            work.put_orders(orders or [])
            work.add_fills(fills or [])
            for payload in payloads:
                self._count += 1
                work.append([envelope(payload, id=f"e{self._count}", ts=self.now_ns, producer="test", run_id=run_id, corr_id=run_id)])
        for order in orders or []:
            self._open.pop(order.id, None)
            self._over.pop(order.id, None)
            (self._over if order.status.is_final else self._open)[order.id] = order


def _state(store: Store, clock: Clock, *, coins: bool) -> AccountState:
    features = msgspec.structs.replace(FEATURES, coin_fees=coins)
    return AccountState(KEY, features, RiskLimits(), runs=store.runs, clock=clock)


async def remembered(store: Store, clock: Clock, *, coins: bool = False) -> tuple[AccountState, AbsentOrders]:
    """What a start knows of the account."""
    state = _state(store, clock, coins=coins)
    past = AccountPast(KEY, store.runs, clock, coin_fees=coins)
    absent = AbsentOrders(state, past, store.runs)
    await remember(state, past, store.log, absent)
    return state, absent


async def from_the_start(store: Store, clock: Clock, *, coins: bool = False) -> AccountState:
    """What an account is made of: every row and every event of every run, read the plain way."""
    state = _state(store, clock, coins=coins)
    for run in await store.runs.runs():
        orders = [order for order in await store.runs.orders(run.id) if order.account == KEY]
        if not orders:
            continue
        if run.config.is_by_hand:
            state.hand_run_id = run.id
        fills = [fill for fill in await store.runs.fills(run.id) if fill.order_id in {order.id for order in orders}]
        events = [event.payload for event in await store.log.read(run_id=run.id, limit=100_000)]
        for order in orders:
            changes, at = _changes([one for one in events if getattr(one, "order_id", "") == order.id])
            life = revived(order, tuple(fill for fill in fills if fill.order_id == order.id), changes, at)
            state.recall(life)
            is_over = run.status in {RunStatus.STOPPED, RunStatus.COMPLETED, RunStatus.ERROR}
            if is_over and not order.status.is_final and order.id.removeprefix(f"{run.id}-").isdecimal():
                state.left_over.append(order.id)
        state.booked.update(fill.id for fill in fills)
        book = state.books[run.id] = RunBook(run.config.cash, run.config.limits)
        for time_ns, one in merged(fills, await read_changes(store.log, run.id)):
            book.take(one, time_ns)
        state.recall_together((one.order_id, *one.others) for one in events if isinstance(one, OrdersLeftTogether))
    return state


def _changes(events: list[Payload]) -> tuple[tuple[Change, ...], int]:
    """Return an order's changes and which was made last; what was settled before any was sent is of no change of ours."""
    changes: list[Change] = []
    at, over = 0, D(0)
    for event in events:
        if isinstance(event, OrderChangeSent):
            changes.append(Change(qty=event.qty))
        elif isinstance(event, OrderReplaced | OrderReplaceRefused) and changes:
            number, is_made = number_of(event.client_order_id or ""), isinstance(event, OrderReplaced)
            if isinstance(event, OrderReplaced):
                at = max(at, number)
                if event.filled_qty is not None and over:
                    changes = [split_change(one, event.request.qty / over, over, event.request.qty) for one in changes]
                over = event.request.qty
            if 0 < number <= len(changes):
                changes[number - 1] = msgspec.structs.replace(changes[number - 1], is_refused=not is_made)
    return tuple(changes), at


def books(state: AccountState) -> dict[str, Any]:
    """What the runs' books say."""
    return {
        run_id: (
            book.cash,
            book.fees,
            {symbol: (one.qty, one.cost, one.realised) for symbol, one in book.holdings.items()},
            book.splits,
        )
        for run_id, book in state.books.items()
    }


def works(state: AccountState) -> dict[str, Any]:
    """What is still to be heard of, and what waits for it."""
    return {
        "working": {life.order.id: life for life in state.working()},
        "unsettled": {life.order.id: life for life in state.unsettled()},
        "left over": sorted(state.left_over),
        "by hand": state.hand_run_id,
        "held": state.positions(),
        "to close": state.to_close(),
    }


def orders(state: AccountState) -> dict[str, Any]:
    """Every order there is, and how they hang together."""
    return {
        "lives": state.lives,
        "booked": state.booked,
        "together": state.groups.together,
        "leads": state.groups.leads,
        "pairs": state.groups.pairs,
    }


async def assert_equal(store: Store, clock: Clock, *, coins: bool = False) -> None:
    """What a start knows, and what it knows once all orders were spoken of, is what all of it comes to."""
    plain = await from_the_start(store, clock, coins=coins)
    state, absent = await remembered(store, clock, coins=coins)
    assert books(state) == books(plain)
    assert works(state) == works(plain)
    for run_id in plain.books:
        await absent.bring_back(run_id)
    assert orders(state) == orders(plain)
    assert books(state) == books(plain)
