"""The order book finds what a bar reaches, as a look at every order would."""

from decimal import Decimal
from random import Random

import msgspec
import pytest

from core.backtest.order_book import OrderBook
from core.matching.orders import WorkingOrder
from core.model.order import OrderRequest, OrderSide, OrderType

KINDS = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)


def order(random: Random, number: int) -> WorkingOrder:
    kind, price = random.choice(KINDS), Decimal(random.randint(90, 110))
    request = OrderRequest(
        symbol="X/Y",
        side=random.choice((OrderSide.BUY, OrderSide.SELL)),
        qty=Decimal(1),
        type=kind,
        limit_price=price if kind.has_limit else None,
        stop_price=price if kind.has_stop else None,
    )
    made = WorkingOrder(f"o{number}", f"r{number}", request, 0, None)
    made.place = number
    return made


def naive(book: OrderBook, high: float, low: float) -> list[str]:
    found = [item for item in book.working.values() if item.can_act(high, low)]
    return [item.id for item in sorted(found, key=lambda item: item.place)]


@pytest.mark.parametrize("seed", range(30))
def test_a_bar_finds_the_orders_it_reaches(seed: int) -> None:
    random, book, number = Random(seed), OrderBook(), 0
    for _ in range(120):
        for _ in range(random.randint(0, 3)):
            number += 1
            book.add(order(random, number))
        if book.working and random.random() < 0.3:
            book.remove(random.choice(list(book.working.values())))
        if book.working and random.random() < 0.3:
            moved = random.choice(list(book.working.values()))
            if moved.is_limit:
                moved.request = msgspec.structs.replace(moved.request, limit_price=Decimal(random.randint(90, 110)))
                moved.price(moved.request)
                number += 1
                moved.place = number
                book.add(moved)
        low = random.randint(88, 112)
        high = low + random.randint(0, 4)
        expected = naive(book, high, low)
        if expected:
            assert low <= book.acts_below or high >= book.acts_above
        reached = book.reached(high, low)
        assert [item.id for item in reached if item.can_act(high, low)] == expected
        for item in reached:
            if item.type is OrderType.STOP_LIMIT and random.random() < 0.5:
                item.triggered = True
            if random.random() < 0.4:
                book.remove(item)
        book.settle(reached)
    book.rebuild()
    assert [item.id for item in book.reached(1000, 0)] == [item.id for item in sorted(book.working.values(), key=lambda item: item.place)]


def test_where_nothing_can_act_no_bar_reaches_anything() -> None:
    book = OrderBook()
    assert (book.acts_below, book.acts_above) == (float("-inf"), float("inf"))
    alone = order(Random(3), 1)
    book.add(alone)
    book.remove(alone)
    book.remove(alone)
    book.settle(book.reached(200, 1))
    assert (book.acts_below, book.acts_above) == (float("-inf"), float("inf"))
