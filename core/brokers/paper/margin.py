"""The paper account's margin call: when equity misses the maintenance margin, nothing works on and everything is closed.

Source: docs/simulation.md, "Account".
"""

import msgspec

from core.brokers.paper import orders as rows
from core.brokers.paper.floor import Floor
from core.model.broker import BrokerOrderRequest
from core.model.broker_entry import BrokerEntryKind
from core.model.market import asset_class_of
from core.model.order import OrderSide, OrderStatus, TimeInForce
from core.model.paper import PaperOrder
from core.model.position import Position


def settle(floor: Floor) -> None:
    """See whether the account misses its maintenance margin, after all that happened at one time. Within the context of money."""
    ledger = floor.ledger
    if not ledger.is_margin:
        return
    if ledger.restricted:
        ledger.restricted = bool(ledger.open_positions())
        return
    if not _can_be_judged(floor):
        return
    shortfall = ledger.maintenance()
    if shortfall is None:
        return
    floor.notes.enter(BrokerEntryKind.MARGIN_CALL, shortfall=shortfall)
    for order in list(floor.open.values()):
        floor.end(order, OrderStatus.CANCELLED)
    ledger.restricted = True
    for position in ledger.open_positions():
        _liquidate(floor, position)


def _can_be_judged(floor: Floor) -> bool:
    """Whether what is held is worth what quotes say: outside the session few are there, and far apart."""
    now_ns = floor.notes.now_ns()
    quoted = [one.symbol for one in floor.ledger.open_positions() if floor.standing(one.symbol).is_quoted]
    return all(floor.hours.opened_ns(symbol, now_ns, extended=False) is not None for symbol in quoted)


def _liquidate(floor: Floor, position: Position) -> None:
    """Place an order that closes a position at the next price there is."""
    notes = floor.notes
    request = BrokerOrderRequest(
        client_order_id=f"margin-call-{notes.next_id()}",
        symbol=position.symbol,
        side=OrderSide.SELL if position.qty > 0 else OrderSide.BUY,
        qty=abs(position.qty),
        time_in_force=TimeInForce.GTC,
    )
    now_ns = notes.now_ns()
    order = msgspec.structs.replace(rows.new_order(request, notes.next_id(), now_ns), liquidates=True)
    floor.classes[position.symbol] = asset_class_of(position.symbol)
    row = PaperOrder(order=order, number=notes.next_number(), qty=abs(position.qty), live_from_ns=now_ns)
    notes.add(row)
    floor.admit(rows.working(row))
    floor.meet(position.symbol)
