"""What an account does at a symbol, as the chart draws it: a person's own fills, and the orders that wait for a price."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.model.market import BarSeries
from core.model.money import plain
from core.model.order import Fill, Order, OrderType
from ui.charts.data import FillMarks, OrderLine


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMarks:
    """`by_hand`: fills of a person's own orders; `working`: orders that can still fill, of whomever."""

    by_hand: Sequence[Fill] = ()
    working: Sequence[Order] = ()


def fill_marks(fills: Iterable[Fill]) -> FillMarks:
    """Return fills as the chart takes them."""
    shown = list(fills)
    return FillMarks(
        time_ns=np.array([fill.time_ns for fill in shown], np.int64),
        price=np.array([float(fill.price) for fill in shown]),
        side=np.array([fill.side.sign for fill in shown], np.int64),
        qty=np.array([float(fill.qty) for fill in shown]),
    )


def own_fills(marks: AccountMarks, series: BarSeries) -> FillMarks:
    """Return a person's fills that happened in these bars: bars of another time say nothing about them."""
    if not len(series):
        return fill_marks(())
    first, end = int(series.start_ns[0]), int(series.start_ns[-1]) + series.timeframe.ns
    return fill_marks(fill for fill in marks.by_hand if fill.symbol == series.symbol and first <= fill.time_ns < end)


def order_lines(orders: Iterable[Order], series: BarSeries) -> tuple[OrderLine, ...]:
    """Return the lines of orders that wait for a price of this symbol, where the bars go up to now: not over those of long ago."""
    if not len(series):
        return ()
    # An order of the bar that goes on was made after the last one that is known.
    end = int(series.start_ns[-1]) + 2 * series.timeframe.ns
    lines = {}
    for order in orders:
        price = waits_for(order)
        if price is not None and order.request.symbol == series.symbol and order.created_ns <= end and not order.status.is_final:
            side = order.request.side
            kind = "stop" if order.request.type in {OrderType.STOP, OrderType.STOP_LIMIT} else "limit"
            text = f"{side.value.capitalize()} {plain(order.request.qty)} {kind}"
            lines[order.id] = OrderLine(price=price, text=text, side=side.sign)
    return tuple(lines.values())


def waits_for(order: Order) -> float | None:
    """Return the price that an order waits for; None where there is none, or it moves."""
    request = order.request
    price = request.stop_price if request.type in {OrderType.STOP, OrderType.STOP_LIMIT} else request.limit_price
    return None if price is None or request.type in {OrderType.MARKET, OrderType.TRAILING_STOP} else float(price)
