"""`weaver orders cancel` and `weaver reconcile`: what a person does to the orders of an account beside the runs."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.account_call import parse_account, with_account
from app.call import Call
from app.console import fail, print_json, show, table
from app.options import EVERYWHERE, AccountText, AsJson
from core.errors import BrokerError, BrokerRefused, InputError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.broker import BrokerOrder
    from core.model.reconciliation import Reconciliation
    from core.ports import Broker

PATIENCE_S: Final = 10.0
"""How long the broker's word on a cancel is waited for."""
_POLL_S: Final = 0.2


def add_to(app: typer.Typer, orders: typer.Typer) -> None:
    """Add the verbs to the program and to their group."""
    orders.command("cancel", epilog=EVERYWHERE)(cancel)
    app.command("reconcile", epilog=EVERYWHERE)(reconcile)


def cancel(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of open orders, or their beginnings.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open order of the account, whoever sent it.")] = False,
    account: AccountText = "paper",
    as_json: AsJson = False,
) -> None:
    """Ask the broker to cancel open orders of an account, and wait for its word."""
    call: Call = context.obj
    if bool(ids) is all_:
        raise InputError("orders cancel takes ids, or --all.", "`weaver orders list` shows the open orders.")
    done = with_account(call, account, lambda broker: _cancelled(broker, None if all_ else ids or ()))
    name = parse_account(account)
    if as_json:
        print_json({"account": str(name), "orders": [_document(order, said) for order, said in done]})
    elif not done:
        show(f"The {name} account has no open orders.")
    else:
        show(table(("order", "symbol", "", "id"), [_row(order, said) for order, said in done], fold=("id",)))
    left = [order for order, said in done if not _is_cancelled(order) or said]
    if left:
        fail(BrokerError.code, f"{len(left)} of {len(done)} orders are not cancelled.")


async def _cancelled(broker: "Broker", ids: Sequence[str] | None) -> "list[tuple[BrokerOrder, str]]":
    """Cancel the orders that are meant; return each as it is then, with what the broker said against it."""
    chosen = _chosen(await broker.orders.open_orders(), ids)
    said: dict[str, str] = {}
    for order in chosen:
        try:
            await broker.desk.cancel(order.id)
        except BrokerRefused as error:
            said[order.id] = error.what
    newest = {order.id: order for order in chosen}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while waiting := [order.id for order in newest.values() if not order.status.is_final and order.id not in said]:
                for order_id in waiting:
                    newest[order_id] = await broker.orders.order(order_id) or newest[order_id]
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass  # it was asked for; what became of it is shown as it is
    return [(order, said.get(order.id, "")) for order in newest.values()]


def _chosen(orders: "Sequence[BrokerOrder]", ids: Sequence[str] | None) -> "list[BrokerOrder]":
    """Return the open orders that are meant, each once. Raises UnknownName, InvalidValue."""
    if ids is None:
        return list(orders)
    flat = [one for order in orders for one in (order, *order.legs)]
    found: dict[str, BrokerOrder] = {}
    for text in ids:
        fitting = [one for one in flat if text and text in {one.client_order_id, one.id}]
        fitting = fitting or [one for one in flat if text and (one.client_order_id.startswith(text) or one.id.startswith(text))]
        if not fitting:
            raise UnknownName("open order", text, [one.client_order_id for one in flat])
        if len(fitting) > 1:
            raise InvalidValue("order", text, f"{len(fitting)} open orders begin so; write more of the id.")
        found[fitting[0].id] = fitting[0]
    return list(found.values())


def _is_cancelled(order: "BrokerOrder") -> bool:
    from core.model.order import OrderStatus

    return order.status is OrderStatus.CANCELLED


def _row(order: "BrokerOrder", said: str) -> tuple[str, ...]:
    words = f"{order.side or '?'} {order.broker_type.replace('_', ' ')}"
    return words, order.symbol, said or order.broker_status.replace("_", " "), order.client_order_id


def _document(order: "BrokerOrder", said: str) -> dict[str, Any]:
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "status": str(order.status),
        "broker_status": order.broker_status,
        "filled_qty": order.filled_qty,
        "cancelled": _is_cancelled(order),
        "said": said,
    }


def reconcile(
    context: typer.Context,
    account: AccountText = "paper",
    broker: Annotated[str | None, typer.Option(help="At this broker, instead of the one that the account is at.", metavar="ID")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare an account with what is stored of it, and heal what differs. Sends no order."""
    call: Call = context.obj
    name = parse_account(account)
    at = broker or call.settings().text(f"account.{name}_adapter")

    async def work(engine: "Engine") -> "Reconciliation":
        return await engine.reconcile_account(at, name)

    found = call.run(work)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        _tell(found)
    if found.unhealed:
        fail("books_differ", f"{found.account}: {found.unhealed[0].reason} Nothing heals that; compare it at the broker.")


def _tell(found: "Reconciliation") -> None:
    from core.views.words import HEALED

    if found.is_new:
        show(f"{found.account} is met for the first time; what it holds is counted as somebody else's.")
    for one in found.differences:
        show(f"{one.what.replace('_', ' ')}: {one.reason} {HEALED.get(one.healing, '')}".rstrip())
    if not found.differences:
        show(f"{found.account}: nothing differs. {found.orders} of our orders work there.")
