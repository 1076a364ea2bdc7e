"""An order that was changed: its broker's orders and their executions, told in any order and more than once, come to one end."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from core.events.envelope import Payload
from core.model.broker import BrokerOrder, Execution
from core.model.order import Order, OrderStatus
from core.trading.order_fold import Folded, OrderLife, change_sent, executed, heard, revived
from core.views.orders import order_after
from tests.unit.trading.test_changes import fill, order, says

S, D = OrderStatus, Decimal
News = BrokerOrder | Execution
_OVER = frozenset({S.CANCELLED, S.EXPIRED, S.REJECTED})


class History(NamedTuple):
    """What a broker had to say: before the change left, and after; `wanted`: what the whole order was to be over."""

    wanted: int
    before: Sequence[News]
    after: Sequence[News]
    is_exit: bool = False
    status: OrderStatus | None = None
    """What the order is in the end, where that is known without all of it."""

    @property
    def order(self) -> Order:
        return msgspec.structs.replace(order(), account="alpaca:1", sibling_id="run-2" if self.is_exit else None)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """An order over 10 that fills in ones, the last of them while a change is on its way, which the broker makes or refuses.

    Of an exit it may take units off meanwhile. What works in the end may end in any way, or not yet.
    """
    known, late = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    wanted, is_exit = draw(st.integers(known + 1, 12)), draw(st.booleans())
    news: list[News] = []
    for count in range(1, known + late + 1):
        news += [says(0, "partially_filled", qty=10, filled=count), fill(f"a{count}", 0, 1, at_ns=count)]
    filled, qty, works = known + late, 10, 0
    if draw(st.booleans()):
        qty, works, before = wanted - known, 1, filled
        news += [says(0, "replaced", qty=10, filled=filled), says(1, "new", qty=qty)]
        filled = 0
    else:
        news.append(says(1, "rejected", qty=wanted - known, limit=95))
        before = 0
    for count in range(filled + 1, draw(st.integers(filled, qty)) + 1):
        if is_exit and count < qty and draw(st.booleans()):
            qty -= 1
            news.append(says(works, "partially_filled" if filled else "new", qty=qty, filled=filled))
        filled = count
        news += [
            says(works, "filled" if count == qty else "partially_filled", qty=qty, filled=count),
            fill(f"b{count}", works, 1, at_ns=50 + count),
        ]
        if count == qty:
            break
    end = draw(st.sampled_from((None, *_OVER))) if filled < qty else S.FILLED
    if end in _OVER:
        news.append(says(works, "canceled" if end is S.CANCELLED else end.value, qty=qty, filled=filled, status=end))
    stamped = _stamped(news)
    # Filled is one that is over no less than was asked for; else the broker had made it smaller.
    is_smaller = end is S.FILLED and before + filled < (wanted if works else 10)
    return History(wanted, stamped[: 2 * known], stamped[2 * known :], is_exit, S.CANCELLED if is_smaller else end)


def _stamped(news: Sequence[News]) -> list[News]:
    """The same, by the broker's clock."""
    return [msgspec.structs.replace(one, updated_ns=at) if isinstance(one, BrokerOrder) else one for at, one in enumerate(news, 1)]


def told_of(life: OrderLife, news: News, now_ns: int) -> Folded:
    return executed(life, news, f"K/{news.id}", now_ns) if isinstance(news, Execution) else heard(life, news, now_ns)


class Told:
    """Our order while news of it come, and the same order as a panel has it, from the events alone."""

    def __init__(self, history: History) -> None:
        self.life = OrderLife(order=history.order, said=S.ACCEPTED)
        self.seen = self.life.order
        self.at = 100
        self.hear(history.before)
        self.life = change_sent(self.life, D(history.wanted))

    def hear(self, all_news: Iterable[News]) -> "Told":
        for news in all_news:
            before, self.at = self.life.order.status, self.at + 1
            step = told_of(self.life, news, self.at)
            self.life = step.life
            self._see(step.told)
            after = self.life.order.status
            assert before is after or before not in {*_OVER, S.FILLED} or (before in _OVER and after is S.FILLED)
        return self

    def restart(self) -> None:
        life = self.life
        self.life = revived(life.order, life.fills, life.changes, life.at)

    def _see(self, told: Sequence[Payload]) -> None:
        for one in told:
            self.seen = order_after(self.seen, one, self.at)
        now = self.life.order
        assert (self.seen.status, self.seen.filled_qty, self.seen.request) == (now.status, now.filled_qty, now.request)


def facts(life: OrderLife) -> dict[str, Any]:
    """All of the state but when and because of what it was last touched."""
    own = {name: getattr(life.order, name) for name in ("status", "filled_qty", "avg_fill_price", "broker_id", "request", "reject_code")}
    return own | {
        name: getattr(life, name) for name in ("at", "changing", "missing_qty", "over_qty", "left_qty", "is_unclear", "is_settled")
    }


def first_fills() -> History:
    """The new order and its fill are told of before the end of the old one, which filled a part: it is not over, it has one more."""
    after: list[News] = [says(0, "partially_filled", qty=10, filled=1), fill("a1", 0, 1, at_ns=1), says(0, "replaced", qty=10, filled=1)]
    after += [says(1, "new", qty=2), says(1, "partially_filled", qty=2, filled=1), fill("b1", 1, 1, at_ns=51)]
    told = _stamped(after)
    return History(2, (), [told[1], *told[3:], told[2], told[0]])


@given(histories(), st.data())
def test_in_whatever_order_it_is_told_it_comes_to_the_same(history: History, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(history.after))
    again = data.draw(st.lists(st.sampled_from(history.after), max_size=4))
    plain, other = Told(history).hear(history.after).life, Told(history).hear([*shuffled, *again]).life
    assert facts(other) == facts(plain)
    assert not other.missing_qty
    if history.status is not None:
        assert other.order.status is history.status


def test_what_a_new_order_filled_first_does_not_end_one_that_has_more() -> None:
    life = Told(first_fills()).hear(first_fills().after).life
    assert (life.order.status, life.order.filled_qty, life.order.request.qty) == (S.PARTIALLY_FILLED, D(2), D(3))


@given(histories(), st.data())
def test_after_a_restart_in_the_middle_it_comes_to_the_same(history: History, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(history.after))
    told = Told(history)
    told.hear(shuffled[: data.draw(st.integers(0, len(shuffled)))])
    told.restart()
    # The broker is asked for all of it, and says how it is by now.
    every = [*history.before, *history.after]
    newest = {one.id if isinstance(one, Execution) else one.client_order_id: one for one in every}
    told.hear(data.draw(st.permutations(list(newest.values()))))
    expected = Told(history).hear(history.after).life
    assert facts(told.life) == facts(expected)


@given(histories())
@example(first_fills())
def test_what_filled_is_what_was_executed(history: History) -> None:
    life = Told(history).hear(history.after).life
    executions = [news for news in [*history.before, *history.after] if isinstance(news, Execution)]
    assert life.order.filled_qty == len(executions)
