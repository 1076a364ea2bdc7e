"""`weaver orders cancel` and `weaver reconcile`: what a person does to the orders of an account beside the runs."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from app.account_call import parse_account, with_account
from app.call import Call
from app.console import fail, print_json, show, table
from app.hand_call import At, HandCall
from app.options import EVERYWHERE, AccountText, AsJson, KeptAt
from app.words import one_of, surely
from core.errors import BrokerError, BrokerRefused, BrokerUnreachable, InputError, InvalidValue, OutcomeUnknown, RateLimited, UnknownName

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.broker import BrokerOrder
    from core.model.order import Order
    from core.model.reconciliation import Reconciliation
    from core.ports import Broker

PATIENCE_S: Final = 10.0
"""How long the broker's word on a cancel is waited for."""
_POLL_S: Final = 0.2
_AGAIN_S: Final = 1.0
"""When a cancel is asked for again that the broker did not take."""


_Order: TypeAlias = "BrokerOrder | Order"


def add_to(app: typer.Typer, orders: typer.Typer) -> None:
    """Add the verbs to the program and to their group."""
    orders.command("cancel", epilog=EVERYWHERE)(cancel)
    app.command("reconcile", epilog=EVERYWHERE)(reconcile)


def cancel(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of open orders, or their beginnings.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open order of the account, whoever sent it.")] = False,
    account: AccountText = "paper",
    broker: KeptAt = None,
    as_json: AsJson = False,
) -> None:
    """Ask the broker to cancel open orders of an account, and wait for its word."""
    call: Call = context.obj
    if bool(ids) is all_:
        raise InputError("orders cancel takes ids, or --all.", "`weaver orders list` shows the open orders.")
    name, wanted = parse_account(account), None if all_ else ids or ()
    done: Sequence[tuple[_Order, str]]
    if broker is None:
        done = with_account(call, account, lambda found: _cancelled(found, wanted))
    else:
        at = one_of("broker", broker, ("paper",))
        done = HandCall(call, at, account, "").run(lambda here: _cancelled_here(here, wanted))
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
    newest = {order.id: order for order in _chosen(await broker.orders.open_orders(), ids)}
    said: dict[str, str] = {}
    unheard = dict.fromkeys(newest, "")
    """Of which the broker has not taken the cancel, and why: a cancel can be asked for again."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while waiting := [order.id for order in newest.values() if not order.status.is_final and order.id not in said]:
                for order_id in waiting:
                    await _ask(broker, order_id, said, unheard)
                    with suppress(BrokerUnreachable, RateLimited):
                        newest[order_id] = await broker.orders.order(order_id) or newest[order_id]
                await asyncio.sleep(_POLL_S if not unheard else _AGAIN_S)
    except TimeoutError:
        pass  # it was asked for; what became of it is shown as it is
    return [(order, said.get(order.id) or unheard.get(order.id) or "") for order in newest.values()]


async def _ask(broker: "Broker", order_id: str, said: dict[str, str], unheard: dict[str, str]) -> None:
    """Ask for a cancel that the broker has not taken yet. Raises BrokerError where no other order would fare better."""
    if order_id not in unheard:
        return
    try:
        await broker.desk.cancel(order_id)
        del unheard[order_id]
    except BrokerRefused as error:
        said[order_id] = error.what
        del unheard[order_id]
    except (BrokerUnreachable, OutcomeUnknown, RateLimited) as error:
        unheard[order_id] = error.what


async def _cancelled_here(at: At, ids: Sequence[str] | None) -> "list[tuple[Order, str]]":
    """Cancel orders of the account in the database, of whichever run; return each as it is then."""
    view = await at.view()
    chosen = list(view.working) if ids is None else [at.one_working(view, text) for text in ids]
    for order in chosen:
        await at.engine.cancel_order(*at.key, order.id)
    wanted = {order.id for order in chosen}
    await at.until(lambda now: not wanted & {order.id for order in now.working}, PATIENCE_S)
    return [(await at.order(order.id, order.run_id), "") for order in chosen]


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
        one = fitting[0]
        surely("order", text, text if text in {one.client_order_id, one.id} else one.client_order_id)
        found[one.id] = one
    return list(found.values())


def _is_cancelled(order: "_Order") -> bool:
    from core.model.order import OrderStatus

    return order.status is OrderStatus.CANCELLED


def _row(order: "_Order", said: str) -> tuple[str, ...]:
    from core.model.order import Order

    if isinstance(order, Order):
        request = order.request
        return f"{request.side} {request.type.replace('_', ' ')}", request.symbol, str(order.status).replace("_", " "), order.id
    words = f"{order.side or '?'} {order.broker_type.replace('_', ' ')}"
    return words, order.symbol, said or order.broker_status.replace("_", " "), order.client_order_id


def _document(order: "_Order", said: str) -> dict[str, Any]:
    from core.model.order import Order

    if isinstance(order, Order):
        return {
            "id": order.broker_id,
            "client_order_id": order.id,
            "symbol": order.request.symbol,
            "status": str(order.status),
            "broker_status": str(order.status),
            "filled_qty": order.filled_qty,
            "cancelled": _is_cancelled(order),
            "said": said,
        }
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
    adopt: Annotated[bool, typer.Option("--adopt", help="Take what nothing else heals as the broker has it.")] = False,
    reason: Annotated[
        str, typer.Option(help="Why it is taken so; kept with it.", metavar="TEXT")
    ] = "A person took it as the broker has it.",
    as_json: AsJson = False,
) -> None:
    """Compare an account with what is stored of it, and heal what differs. Sends no order."""
    call: Call = context.obj
    name = parse_account(account)
    at = broker or call.settings().text(f"account.{name}_adapter")

    async def work(engine: "Engine") -> "Reconciliation":
        return await engine.reconcile_account(at, name, reason if adopt else None)

    found = call.run(work)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        _tell(found)
    if found.unhealed:
        fail(
            "books_differ",
            f"{found.account}: {found.unhealed[0].reason} Nothing heals that; compare it there, and take it as it is with --adopt.",
        )


def _tell(found: "Reconciliation") -> None:
    from core.views.words import HEALED

    if found.is_new:
        show(f"{found.account} is met for the first time; what it holds is counted as somebody else's.")
    for one in found.differences:
        show(f"{one.what.replace('_', ' ')}: {one.reason} {HEALED.get(one.healing, '')}".rstrip())
    if not found.differences:
        show(f"{found.account}: nothing differs. {found.orders} of our orders work there.")
