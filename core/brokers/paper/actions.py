"""What a company does to shares that the paper account holds, at the beginning of its day, by Greta's rules.

Source: docs/simulation.md, "Account".
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from core.brokers.paper.floor import Floor
from core.brokers.paper.orders import UNIT
from core.clock import calendar
from core.matching.splits import Dissolved, split_order
from core.model.broker_entry import BrokerEntryKind
from core.model.corporate_action import CorporateAction, Split, in_order, price_after
from core.model.market import AssetClass
from core.model.money import ZERO
from core.model.order import OrderStatus

_DUST: Final = Decimal("1E-18")


def apply_actions(floor: Floor, actions: Iterable[CorporateAction], today: int) -> None:
    """Apply what happened since the account last looked, up to `today`, each once, with the nights between. Within the context of money."""
    since = floor.notes.account.actions_day
    if today <= since:
        return
    due = in_order(action for action in actions if since < action.day <= today)
    for action in sorted(due, key=lambda action: action.day):  # stable: of one day, a split comes before its dividend
        floor.pass_nights(calendar.day_start(action.day, AssetClass.EQUITY))
        if action.symbol not in floor.ledger.holdings and not floor.orders_of(action.symbol):
            continue
        if isinstance(action, Split):
            _split(floor, action.symbol, action.ratio)
        else:
            cash = floor.ledger.dividend(action.symbol, action.amount) or ZERO
            floor.notes.enter(BrokerEntryKind.DIVIDEND, action.symbol, cash=cash, rate=action.amount)
    floor.notes.looked_at(today)


def _split(floor: Floor, symbol: str, ratio: Decimal) -> None:
    """Multiply the holding, to the smallest unit, and adjust the symbol's orders; no price from before it stands any more."""
    notes, ledger, standing = floor.notes, floor.ledger, floor.standing(symbol)
    price = price_after(ledger.marks.get(symbol, ZERO), ratio)
    before = ledger.cash
    change = ledger.split(symbol, ratio, price, UNIT)
    # A third has no end: what is booked has one, so that all bookings add up in whichever order.
    cash = ZERO if change is None else change.cash.quantize(_DUST)
    qty = ZERO if change is None else change.qty_after - change.qty_before
    ledger.cash = before + cash
    notes.enter(BrokerEntryKind.SPLIT, symbol, qty=qty, cash=cash, rate=ratio, price=price if symbol in ledger.holdings else None)
    standing.forget()
    if symbol in ledger.marks:
        standing.take_close(ledger.marks[symbol])
    now_ns = notes.now_ns()
    for order in floor.orders_of(symbol):
        if order.gone or (order.dead_from_ns is not None and order.dead_from_ns <= now_ns) or (order.is_live and not order.qty):
            continue  # over, or an amount of money that has bought nothing yet
        if _has_filled_before(floor, order.id):
            floor.end(order, OrderStatus.CANCELLED)
            continue
        try:
            split_order(order, ratio, order.tick, UNIT)
        except Dissolved:
            floor.end(order, OrderStatus.CANCELLED)
        else:
            notes.split(order.id, order, ratio)


def _has_filled_before(floor: Floor, order_id: str) -> bool:
    """Whether an order took the place of one that had filled a part: then what is left of the whole is told in units of before."""
    replaced = floor.notes.orders[order_id].order.replaces
    while replaced is not None:
        before = floor.notes.orders[replaced].order
        if before.filled_qty:
            return True
        replaced = before.replaces
    return False
