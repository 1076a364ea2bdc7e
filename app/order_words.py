"""An order of a person's as the command line prints it: a line, a document, and why it was refused."""

from typing import TYPE_CHECKING, Any

from app.console import fail
from app.words import moment
from core.errors import BrokerError

if TYPE_CHECKING:
    from core.model.order import Order


def order_line(order: "Order") -> str:
    """Return what it is and how it stands."""
    from core.model.money import plain
    from core.views.words import request_words

    filled = f", {plain(order.filled_qty)} at {plain(round(order.avg_fill_price, 6))}" if order.avg_fill_price is not None else ""
    return f"Order {order.id} ({request_words(order.request)}): {order.status.replace('_', ' ')}{filled}."


def say_refused(order: "Order") -> None:
    """End the call where it was refused, with its code and the words."""
    from core.model.order import OrderStatus

    if order.status is OrderStatus.REJECTED:
        fail(order.reject_code or BrokerError.code, order.reason or "It was refused.")


def order_document(order: "Order") -> dict[str, Any]:
    """Return it as `--json` prints it."""
    request = order.request
    return {
        "id": order.id,
        "run_id": order.run_id,
        "account": order.account,
        "symbol": request.symbol,
        "side": request.side,
        "qty": request.qty,
        "type": request.type,
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "time_in_force": order.time_in_force,
        "status": order.status,
        "filled_qty": order.filled_qty,
        "avg_fill_price": order.avg_fill_price,
        "reject_code": order.reject_code,
        "reason": order.reason,
        "created": moment(order.created_ns),
    }
