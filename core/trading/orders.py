"""The order manager: keeps every order's state and turns each change into an event beside the row it belongs to.

It lets nothing happen that the transition table forbids. It does not know who fills the orders.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from core.errors import BugError
from core.events.envelope import Cause, Payload
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderExpired,
    OrderFilled,
    OrderPartiallyFilled,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
)
from core.model.money import ZERO
from core.model.order import ORDER_TRANSITIONS, Fill, Order, OrderRequest, OrderStatus, RejectCode, Rejection, TimeInForce

# Names of the module: looking a member up in its Enum costs ten times as much, and this is done for every order.
_CREATED, _ACCEPTED = OrderStatus.CREATED, OrderStatus.ACCEPTED
_PARTIALLY_FILLED, _FILLED = OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED


if _ACCEPTED not in ORDER_TRANSITIONS[_CREATED] or _FILLED not in ORDER_TRANSITIONS[_ACCEPTED]:
    raise BugError("A plain order goes from created to accepted to filled, and the table of states does not allow it.")


class PlainFill(msgspec.Struct, frozen=True, gc=False):
    """An execution of a whole order at once, whose event is made when it is written."""

    fill: Fill

    def payloads(self) -> tuple[Payload]:
        """Return the one event."""
        fill = self.fill
        return (
            OrderFilled(
                order_id=fill.order_id,
                fill_id=fill.id,
                qty=fill.qty,
                price=fill.price,
                fee=fill.fee,
                slippage=fill.slippage,
                filled_qty=fill.qty,
                time_ns=fill.time_ns,
            ),
        )


class Journal(Protocol):
    """Where events and rows are gathered until they are committed together."""

    def record(self, payload: Payload, ts: int, caused_by: Cause, trace_id: str | None) -> Cause:
        """Keep an event and return what it is known by."""
        ...

    def record_late(self, late: PlainFill, count: int, ts: int, caused_by: Cause, trace_id: str | None) -> Cause:
        """Keep events that are made when they are written, each caused by the one before; return what the last is known by."""
        ...

    def add_fill(self, fill: Fill) -> None:
        """Keep a fill's row."""
        ...


class _State(msgspec.Struct, gc=False):
    """An order while it can still change."""

    request: OrderRequest
    time_in_force: TimeInForce
    created_ns: int
    updated_ns: int
    trace_id: str | None
    status: OrderStatus = _CREATED
    caused_by: Cause = None
    filled_qty: Decimal = ZERO
    filled_money: Decimal = ZERO
    reject_code: RejectCode | None = None
    reason: str | None = None
    path_dependent: bool = False
    parent_id: str | None = None
    sibling_id: str | None = None


