"""An order that was changed: its broker's orders and their executions, told in any order and more than once, come to one end."""

from decimal import Decimal
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from core.model.broker import BrokerOrder, Execution
from core.model.order import OrderStatus
from core.trading.order_fold import OrderLife, change_sent, executed, heard
from tests.unit.trading.test_changes import fill, order, says

S, D = OrderStatus, Decimal
News = BrokerOrder | Execution


class History(NamedTuple):
    """What a broker had to say: before the change left, and after; `wanted`: what the whole order was to be over."""

    wanted: int
    before: list[News]
    after: list[News]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """An order over 10 that fills in ones, the last of them while a change is on its way; the new one may fill, and may be cancelled."""
    known, late = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    wanted = draw(st.integers(known + 1, 12))
    sent = wanted - known
    first: list[News] = []
    for count in range(1, known + late + 1):
        first += [says(0, "partially_filled", qty=10, filled=count), fill(f"a{count}", 0, 1, at_ns=count)]
    after = first[2 * known :]
    after += [says(0, "replaced", qty=10, filled=known + late), says(1, "new", qty=sent)]
    filled = draw(st.integers(0, sent))
    for count in range(1, filled + 1):
        word = "filled" if count == sent else "partially_filled"
        after += [says(1, word, qty=sent, filled=count), fill(f"b{count}", 1, 1, at_ns=50 + count)]
    if filled < sent and draw(st.booleans()):
        after.append(says(1, "canceled", qty=sent, filled=filled))
    return History(wanted, first[: 2 * known], after)


def told(history: History, after: list[News]) -> OrderLife:
    life = OrderLife(order=order(), said=S.ACCEPTED)
    for news in history.before:
        life = _told(life, news)
    life = change_sent(life, D(history.wanted))
    for news in after:
        life = _told(life, news)
    return life


def _told(life: OrderLife, news: News) -> OrderLife:
    if isinstance(news, BrokerOrder):
        return heard(life, news, 9).life
    return executed(life, news, f"K/{news.id}", 9).life


@given(histories(), st.data())
def test_in_whatever_order_it_is_told_it_comes_to_the_same(history: History, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(history.after))
    again = data.draw(st.lists(st.sampled_from(history.after), max_size=4))
    plain, other = told(history, history.after), told(history, [*shuffled, *again])
    for field in ("status", "filled_qty", "avg_fill_price", "broker_id"):
        assert getattr(other.order, field) == getattr(plain.order, field)
    assert other.order.request == plain.order.request
    assert not other.missing_qty


@given(histories())
def test_what_filled_is_what_was_executed(history: History) -> None:
    life = told(history, history.after)
    executions = [news for news in history.before + history.after if isinstance(news, Execution)]
    assert life.order.filled_qty == len(executions)
    assert (life.order.status is S.FILLED) == any(isinstance(one, BrokerOrder) and one.broker_status == "filled" for one in history.after)
