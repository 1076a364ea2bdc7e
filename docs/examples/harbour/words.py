"""Harbour's words and whole numbers, and ours for them: amounts, orders and deals."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from core.brokers.api import AnswerUnreadable, BrokerRefused
from core.model.broker import BrokerOrder, Execution, OrderUpdate, RefusalReason
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce

Document = dict[str, Any]

TYPES = {"MKT": OrderType.MARKET, "LMT": OrderType.LIMIT, "STP": OrderType.STOP}
LIVES = {"DAY": TimeInForce.DAY, "GTC": TimeInForce.GTC, "NOW": TimeInForce.IOC}
SIDES = {"B": OrderSide.BUY, "S": OrderSide.SELL}
ENDS = {
    "DONE": OrderStatus.FILLED,
    "PULLED": OrderStatus.CANCELLED,
    "AMENDED": OrderStatus.CANCELLED,  # a new order took its place
    "LAPSED": OrderStatus.EXPIRED,
    "BOUNCED": OrderStatus.REJECTED,
}
"""The states in which an order is over. In any other, known or not, it may still fill."""
REASONS = {
    "NO_FUNDS": RefusalReason.BUYING_POWER,
    "NOT_HELD": RefusalReason.QUANTITY_HELD,
    "NO_ORDER": RefusalReason.ORDER_UNKNOWN,
    "NO_SYMBOL": RefusalReason.ASSET_UNKNOWN,
    "REF_USED": RefusalReason.CLIENT_ORDER_ID_TAKEN,
    "BAD_PRICE": RefusalReason.PRICE_INCREMENT,
    "OVER": RefusalReason.ORDER_FINAL,
}


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Say in a known error that something of Harbour's cannot be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise AnswerUnreadable(f"Harbour describes {what} in no way we know.", "Look for a newer version of the adapter.") from error


def money(cents: int) -> Decimal:
    """Harbour counts money in cents."""
    return Decimal(cents).scaleb(-2)


def price(points: int) -> Decimal:
    """Harbour counts prices in points, ten thousand to the dollar."""
    return Decimal(points).scaleb(-4)


def points(amount: Decimal | None) -> int | None:
    """Return a price in points. Raises BrokerRefused for one that Harbour could not write: it is not rounded."""
    if amount is None:
        return None
    found = amount.scaleb(4)
    if found % 1:
        raise own_refusal(RefusalReason.PRICE_INCREMENT, f"a price has at most four decimals, and not {amount}")
    return int(found)


def units(qty: Decimal | None) -> int | None:
    """Return a number of shares. Raises BrokerRefused for a fraction."""
    if qty is None:
        return None
    if qty % 1:
        raise own_refusal(RefusalReason.FRACTION, f"shares are whole, and not {qty}")
    return int(qty)


def instant(micros: int) -> int:
    """Harbour counts microseconds."""
    return micros * 1_000


def own_refusal(reason: RefusalReason, words: str) -> BrokerRefused:
    """What this adapter refuses by itself, because Harbour has no way to say it."""
    return BrokerRefused(f"Harbour refuses it: {words}.", reason=reason, words=words)


@reading("an order")
def order_of(row: Document) -> BrokerOrder:
    """An order as Harbour has it."""
    done, turnover = row["done"], row["turnover"]
    working = OrderStatus.PARTIALLY_FILLED if done else OrderStatus.ACCEPTED
    return BrokerOrder(
        id=str(row["ticket"]),
        client_order_id=row["ref"],
        symbol=row["sym"],
        side=SIDES.get(row["way"]),
        type=TYPES.get(row["kind"]),
        broker_type=row["kind"],
        time_in_force=LIVES.get(row["life"]),
        broker_time_in_force=row["life"],
        status=ENDS.get(row["state"], working),
        broker_status=row["state"],
        filled_qty=Decimal(done),
        submitted_ns=instant(row["made"]),
        updated_ns=instant(row["changed"]),
        qty=Decimal(row["size"]),
        avg_fill_price=price(turnover) / done if done else None,
        limit_price=None if row["limit"] is None else price(row["limit"]),
        stop_price=None if row["stop"] is None else price(row["stop"]),
        replaces=None if row["was"] is None else str(row["was"]),
        replaced_by=None if row["became"] is None else str(row["became"]),
    )


@reading("a deal")
def execution_of(row: Document, *, is_listed: bool) -> Execution:
    """A deal. Its number is the same in the list and on the stream, and the list goes on after it."""
    return Execution(
        id=str(row["deal"]),
        order_id=str(row["ticket"]),
        symbol=row["sym"],
        side=SIDES[row["way"]],
        qty=Decimal(row["size"]),
        price=price(row["px"]),
        cum_qty=Decimal(row["total"]),
        time_ns=instant(row["at"]),
        page_token=str(row["deal"]) if is_listed else None,
        fee=money(row["fee"]),
    )


@reading("an update")
def update_of(row: Document) -> OrderUpdate:
    """What the stream says of an order."""
    deal = row["deal"]
    return OrderUpdate(
        event=row["event"],
        order=order_of(row["order"]),
        time_ns=instant(row["at"]),
        execution=None if deal is None else execution_of(deal, is_listed=False),
    )
