"""A run as of one of its events, for the terminal and as a JSON document; docs/cli.md describes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from app.console import figure, finite, short, table
from app.run_document import fill_document, run_head
from core.model.instants import iso
from core.model.money import ZERO, plain
from core.model.order import Order
from core.model.position import Trade
from core.views.positions import PositionRow
from core.views.run_at import RunView

if TYPE_CHECKING:
    from rich.console import RenderableType

ORDERS_SHOWN: Final = 10


def view_document(view: RunView) -> dict[str, Any]:
    """Return the document: money as plain decimal strings, undefined as null, times UTC with Z."""
    account = view.account
    return {
        "run": run_head(view.run, None),
        "at": {"seq": view.seq, "time": iso(view.time_ns), "events": view.events},
        "account": {
            "cash": plain(account.cash),
            "equity": finite(view.equity),
            "fees": plain(account.fees),
            "slippage": plain(account.slippage),
            "interest": plain(account.interest),
            "dividends": plain(account.dividends),
        },
        "positions": [_position(row) for row in view.positions],
        "orders": [_order(order) for order in view.orders],
        "fills": [fill_document(fill) for fill in view.fills],
        "trades": [_trade(trade) for trade in view.trades],
    }


def _position(row: PositionRow) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "qty": plain(row.qty),
        "avg_price": plain(row.avg_price),
        "realised_pnl": plain(row.realised_pnl),
        "fees": plain(row.fees),
        "last": row.last,
    }


def _order(order: Order) -> dict[str, Any]:
    request = order.request
    return {
        "id": order.id,
        "symbol": request.symbol,
        "side": str(request.side),
        "type": str(request.type),
        "qty": plain(request.qty),
        "limit_price": None if request.limit_price is None else plain(request.limit_price),
        "stop_price": None if request.stop_price is None else plain(request.stop_price),
        "time_in_force": str(order.time_in_force),
        "status": str(order.status),
        "filled_qty": plain(order.filled_qty),
        "avg_fill_price": None if order.avg_fill_price is None else plain(order.avg_fill_price),
        "created": iso(order.created_ns),
        "updated": iso(order.updated_ns),
        "reason": order.reason,
        "parent_id": order.parent_id,
    }


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "side": str(trade.side),
        "qty": plain(trade.qty),
        "entry": iso(trade.entry_ns),
        "exit": iso(trade.exit_ns),
        "entry_price": plain(trade.entry_price),
        "exit_price": plain(trade.exit_price),
        "pnl": plain(trade.pnl),
        "fees": plain(trade.fees),
        "entry_order_id": trade.entry_order_id,
        "exit_order_id": trade.exit_order_id,
    }


def view_text(view: RunView) -> list["RenderableType"]:
    """Return the view, one part below the other, at most 80 columns wide."""
    run, account = view.run, view.account
    working = [order for order in view.orders if not order.status.is_final]
    held = [row for row in view.positions if row.qty]
    parts: list[RenderableType] = [
        Text(f"{run.config.strategy_id} on {', '.join(run.config.symbols)}, {run.config.timeframe}: {run.status}", style="bold"),
        Text(f"As of event {view.seq} at {iso(view.time_ns)}, number {view.events:,} of the run's own."),
        Text(f"Cash {figure(float(account.cash))}, equity {figure(view.equity)}, fees {figure(float(account.fees))}."),
        Text(f"{len(view.orders):,} orders, {len(working):,} of them working; {len(view.fills):,} fills."),
        Text(_trades_sentence(view.trades)),
    ]
    if held:
        parts += ["", _held_table(held)]
    else:
        parts.append(Text("Nothing is held."))
    if working:
        parts += ["", _working_table(working[-ORDERS_SHOWN:])]
        if len(working) > ORDERS_SHOWN:
            parts.append(Text(f"  … and {len(working) - ORDERS_SHOWN:,} older ones"))
    return parts


def _trades_sentence(trades: Sequence[Trade]) -> str:
    if not trades:
        return "No trade is closed."
    won = sum(trade.pnl > 0 for trade in trades)
    total = sum((trade.pnl for trade in trades), ZERO)
    return f"{len(trades):,} trades closed, {won:,} of them won; together {figure(float(total))} after fees."


def _held_table(held: list[PositionRow]) -> "RenderableType":
    rows = [(row.symbol, short(row.qty), short(row.avg_price), "–" if row.last is None else f"{row.last:g}") for row in held]
    return table(("position", "qty", "avg price", "last"), rows, right=("qty", "avg price", "last"))


def _working_table(orders: list[Order]) -> "RenderableType":
    rows = [
        (order.request.symbol, str(order.request.side), str(order.request.type), short(order.request.qty), str(order.status), order.id)
        for order in orders
    ]
    return table(("working", "side", "type", "qty", "status", "order"), rows, right=("qty",), fold=("order",))
