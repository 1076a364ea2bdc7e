"""Whatever answers of the store are lost, an account's entries come to what they are in a store that never fails.

Each entry is asked for until it is known, as the desk's own tasks do: who finds something missing commits it. Compared are rows,
events but for their ids, what left, and the books, of this program and of the next one.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DatabaseUnreachable
from core.events.live_payloads import (
    AccountAdopted,
    CoinFee,
    DifferenceAccepted,
    OrderAdopted,
    OrdersLeftTogether,
    OutsideFilled,
    Reconciled,
    SwitchThrown,
)
from core.events.payloads import OrderCreated, OrderSubmitted
from core.model.broker import BrokerOrder, Execution
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, RejectCode, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import Store
from core.store.memory import MemoryStore
from core.trading.absent_orders import AbsentOrders
from core.trading.account_entries import AccountEntries
from core.trading.account_past import AccountPast
from core.trading.books import RunBook
from core.trading.entries import Entry
from core.trading.history import read_switches, remember
from core.trading.order_fold import OrderLife, executed, heard, refused
from core.trading.state import AccountState
from tests.contract.samples import StillClock
from tests.losing import LosingRows, Outcome
from tests.unit.trading.desk import FEATURES, KEY

D, S = Decimal, OrderStatus
COINS = msgspec.structs.replace(FEATURES, coin_fees=True)
STOCK, COIN = "DEMO", "DEMO/USD"


class Account:
    """One account over a store, and what left it."""

    def __init__(self, store: Store, clock: StillClock, outcomes: Sequence[Outcome]) -> None:
        self.rows = LosingRows(store.runs, outcomes)
        self.state = AccountState(KEY, COINS, RiskLimits(), runs=self.rows, clock=clock)
        self.state.books["run"] = RunBook(D(100_000), RiskLimits())
        self.clock = clock
        self.sent: list[str] = []
        self.told: set[str] = set()

    async def do(self, act: "Act", key: str) -> None:
        """Ask for it until it is known."""
        while True:
            try:
                async with self.state.turn:
                    if key in self.told:
                        return
                    entry = self.state.entry()
                    act(self, entry, key)
                    entry.afterwards.append(partial(self.told.add, key))
                    await self.state.apply(entry)
                    return
            except DatabaseUnreachable:
                continue


Act = Callable[[Account, Entry, str], None]


def a_new_order(symbol: str, exits: int, account: Account, entry: Entry, key: str) -> None:
    now_ns, placed = account.clock.now_ns(), []
    for number in range(exits + 1):
        order = Order(
            id=f"run-{key}-{number}",
            run_id="run",
            request=OrderRequest(symbol=symbol, side=OrderSide.SELL if number else OrderSide.BUY, qty=D(4)),
            time_in_force=TimeInForce.GTC,
            status=S.SUBMITTING,
            created_ns=now_ns,
            updated_ns=now_ns,
            account=KEY,
            parent_id=f"run-{key}-0" if number else None,
        )
        entry.lives[order.id] = OrderLife(order=order)
        entry.tell_of(order, OrderCreated(order=order))
        entry.tell_of(order, OrderSubmitted(order_id=order.id, account=KEY))
        placed.append(order)
    if exits:
        entry.afterwards.insert(0, lambda: account.state.left_together(placed))
        entry.tell_of(placed[0], OrdersLeftTogether(order_id=placed[0].id, others=tuple(one.id for one in placed[1:])))
    entry.leaving.append(lambda is_late: account.sent.append(f"{placed[0].id}{' late' if is_late else ''}"))


def newest(account: Account) -> OrderLife | None:
    open_ones = [life for life in account.state.working() if life.order.parent_id is None]
    return open_ones[-1] if open_ones else None


def an_execution(account: Account, entry: Entry, key: str) -> None:
    life = newest(account)
    if life is None:
        return
    done, symbol = life.order.filled_qty + 1, life.order.request.symbol
    execution = Execution(
        id=key, order_id=f"b-{life.order.id}", symbol=symbol, side=OrderSide.BUY, qty=D(1), price=D(100), cum_qty=done, time_ns=int(key)
    )
    entry.take(executed(life, execution, account.state.fill_id(key), account.clock.now_ns()))


def an_answer(status: OrderStatus, account: Account, entry: Entry, key: str) -> None:
    life = newest(account)
    if life is None:
        return
    request = life.order.request
    said = BrokerOrder(
        id=f"b-{life.order.id}",
        client_order_id=life.order.id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        broker_type="market",
        time_in_force=TimeInForce.GTC,
        broker_time_in_force="gtc",
        status=status,
        broker_status=status.value,
        filled_qty=life.order.filled_qty,
        submitted_ns=1,
        updated_ns=int(key),
        qty=request.qty,
    )
    entry.take(heard(life, said, account.clock.now_ns()))


def a_refusal(account: Account, entry: Entry, key: str) -> None:
    life = newest(account)
    if life is not None:
        entry.take(refused(life, RejectCode.NEVER_SENT, "It never came.", account.clock.now_ns()))


def a_coin_fee(account: Account, entry: Entry, key: str) -> None:
    fills = [fill for life in account.state.lives.values() for fill in life.fills if fill.symbol == COIN]
    if fills:
        fee = CoinFee(account=KEY, symbol=COIN, fill_id=fills[-1].id, qty=D("0.01"), price=D(100), order_id=fills[-1].order_id)
        entry.tell(fee, run_id="run")
        entry.afterwards.append(partial(account.state.charge, fee, "run"))


def an_entry(kind: BrokerEntryKind, account: Account, entry: Entry, key: str) -> None:
    terms: dict[str, Any] = {"rate": D(2), "qty": D(3)} if kind is BrokerEntryKind.SPLIT else {"rate": D("0.5"), "cash": D(3)}
    one = BrokerEntry(id=key, kind=kind, time_ns=int(key), symbol=STOCK, **terms)
    AccountEntries(account.state).take(one, None, (), entry)


def an_outside_fill(account: Account, entry: Entry, key: str) -> None:
    told, state = OutsideFilled(account=KEY, execution_id=key, symbol=STOCK, qty=D(3), price=D(99)), account.state
    entry.tell(told)

    def know() -> None:
        state.known_outside.add(key)
        state.outside[STOCK] = state.outside.get(STOCK, D(0)) + 3
        state.coins.note_outside(state.fill_id(told.execution_id), told)

    entry.afterwards.append(know)


def an_acceptance(account: Account, entry: Entry, key: str) -> None:
    told = DifferenceAccepted(account=KEY, what="position", symbol=STOCK, qty=D(2), reason="A person took it so.")
    entry.tell(told)
    entry.afterwards.append(partial(account.state.accept, told))


def a_strange_order(account: Account, entry: Entry, key: str) -> None:
    told = OrderAdopted(
        account=KEY, broker_id=key, client_order_id="theirs", symbol=STOCK, side="buy", status="new", filled_qty=D(0), qty=D(1)
    )
    entry.tell(told)
    entry.afterwards.append(lambda: account.state.adopted.add(key))


def a_meeting(account: Account, entry: Entry, key: str) -> None:
    told = AccountAdopted(account=KEY, positions=((STOCK, D(5)),), counted=(key,))
    entry.tell(told)
    entry.afterwards.append(partial(account.state.meet, told))


def a_mark(account: Account, entry: Entry, key: str) -> None:
    entry.tell(Reconciled(account=KEY, until_ns=int(key)))


def a_throw(account: Account, entry: Entry, key: str) -> None:
    entry.tell(SwitchThrown(level=SwitchLevel.HALT, reason=key), run_id="run")
    entry.afterwards.append(partial(account.state.set_level, "run", SwitchLevel.HALT))


ACTS: dict[str, Act] = {
    "an order": partial(a_new_order, STOCK, 0),
    "an order for a coin": partial(a_new_order, COIN, 0),
    "a bracket": partial(a_new_order, STOCK, 2),
    "an execution": an_execution,
    "accepted": partial(an_answer, S.ACCEPTED),
    "cancelled": partial(an_answer, S.CANCELLED),
    "refused": a_refusal,
    "a fee in coin": a_coin_fee,
    "a split": partial(an_entry, BrokerEntryKind.SPLIT),
    "a dividend": partial(an_entry, BrokerEntryKind.DIVIDEND),
    "interest": partial(an_entry, BrokerEntryKind.INTEREST),
    "an outside fill": an_outside_fill,
    "an acceptance": an_acceptance,
    "a strange order": a_strange_order,
    "a meeting": a_meeting,
    "a mark": a_mark,
    "a throw": a_throw,
}


def known(state: AccountState) -> dict[str, Any]:
    """Return what a state knows of its account."""
    book = state.books["run"]
    return {
        "positions": book.positions(),
        "cash": book.cash,
        "fees": book.fees,
        "outside": {symbol: qty for symbol, qty in state.outside.items() if qty},
        "known": (state.known_outside, state.booked, state.adopted, state.entries, state.last_entry),
        "fees in coin": state.coins.fees,
        "together": state.groups.together,
        "orders": {order_id: life.order for order_id, life in state.lives.items()},
    }


async def come_to(acts: Sequence[str], outcomes: Sequence[Outcome]) -> tuple[dict[str, Any], int]:
    """Do all of it, and return what it came to, and how many answers were lost."""
    clock = StillClock()
    store = MemoryStore(clock)
    config = RunConfig(strategy_id="hand", symbols=(STOCK,), timeframe="1m", mode=RunMode.PAPER, cash=D(100_000), broker="fake")
    async with store.runs.begin() as work:
        work.put_run(Run(id="run", config=config, status=RunStatus.RUNNING, created_ns=1))
    account = Account(store, clock, outcomes)
    for number, name in enumerate(("an order", *acts)):
        await account.do(ACTS[name], str(clock.now_ns() + number))
    events = await store.log.read(limit=100_000)
    at = {event.id: number for number, event in enumerate(events)}
    restarted = AccountState(KEY, COINS, RiskLimits(), runs=store.runs, clock=clock)
    past = AccountPast(KEY, store.runs, clock, coin_fees=True)
    await remember(restarted, past, store.log, AbsentOrders(restarted, past, store.runs))
    found = {
        "events": [(event.payload, event.run_id, at.get(event.causation_id or "")) for event in events],
        "orders": await store.runs.orders("run"),
        "fills": await store.runs.fills("run"),
        "sent": account.sent,
        "now": known(account.state),
        "next": known(restarted),
        "switch": [thrown[:2] for thrown in (await read_switches(store.log))[0]],
        "level": account.state.level("run"),
    }
    return found, account.rows.lost


def test_lost_answers_change_nothing() -> None:
    lost_answers = 0

    @given(
        acts=st.lists(st.sampled_from(list(ACTS)), min_size=1, max_size=14),
        outcomes=st.lists(st.sampled_from(Outcome), max_size=40),
    )
    def is_so(acts: list[str], outcomes: list[Outcome]) -> None:
        nonlocal lost_answers
        whole, _ = asyncio.run(come_to(acts, ()))
        found, lost = asyncio.run(come_to(acts, outcomes))
        lost_answers += lost
        assert found == whole

    is_so()
    assert lost_answers
