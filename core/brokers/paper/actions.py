"""What a company does to shares that the paper account holds, at the beginning of its day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from core.brokers.paper.floor import Floor
from core.brokers.paper.orders import UNIT
from core.clock import calendar
from core.model.corporate_action import CorporateAction, Split, day_number, in_order
from core.model.instants import SECOND_NS
from core.model.money import ZERO
from core.model.order import OrderStatus
from core.model.paper import EntryKind

_ZONE: Final = ZoneInfo(calendar.EXCHANGE_ZONE)


def exchange_day(now_ns: int) -> int:
    """Return the exchange's date, in days since 1970."""
    local = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).astimezone(_ZONE)
    return day_number(date(local.year, local.month, local.day))


def apply_actions(floor: Floor, actions: Iterable[CorporateAction], today: int) -> None:
    """Apply what happened since the account last looked, up to `today`, each once. Within the context of money.

    A split multiplies the holding, to the smallest unit, and ends the symbol's orders: their prices are of other shares.
    A dividend is paid on longs and charged on shorts.
    """
    since = floor.notes.account.actions_day
    if today <= since:
        return
    for action in in_order(action for action in actions if since < action.day <= today):
        symbol, price = action.symbol, floor.ledger.marks.get(action.symbol, ZERO)
        if not isinstance(action, Split):
            cash = floor.ledger.dividend(symbol, action.amount)
            if cash is not None:
                floor.notes.enter(EntryKind.DIVIDEND, symbol, cash=cash)
            continue
        for order in floor.orders_of(symbol):
            floor.end(order, OrderStatus.CANCELLED)
        floor.standing(symbol).forget()
        change = floor.ledger.split(symbol, action.ratio, price / action.ratio, UNIT)
        if change is not None:
            floor.notes.enter(EntryKind.SPLIT, symbol, qty=change.qty_after - change.qty_before, cash=change.cash)
            floor.standing(symbol).take_close(floor.ledger.marks[symbol])
    floor.notes.looked_at(today)
