"""Round trips: fills matched first in, first out."""

from collections import deque
from collections.abc import Iterable
from copy import copy
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

from core.model.corporate_action import PositionChange, price_after, units_after
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, OrderSide
from core.model.position import PositionSide, Trade

_PRICE_DECIMALS: Final = 12
"""Decimals of an entry's price after a split; profit is taken from the exact one."""
_FEE_DECIMALS: Final = 10
"""Decimals a part of a fee has beyond its fee's own; the last part takes the exact rest."""


class OpenLot:
    """What is left of an entry fill: `qty` units above zero at `price`, and `fee`, the part of its fee not yet in a trade.

    After a split, quantity and price are those of the new units.
    """

    __slots__ = ("_fill", "_whole_fee", "_whole_qty", "fee", "price", "qty")

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self.qty = fill.qty
        self.fee = fill.fee
        self.price = fill.price
        self._whole_qty = fill.qty
        self._whole_fee = fill.fee

    @property
    def symbol(self) -> str:
        return self._fill.symbol

    @property
    def side(self) -> PositionSide:
        return PositionSide.LONG if self._fill.side is OrderSide.BUY else PositionSide.SHORT

    @property
    def fill_id(self) -> str:
        return self._fill.id

    def charge(self, qty: Decimal) -> None:
        """Lose units that the broker kept as its fee: they count as money at the entry's price."""
        money = qty * self.price
        self.qty -= qty
        self._whole_qty -= qty
        self.fee += money
        self._whole_fee += money

    def split(self, ratio: Decimal) -> None:
        """Become `ratio` units for each one."""
        self.qty = units_after(self.qty, ratio)
        self._whole_qty = units_after(self._whole_qty, ratio)
        self.price = price_after(self.price, ratio)

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
            exponent = self._whole_fee.as_tuple().exponent
            step = Decimal(1).scaleb(min(exponent if isinstance(exponent, int) else 0, 0) - _FEE_DECIMALS)
            share = (self._whole_fee * qty / self._whole_qty).quantize(step, ROUND_DOWN)
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
                trades.append(_close(lots, incoming))
        if incoming.qty > ZERO:
            lots.append(incoming)
        return trades

    def split(self, change: PositionChange) -> list[Trade]:
        """Turn what is open of a symbol into the units of after a split; return the trade of the fraction that was paid in cash."""
        lots = self._open.get(change.symbol)
        if not lots:
            return []
        trades: list[Trade] = []
        with localcontext(MONEY_CONTEXT):
            for lot in lots:
                lot.split(change.ratio)
            fraction = sum((lot.qty for lot in lots), ZERO) - abs(change.qty)
            if fraction <= ZERO:
                return []
            side = OrderSide.SELL if lots[0].side is PositionSide.LONG else OrderSide.BUY
            paid = Fill(
                id="", run_id="", order_id="", symbol=change.symbol, side=side, qty=fraction, price=abs(change.cash) / fraction,
                fee=ZERO, slippage=ZERO, time_ns=change.time_ns, reason="split",
            )  # fmt: skip
            incoming = OpenLot(paid)
            while lots and incoming.qty > ZERO:
                trades.append(_close(lots, incoming))
        return trades

    def copy(self) -> "RoundTrips":
        """Return another one in the same state."""
        found = RoundTrips()
        found._open = {symbol: deque(copy(lot) for lot in lots) for symbol, lots in self._open.items() if lots}
        return found

    def charge(self, symbol: str, fill_id: str, qty: Decimal) -> None:
        """Take off units of an open fill that the broker kept as its fee; one that is closed already stays as it is."""
        with localcontext(MONEY_CONTEXT):
            for lot in self._open.get(symbol, ()):
                if lot.fill_id == fill_id and lot.qty > qty:
                    lot.charge(qty)

    def open_lots(self) -> list[OpenLot]:
        """Return what is still open, oldest first within each symbol."""
        return [lot for lots in self._open.values() for lot in lots]


def round_trips(fills: Iterable[Fill], changes: Iterable[PositionChange] = ()) -> list[Trade]:
    """Return all trades of `fills`, in the order of the exits; see `RoundTrips`.

    `changes`: what splits did to positions, oldest first; each comes before the fills of its time. The fraction of a unit
    that one leaves is a trade without an exit order.
    """
    matched = RoundTrips()
    waiting = deque(changes)
    trades: list[Trade] = []
    for fill in fills:
        while waiting and waiting[0].time_ns <= fill.time_ns:
            trades += matched.split(waiting.popleft())
        trades += matched.add(fill)
    while waiting:
        trades += matched.split(waiting.popleft())
    return trades


def _close(lots: deque[OpenLot], incoming: OpenLot) -> Trade:
    entry = lots[0]
    qty = min(entry.qty, incoming.qty)
    fees = entry.take_fee(qty) + incoming.take_fee(qty)
    if entry.qty == ZERO:
        lots.popleft()
    side, entry_price, exit_price = entry.side, entry.price, incoming.price
    gain = (exit_price - entry_price) * qty
    return Trade(
        symbol=incoming.symbol,
        side=side,
        qty=qty,
        entry_ns=entry.time_ns,
        exit_ns=incoming.time_ns,
        entry_price=_shown(entry_price),
        exit_price=exit_price,
        pnl=(gain if side is PositionSide.LONG else -gain) - fees,
        fees=fees,
        entry_order_id=entry.order_id,
        exit_order_id=incoming.order_id,
    )


def _shown(price: Decimal) -> Decimal:
    """Return a price without the endless digits that a split may give it."""
    exponent = price.as_tuple().exponent
    return round(price, _PRICE_DECIMALS) if isinstance(exponent, int) and exponent < -_PRICE_DECIMALS else price
