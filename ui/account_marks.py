"""What an account does at a symbol, as the chart draws it: a person's own fills, and the orders that wait for a price."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.model.hand import HeldPosition
from core.model.market import BarSeries
from core.model.money import plain
from core.model.order import Fill, Order, OrderType
from ui.charts.data import FillMarks, OrderLine
from ui.format import number


@dataclass(frozen=True, slots=True)
class AccountMarks:
    """`by_hand`: fills of a person's own orders; `working`: orders that can still fill, and `held`: positions, of whomever."""

    by_hand: Sequence[Fill] = ()
    working: Sequence[Order] = ()
    held: Sequence[HeldPosition] = ()
    now_ns: int = field(default=0, compare=False)
    """When it was so."""


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


def order_lines(orders: Iterable[Order], series: BarSeries, movable: Collection[str] = ()) -> tuple[OrderLine, ...]:
    """Return the lines of orders that wait for a price of this symbol, where the bars go up to now: not over those of long ago.

    `movable`: the ids of those that a person can change.
    """
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
            lines[order.id] = OrderLine(price=price, text=text, side=side.sign, order_id=order.id if order.id in movable else "")
    return tuple(lines.values())


def position_lines(marks: AccountMarks, series: BarSeries) -> tuple[OrderLine, ...]:
    """Return the lines of what is held of this symbol, at what it cost, where the bars go up to now."""
    # The bar that goes on is not known yet, and the one before may be late.
    if not len(series) or marks.now_ns > int(series.start_ns[-1]) + 3 * series.timeframe.ns:
        return ()
    lines = []
    for one in marks.held:
        if one.symbol == series.symbol and one.avg_price is not None:
            side = 1 if one.qty > 0 else -1
            pnl = "" if one.open_pnl is None else f"  {number(one.open_pnl, 2, signed=True)}"
            text = f"{'Long' if side > 0 else 'Short'} {plain(abs(one.qty))}{pnl}"
            lines.append(OrderLine(price=float(one.avg_price), text=text, side=side, is_held=True))
    return tuple(lines)


def waits_for(order: Order) -> float | None:
    """Return the price that an order waits for; None where there is none, or it moves."""
    request = order.request
    price = request.stop_price if request.type in {OrderType.STOP, OrderType.STOP_LIMIT} else request.limit_price
    return None if price is None or request.type in {OrderType.MARKET, OrderType.TRAILING_STOP} else float(price)
