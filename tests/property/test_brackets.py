"""An entry that left with its exits: whatever happens, and however one hears of it, no exit is there twice or over more than is held."""

import json
from decimal import Decimal
from typing import Any, cast

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from core.brokers.alpaca.orders import body_of, read_activity, read_order, read_update
from core.brokers.loader import AdapterLoader
from core.clock.realtime import SystemClock
from core.model.broker import BrokerOrder, BrokerOrderRequest, Execution
from core.model.order import Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.runs.exits import exits_of
from core.runs.families import Families
from core.trading.brackets import bracket_request, fits_as_one, legs_as_ours
from core.trading.order_fold import OrderLife, executed, heard, revived
from core.trading.pairs import pair_request, pairs_of
from core.trading.sending import broker_request
from core.trading.service import Intent
from core.trading.state import AccountState
from tests.broker.book import FINAL, Book, Document
from tests.examples import examples

D, S = Decimal, OrderStatus
ENTRY = "run-1"
FEATURES = AdapterLoader(()).find_all()["alpaca"].features


class World:
    """A broker, what we know of it, and the exits that wait. Nothing is told by itself."""

    def __init__(self, exits: tuple[bool, bool]) -> None:
        self.book = Book(hold=True, forbids_wash_trades=False)
        self.book.tell = lambda document: self.news.append(msgspec.json.decode(json.dumps(document)))
        self.news: list[Document] = []
        self.fills: dict[str, list[Any]] = {}
        request = OrderRequest(
            symbol="SPY",
            side=OrderSide.BUY,
            qty=D(10),
            type=OrderType.LIMIT,
            limit_price=D(390),
            target=OrderLeg(type=OrderType.LIMIT, limit_price=D(420)) if exits[0] else None,
            stop_loss=OrderLeg(type=OrderType.STOP, stop_price=D(380)) if exits[1] else None,
        )
        entry = Order(
            id=ENTRY, run_id="run", request=request, time_in_force=TimeInForce.DAY, status=S.SUBMITTING, created_ns=1, updated_ns=1
        )
        self.rows = [entry, *exits_of(entry, 1)]
        assert fits_as_one(entry, self.rows[1:], (D(0), D(0)), FEATURES)
        self._begin([msgspec.structs.replace(row, status=S.SUBMITTING) for row in self.rows])
        self.families.wait(ENTRY, [Intent(order=row) for row in self.rows[1:]])
        self.sent = self.submit(bracket_request(entry, self.rows[1:]))

    def _begin(self, rows: list[Order]) -> None:
        self.state = AccountState("alpaca:1", FEATURES, RiskLimits(), runs=cast(Any, None), clock=SystemClock())
        for row in rows:
            self.state.recall(revived(row, tuple(self.fills.get(row.id, ()))))
        self.state.left_together([self.state.lives[row.id].order for row in self.rows])
        self.families = Families()
        self.families.know(self.state.lives, self.state.taken_back)

    def submit(self, request: BrokerOrderRequest) -> Document:
        document = self.book.place(json.loads(body_of(request)))
        self.book.settle(document)
        return document

    # --- what may happen ---

    def fill(self, kind: str, side: str, qty: int) -> None:
        """The market takes a part of what works; of a stop also while it is held, once its entry is filled."""
        for one in self.book.orders.values():
            is_there = one["status"] in {"new", "partially_filled"} or (kind == "stop" and one["status"] == "held" and self.is_live(one))
            if (one["type"], one["side"]) == (kind, side) and is_there:
                left = D(one["qty"]) - D(one["filled_qty"])
                self.book.fill(one["id"], min(left, D(qty)), "400")
                return

    def is_live(self, leg: Document) -> bool:
        lead = self.book._group_of(leg)[0]
        return bool(lead["order_class"] == "oco" or lead["status"] == "filled")

    def end(self, status: str) -> None:
        if self.sent["status"] not in FINAL:
            self.book.end(self.sent["id"], status)

    def lose_exits(self) -> None:
        """The broker ends the exits alone, while their entry works."""
        if self.sent["status"] not in FINAL:
            for leg in self.sent["legs"]:
                leg["status"] = "canceled"
                self.book._say("canceled", leg)

    def end_exits(self) -> None:
        """Somebody takes an exit that works back at the broker, which ends the other, too."""
        for one in self.exits():
            if one["status"] != "held":
                self.book.end(one["id"], "canceled")
                return

    def hear(self, at: int, *, keep: bool = False) -> None:
        """A piece of news comes, in whatever order, or twice; of what nobody knows yet it says nothing."""
        if self.news:
            at %= len(self.news)
            update = read_update(self.news[at] if keep else self.news.pop(at))
            self.take(update.order, update.execution)

    def ask(self) -> None:
        """The broker is asked for everything."""
        state = self.state
        listed = [read_order(one) for one in self.book.orders.values()]
        for order in listed:
            others = [state.lives[each].order for each in state.groups.together.get(order.client_order_id, ())]
            for said in (order, *legs_as_ours(order, others)):
                self.take(said, None)
        for one in self.book.executions:
            execution = read_activity({**one, "id": f"t::{one['id']}"})
            known = state.find("", execution.order_id)
            if known is not None:
                self.take_fill(known.order.id, execution)

    def take(self, said: BrokerOrder, execution: Execution | None) -> None:
        known = self.state.find(said.client_order_id, said.id)
        if known is None:
            return
        self.state.recall(heard(known, said, 2).life)
        if execution is not None:
            self.take_fill(known.order.id, execution)

    def take_fill(self, order_id: str, execution: Execution) -> None:
        step = executed(self.state.lives[order_id], execution, f"alpaca:1/{execution.id}", 2)
        self.state.recall(step.life)
        if step.fill is not None:
            self.fills.setdefault(order_id, []).append(step.fill)

    def mind(self) -> None:
        """What is due leaves, as from a desk."""
        leaving, cancels = self.families.due(self.state.lives, lambda _: None, 3, minded=self.state.groups.pairs)
        assert cancels == []
        if not leaving:
            return
        orders = [msgspec.structs.replace(one.order, status=S.SUBMITTING) for one in leaving]
        for order in orders:
            assert order.id not in self.state.lives
            self.state.recall(OrderLife(order=order))
        pairs = pairs_of(orders, FEATURES)
        if pairs:
            ((target, stop),) = pairs
            self.state.left_together([target, stop])
            self.submit(pair_request(target, stop))
        else:
            (one,) = orders
            self.submit(broker_request(one))

    def restart(self) -> None:
        """The program ends and starts anew: it has its rows and its fills."""
        rows = [life.order for life in self.state.lives.values()]
        pairs = [order for order in rows if order.id.endswith(".again")]
        self._begin(rows)
        self.news.clear()  # what was told to nobody
        if len(pairs) == 2:
            self.state.left_together(sorted(pairs, key=lambda order: order.request.type is not OrderType.LIMIT))
        self.families.restore([life.order for life in self.state.lives.values()], {}, 4, self.state.groups.leads)
        self.ask()

    # --- what must be so ---

    def held(self) -> Decimal:
        return sum((one.qty for one in self.book.holdings.values()), D(0))

    def exits(self) -> list[Document]:
        return [one for one in self.book.orders.values() if one["side"] == "sell" and one["status"] not in FINAL]

    def check(self) -> None:
        held = self.held()
        assert held >= 0
        for kind in ("limit", "stop"):
            own = [one for one in self.exits() if one["type"] == kind]
            assert len(own) <= 1
            for one in own:
                # One that is held for its entry is over what that will have filled.
                is_over = D(one["qty"]) - D(one["filled_qty"])
                assert is_over <= held or (one["status"] == "held" and not self.is_live(one))


