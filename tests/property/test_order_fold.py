"""What a broker says of an order: every permutation and repetition of a true history ends in the same state."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.events.payloads import OrderFilled, OrderPartiallyFilled
from core.model.broker import BrokerOrder, Execution
from core.model.order import ORDER_TRANSITIONS, Fill, Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.order_fold import Folded, OrderLife, executed, heard

S = OrderStatus
QTY = Decimal(10)
News = BrokerOrder | Execution


def submitted() -> OrderLife:
    request = OrderRequest(symbol="DEMO", side=OrderSide.BUY, qty=QTY)
    order = Order(id="run-1", run_id="run", request=request, time_in_force=TimeInForce.DAY, status=S.SUBMITTING, created_ns=1, updated_ns=1)
    return OrderLife(order=order)


def said(status: OrderStatus, filled: Decimal, at: int) -> BrokerOrder:
    return BrokerOrder(
        id="b-1",
        client_order_id="run-1",
        symbol="DEMO",
        side=OrderSide.BUY,
        type=OrderType.MARKET,
        broker_type="market",
        time_in_force=TimeInForce.DAY,
        broker_time_in_force="day",
        status=status,
        broker_status=status.value,
        filled_qty=filled,
        submitted_ns=1,
        updated_ns=at,
        qty=QTY,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[News]:
    """What truly happened to an order at a broker: taken, filled in parts, and over, or not yet."""
    parts = draw(st.lists(st.integers(1, 4), max_size=4).filter(lambda sizes: sum(sizes) <= QTY))
    news: list[News] = [said(S.ACCEPTED, Decimal(0), 2)]
    filled = Decimal(0)
    for at, part in enumerate(parts, 3):
        filled += part
        price = Decimal(draw(st.integers(9_900, 10_100))) / 100
        news.append(
            Execution(
                id=f"x{at}", order_id="b-1", symbol="DEMO", side=OrderSide.BUY, qty=Decimal(part), price=price, cum_qty=filled, time_ns=at
            )
        )
        news.append(said(S.FILLED if filled == QTY else S.PARTIALLY_FILLED, filled, at))
    if filled < QTY:
        end = draw(st.sampled_from((None, S.CANCELLED, S.EXPIRED, S.REJECTED)))
        if end is not None:
            news.append(said(end, filled, 99))
    return news


def fold(news: list[News]) -> tuple[OrderLife, list[Folded]]:
    life, steps = submitted(), []
    for at, one in enumerate(news, 100):
        step = executed(life, one, f"acc:{one.id}", at) if isinstance(one, Execution) else heard(life, one, at)
        before, after = life.order.status, step.life.order.status
        assert after is before or after in ORDER_TRANSITIONS[before]
        steps.append(step)
        life = step.life
    return life, steps


def facts(life: OrderLife) -> tuple[object, ...]:
    """All of the state but when and because of what it was last touched."""
    order = life.order
    return order.status, order.filled_qty, order.avg_fill_price, order.reject_code, order.broker_id, life.said, life.fills, life.missing_qty


@given(st.data(), histories())
def test_any_order_and_any_repetition_of_a_history_ends_alike(data: st.DataObject, history: list[News]) -> None:
    expected, _ = fold(history)
    again = data.draw(st.lists(st.sampled_from(history), max_size=5))
    shuffled = data.draw(st.permutations([*history, *again]))
    life, steps = fold(shuffled)
    assert facts(life) == facts(expected)
    assert not life.missing_qty
    fills: list[Fill] = [step.fill for step in steps if step.fill is not None]
    assert sorted(fill.id for fill in fills) == sorted(fill.id for fill in life.fills)  # each was given to be stored once
    told = [one for step in steps for one in step.told]
    booked = [one for one in told if isinstance(one, (OrderFilled, OrderPartiallyFilled))]
    assert sum((one.qty for one in booked), Decimal(0)) == life.order.filled_qty
    assert [one.filled_qty for one in booked] == sorted(one.filled_qty for one in booked)
    assert len([one for one in told if isinstance(one, OrderFilled)]) == (1 if life.order.status is S.FILLED else 0)


@given(st.data(), histories())
def test_what_is_missing_is_known_until_it_comes(data: st.DataObject, history: list[News]) -> None:
    executions = [one for one in history if isinstance(one, Execution)]
    lost = data.draw(st.sets(st.sampled_from([one.id for one in executions]))) if executions else set()
    life, _ = fold([one for one in history if not (isinstance(one, Execution) and one.id in lost)])
    assert life.missing_qty == sum((one.qty for one in executions if one.id in lost), Decimal(0))
    if lost:
        assert life.order.status is not S.FILLED  # it is filled when our fills say so
