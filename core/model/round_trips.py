"""Round trips: fills matched first in, first out."""

from collections import deque
from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, OrderSide
from core.model.position import PositionSide, Trade

_FEE_DECIMALS: Final = 10
"""Decimals a part of a fee has beyond its fee's own; the last part takes the exact rest."""


class OpenLot:
    """What is left of an entry fill: `qty` units above zero at `price`, and `fee`, the part of its fee not yet in a trade."""

    __slots__ = ("_fill", "fee", "qty")

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self.qty = fill.qty
        self.fee = fill.fee

    @property
    def symbol(self) -> str:
        return self._fill.symbol

    @property
    def side(self) -> PositionSide:
        return PositionSide.LONG if self._fill.side is OrderSide.BUY else PositionSide.SHORT

    @property
    def price(self) -> Decimal:
        return self._fill.price

    @property
    def time_ns(self) -> int:
        return self._fill.time_ns

    @property
    def order_id(self) -> str:
        return self._fill.order_id

    def take_fee(self, qty: Decimal) -> Decimal:
        """Take `qty` units off and return their share of the fee; the last units take what is left, to the last digit."""
        if qty == self.qty:
            share = self.fee
        else:
            whole = self._fill
            exponent = whole.fee.as_tuple().exponent
            step = Decimal(1).scaleb(min(exponent if isinstance(exponent, int) else 0, 0) - _FEE_DECIMALS)
            share = (whole.fee * qty / whole.qty).quantize(step, ROUND_DOWN)
        self.qty -= qty
        self.fee -= share
        return share


class RoundTrips:
    """Matches fills as they come, oldest first: one trade for each entry part × exit part, first in, first out.

    A fill through flat closes first and opens with its rest. Fees are shared pro rata by quantity, to the last digit:
    the parts of a fill's fee sum to the fee.
    """

    def __init__(self) -> None:
        self._open: dict[str, deque[OpenLot]] = {}

    def add(self, fill: Fill) -> list[Trade]:
        """Take a fill of any symbol and return the trades that it closed."""
        lots = self._open.get(fill.symbol)
        if lots is None:
            lots = self._open[fill.symbol] = deque()
        trades: list[Trade] = []
        incoming = OpenLot(fill)
        with localcontext(MONEY_CONTEXT):
            while lots and incoming.qty > ZERO and lots[0].side is not incoming.side:
                trades.append(_close(lots, incoming, fill))
        if incoming.qty > ZERO:
            lots.append(incoming)
        return trades

    def open_lots(self) -> list[OpenLot]:
        """Return what is still open, oldest first within each symbol."""
        return [lot for lots in self._open.values() for lot in lots]


def round_trips(fills: Iterable[Fill]) -> list[Trade]:
    """Return all trades of `fills`, in the order of the exits; see `RoundTrips`."""
    matched = RoundTrips()
    return [trade for fill in fills for trade in matched.add(fill)]


def _close(lots: deque[OpenLot], incoming: OpenLot, fill: Fill) -> Trade:
    entry = lots[0]
    qty = min(entry.qty, incoming.qty)
    fees = entry.take_fee(qty) + incoming.take_fee(qty)
    if entry.qty == ZERO:
        lots.popleft()
    side = entry.side
    gain = (fill.price - entry.price) * qty
    return Trade(
        symbol=fill.symbol,
        side=side,
        qty=qty,
        entry_ns=entry.time_ns,
        exit_ns=fill.time_ns,
        entry_price=entry.price,
        exit_price=fill.price,
        pnl=(gain if side is PositionSide.LONG else -gain) - fees,
        fees=fees,
        entry_order_id=entry.order_id,
        exit_order_id=fill.order_id,
    )