STEPS = st.one_of(
    st.tuples(st.sampled_from(["entry", "target", "stop"]), st.integers(1, 10)),
    st.tuples(st.sampled_from(["hear", "hear", "hear", "twice", "lose"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["ask", "mind", "mind", "cancel", "expire", "lose exits", "end exits", "restart"]), st.just(0)),
)
EXITS = st.sampled_from([(True, True), (True, False), (False, True)])


def carry_out(world: World, what: str, number: int) -> None:
    kinds = {"entry": ("limit", "buy"), "target": ("limit", "sell"), "stop": ("stop", "sell")}
    if what in kinds:
        world.fill(*kinds[what], number)
    elif what in {"hear", "twice"}:
        world.hear(number, keep=what == "twice")
    elif what == "lose":
        world.news[number : number + 1] = []
    elif what in {"cancel", "expire"}:
        world.end("canceled" if what == "cancel" else "expired")
    else:
        {"ask": world.ask, "mind": world.mind, "lose exits": world.lose_exits, "end exits": world.end_exits, "restart": world.restart}[
            what
        ]()


# The entry is filled and its target in part, and both exits are taken back; of all that the entry's own fill is heard of last.
LATE = [("ask", 0), ("entry", 10), ("target", 4), ("end exits", 0), ("hear", 5), ("hear", 4), ("hear", 3), ("mind", 0)]


@examples(200)
@example((True, True), LATE)
@given(EXITS, st.lists(STEPS, max_size=25))
def test_no_exit_is_there_twice_and_what_is_held_is_protected(exits: tuple[bool, bool], steps: list[tuple[str, int]]) -> None:
    world = World(exits)
    for what, number in steps:
        carry_out(world, what, number)
        world.check()
    # Once all is heard of an entry that is over, what it bought is protected, unless exits that worked were filled or taken back.
    for _ in range(3):
        world.ask()
        world.mind()
        world.check()
    if world.sent["status"] in FINAL and world.held():
        kinds = {one["type"] for one in world.exits()}
        worked = world.sent["status"] == "filled" or any(what in {"end exits", "target", "stop"} for what, _ in steps)
        assert kinds == {kind for kind, is_there in zip(("limit", "stop"), exits, strict=True) if is_there} or worked
