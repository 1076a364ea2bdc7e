"""Whom the simulated venue tells and asks: what became of orders, and when sessions are."""

from decimal import Decimal
from typing import Protocol

from core.events.envelope import Cause
from core.model.market import Instrument
from core.model.order import Fill, OrderRequest, RejectCode, TimeInForce


class OrderReports(Protocol):
    """Who is told what became of an order."""

    def accept(self, order_id: str, *, now_ns: int) -> None: ...
    def fill(
        self,
        order_id: str,
        *,
        qty: Decimal,
        price: Decimal,
        fee: Decimal,
        slippage: Decimal,
        time_ns: int,
        path_dependent: bool = False,
        reason: str | None = None,
    ) -> Fill: ...
    def fill_whole(self, order_id: str, price: Decimal, fee: Decimal, slippage: Decimal, time_ns: int) -> None:
        """Book the execution of a whole plain order at once."""
        ...

    def cancel(self, order_id: str, reason: str, *, now_ns: int) -> None: ...
    def expire(self, order_id: str, reason: str, *, now_ns: int) -> None: ...
    def reject(self, order_id: str, code: RejectCode, reason: str, *, now_ns: int) -> None: ...
    def replace(self, order_id: str, request: OrderRequest, reason: str, *, now_ns: int, filled_qty: Decimal | None = None) -> None: ...
    def refuse_replacement(self, order_id: str, code: RejectCode, reason: str, *, now_ns: int) -> None: ...
    def flag_path_dependent(self, order_id: str) -> None: ...
    def create_own(self, request: OrderRequest, time_in_force: TimeInForce, *, now_ns: int, caused_by: Cause = None) -> str:
        """Make an order that the venue itself places, because of the event `caused_by`, and return its id."""
        ...


class TradingDays(Protocol):
    """When the sessions of an instrument are; UTC ns."""

    def day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order decided now dies."""
        ...

    def extended_day_end(self, now_ns: int, instrument: Instrument) -> int:
        """Return when a `day` order dies that may trade outside the session."""
        ...

    def next_open(self, now_ns: int, instrument: Instrument) -> tuple[int, int]:
        """Return the close before and the close after the first session that opens now or later."""
        ...
