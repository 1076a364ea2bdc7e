"""The venue of a paper or live run that is replayed: what was refused then is refused again, and what was not is borne.

What a broker or the risk gate said is an input of such a run, as its bars are. Its money was in the broker's account, which bears
what an account of the run's own might not.
"""

from collections.abc import Container, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from core.backtest.venue import SimulatedVenue
from core.matching.ledger import Ledger, PositionSplit
from core.model.order import LegRole, OrderRequest, OrderSide, RejectCode, TimeInForce
from core.model.ticket import Ticket
from core.strategy.actions import FetchWindow, ReplaceOrder
from core.strategy.windows import Window

_UNIT: Final = Decimal("0.000000001")


class Refused(msgspec.Struct, frozen=True):
    """What was said of an order that was refused whole."""

    code: RejectCode
    reason: str


class BearingLedger(Ledger):
    """Books whatever happened."""

    __slots__ = ()

    def book(self, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill; nothing is refused."""
        self.take(symbol, side, qty, price, fee)

    def split(self, symbol: str, ratio: Decimal, open_price: Decimal, lot: Decimal | None) -> PositionSplit | None:
        """Split a position down to the fraction that an account at a broker has."""
        return super().split(symbol, ratio, open_price, lot or _UNIT)


class ReplayedVenue(SimulatedVenue):
    """See above. `refused`: by the id of the order; `refused_changes`: its id, and when the change was decided."""

    def __init__(self, refused: Mapping[str, Refused], refused_changes: Container[tuple[str, int]], **parts: Any) -> None:
        super().__init__(**parts)
        self._refused = refused
        self._refused_changes = refused_changes

    def place(self, ticket: Ticket, legs: Sequence[tuple[LegRole, Ticket]] = ()) -> None:
        if self._is_refused(ticket):
            for _, leg in legs:
                self._reports.cancel(leg.order_id, "The order it belongs to was refused.", now_ns=self._clock.instant_ns)
            return
        super().place(ticket, [(role, leg) for role, leg in legs if not self._is_refused(leg)])

    def window(self, asked: FetchWindow) -> Window:
        """Return the last bars known now. One may ask for more than a run had when it was over: it might have gone on."""
        has = self._feed(asked).cursor.bars
        window = super().window(FetchWindow(asked.symbol, min(asked.bars, has), asked.timeframe))
        window.asked = asked.bars
        return window

    def place_plain(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> bool:
        return order_id not in self._refused and super().place_plain(order_id, ref, request, time_in_force)

    def place_pair(self, first: Ticket, second: Ticket) -> None:
        taken = [ticket for ticket in (first, second) if not self._is_refused(ticket)]
        if len(taken) == 2:
            super().place_pair(first, second)
        for ticket in taken if len(taken) == 1 else ():
            super().place(ticket)

    def replace(self, wanted: ReplaceOrder) -> bool:
        order, now_ns = self.orders.get(wanted.ref), self._clock.instant_ns
        if order is None or (order.id, now_ns) not in self._refused_changes:
            return super().replace(wanted)
        self._reports.refuse_replacement(order.id, RejectCode.INVALID_ORDER, "It was refused then.", now_ns=now_ns)
        return False

    def _is_refused(self, ticket: Ticket) -> bool:
        refused = self._refused.get(ticket.order_id)
        if refused is not None:
            self._reject(ticket, refused.reason, refused.code)
        return refused is not None