class OrderManager:
    """The orders of one run. Every method raises BugError for a move that the table of states forbids."""

    def __init__(self, run_id: str, journal: Journal) -> None:
        self._run_id = run_id
        self._journal = journal
        self._record = journal.record
        self._states: dict[str, _State] = {}
        self._changed: dict[str, None] = {}
        self._fills = 0
        self._own = 0
        self.rejections: list[Rejection] = []

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._states

    def create(
        self,
        order_id: str,
        request: OrderRequest,
        time_in_force: TimeInForce,
        *,
        now_ns: int,
        caused_by: Cause,
        trace_id: str | None,
        parent_id: str | None = None,
        sibling_id: str | None = None,
    ) -> None:
        """Make an order known. Its id must be new."""
        if order_id in self._states:
            raise BugError(f"Order {order_id} was created twice.")
        self._states[order_id] = state = _State(request, time_in_force, now_ns, now_ns, trace_id)
        if parent_id is not None or sibling_id is not None:
            state.parent_id, state.sibling_id = parent_id, sibling_id
        order = Order(
            id=order_id,
            run_id=self._run_id,
            request=request,
            time_in_force=time_in_force,
            status=_CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
            parent_id=parent_id,
            sibling_id=sibling_id,
        )
        state.caused_by = self._record(OrderCreated(order=order), now_ns, caused_by, trace_id)
        self._changed[order_id] = None

    def take(
        self, order_id: str, request: OrderRequest, time_in_force: TimeInForce, now_ns: int, accepted_by: Cause, trace_id: str | None
    ) -> None:
        """Make an order known that the venue took already; whoever calls recorded that, last as the event `accepted_by`."""
        if order_id in self._states:
            raise BugError(f"Order {order_id} was created twice.")
        self._states[order_id] = _State(request, time_in_force, now_ns, now_ns, trace_id, _ACCEPTED, accepted_by)
        self._changed[order_id] = None

    def create_own(self, request: OrderRequest, time_in_force: TimeInForce, *, now_ns: int, caused_by: Cause = None) -> str:
        """Make an order that the venue itself places, because of the event `caused_by`, and return its id."""
        self._own += 1
        order_id = f"{self._run_id}-v{self._own}"
        self.create(order_id, request, time_in_force, now_ns=now_ns, caused_by=caused_by, trace_id=None)
        return order_id

    def commanded(self, order_id: str, caused_by: Cause) -> None:
        """Note that what happens to the order next was asked for by the event `caused_by`."""
        state = self._states.get(order_id)
        if state is not None:
            state.caused_by = caused_by

    def accept(self, order_id: str, *, now_ns: int) -> None:
        """The venue works the order."""
        state = self._move(order_id, _ACCEPTED, now_ns)
        if state.parent_id is not None:
            parent = self._states.get(state.parent_id)
            if parent is not None and parent.filled_qty:
                state.caused_by = parent.caused_by  # an exit leg lives because its entry filled
        self._tell(order_id, state, OrderAccepted(order_id=order_id), now_ns)

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
    ) -> Fill:
        """Book an execution of `qty` units; complete, the order is filled. Returns the fill's row."""
        state = self._states[order_id]
        filled_qty = state.filled_qty + qty
        wanted = state.request.qty
        if qty <= 0 or filled_qty > wanted:
            raise BugError(f"Order {order_id} over {wanted} cannot fill {qty} after {state.filled_qty}.")
        complete = filled_qty == wanted
        self._move(order_id, _FILLED if complete else _PARTIALLY_FILLED, time_ns)
        state.filled_qty = filled_qty
        state.filled_money += qty * price
        self._fills += 1
        fill = Fill(
            id=f"{self._run_id}-f{self._fills}",
            run_id=self._run_id,
            order_id=order_id,
            symbol=state.request.symbol,
            side=state.request.side,
            qty=qty,
            price=price,
            fee=fee,
            slippage=slippage,
            time_ns=time_ns,
            path_dependent=path_dependent,
            reason=reason,
        )
        self._journal.add_fill(fill)
        kind = OrderFilled if complete else OrderPartiallyFilled
        told = kind(
            order_id=order_id,
            fill_id=fill.id,
            qty=qty,
            price=price,
            fee=fee,
            slippage=slippage,
            filled_qty=filled_qty,
            time_ns=time_ns,
            path_dependent=path_dependent,
            reason=reason,
        )
        self._tell(order_id, state, told, time_ns)
        return fill

    def fill_whole(self, order_id: str, price: Decimal, fee: Decimal, slippage: Decimal, time_ns: int) -> None:
        """Book the execution of a whole order that filled nothing yet: what `fill` does, in a third of the time."""
        state = self._states[order_id]
        if state.status is not _ACCEPTED:
            raise BugError(f"Order {order_id} cannot fill whole: it is {state.status}.")
        request = state.request
        qty = request.qty
        state.status = _FILLED
        state.updated_ns = time_ns
        state.filled_qty = qty
        state.filled_money = qty * price
        self._fills += 1
        fill = Fill(
            f"{self._run_id}-f{self._fills}", self._run_id, order_id, request.symbol, request.side, qty, price, fee, slippage, time_ns
        )
        self._journal.add_fill(fill)
        state.caused_by = self._journal.record_late(PlainFill(fill), 1, time_ns, state.caused_by, state.trace_id)
        self._changed[order_id] = None

    def cancel(self, order_id: str, reason: str, *, now_ns: int) -> None:
        """The order is taken back; what it filled stays filled."""
        state = self._move(order_id, OrderStatus.CANCELLED, now_ns)
        state.reason = reason
        self._tell(order_id, state, OrderCancelled(order_id=order_id, reason=reason), now_ns)

    def expire(self, order_id: str, reason: str, *, now_ns: int) -> None:
        """The order's time in force is over."""
        state = self._move(order_id, OrderStatus.EXPIRED, now_ns)
        state.reason = reason
        self._tell(order_id, state, OrderExpired(order_id=order_id, reason=reason), now_ns)

    def reject(self, order_id: str, code: RejectCode, reason: str, *, now_ns: int) -> None:
        """The order, or its rest, is refused."""
        state = self._move(order_id, OrderStatus.REJECTED, now_ns)
        state.reject_code = code
        state.reason = reason
        self.rejections.append(Rejection(time_ns=now_ns, order_id=order_id, code=code, reason=reason))
        self._tell(order_id, state, OrderRejected(order_id=order_id, code=code, reason=reason), now_ns)

    def replace(self, order_id: str, request: OrderRequest, reason: str, *, now_ns: int, filled_qty: Decimal | None = None) -> None:
        """The order's terms are these from now on. `filled_qty`: what it filled so far, in the units of after a split."""
        state = self._states[order_id]
        if state.status.is_final:
            raise BugError(f"Order {order_id} is {state.status} and cannot be replaced.")
        if filled_qty is not None:
            state.filled_qty = filled_qty
        if request.qty <= state.filled_qty:
            raise BugError(f"Order {order_id} filled {state.filled_qty} and cannot become one over {request.qty}.")
        state.request = request
        state.updated_ns = now_ns
        self._tell(order_id, state, OrderReplaced(order_id=order_id, request=request, reason=reason, filled_qty=filled_qty), now_ns)

    def refuse_replacement(self, order_id: str, code: RejectCode, reason: str, *, now_ns: int) -> None:
        """A change of the order is refused; the order goes on as it was."""
        state = self._states[order_id]
        self.rejections.append(Rejection(time_ns=now_ns, order_id=order_id, code=code, reason=reason))
        self._tell(order_id, state, OrderReplaceRefused(order_id=order_id, code=code, reason=reason), now_ns)

    def flag_path_dependent(self, order_id: str) -> None:
        """Note that the order was left unfilled only because of the path assumed inside a bar."""
        self._states[order_id].path_dependent = True
        self._changed[order_id] = None

    def order(self, order_id: str) -> Order:
        """Return the order as it stands."""
        state = self._states[order_id]
        return Order(
            id=order_id,
            run_id=self._run_id,
            request=state.request,
            time_in_force=state.time_in_force,
            status=state.status,
            created_ns=state.created_ns,
            updated_ns=state.updated_ns,
            filled_qty=state.filled_qty,
            avg_fill_price=state.filled_money / state.filled_qty if state.filled_qty else None,
            reject_code=state.reject_code,
            reason=state.reason,
            path_dependent=state.path_dependent,
            parent_id=state.parent_id,
            sibling_id=state.sibling_id,
        )

    def changed(self) -> list[Order]:
        """Return the orders that changed since the last commit, as they stand."""
        return [self.order(order_id) for order_id in self._changed]

    def forget_committed(self) -> None:
        """The changes are stored: let go of orders that are over, so that a long run stays small."""
        for order_id in self._changed:
            state = self._states.get(order_id)
            if state is not None and state.status.is_final:
                del self._states[order_id]
        self._changed = {}

    def _move(self, order_id: str, status: OrderStatus, now_ns: int) -> _State:
        state = self._states[order_id]
        # A simulated venue tells things in their order: what the table allows for late news of a broker is a mistake here.
        if state.status.is_final or status not in ORDER_TRANSITIONS[state.status]:
            raise BugError(f"Order {order_id} cannot go from {state.status} to {status}.")
        state.status = status
        state.updated_ns = now_ns
        return state

    def _tell(self, order_id: str, state: _State, payload: Payload, now_ns: int) -> None:
        state.caused_by = self._record(payload, now_ns, state.caused_by, state.trace_id)
        self._changed[order_id] = None
