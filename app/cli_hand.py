"""`weaver orders place` and `change`, `weaver positions close`, `reverse` and `protect`: what a person does at an account by hand."""

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli_accounts import positions
from app.cli_protect import protect
from app.console import print_json, show, table
from app.hand_call import At, HandCall
from app.hand_options import BrokerId, Confirm, Owner, Price, SymbolArgument, amount
from app.options import EVERYWHERE, AccountText, AsJson, KeptAt
from app.order_words import order_document, order_line, say_refused
from app.words import one_of
from core.errors import BrokerError

if TYPE_CHECKING:
    from core.model.hand import HandOrder, OrderPreview
    from core.model.order import Order


def add_to(app: typer.Typer, accounts: typer.Typer, orders: typer.Typer, group: typer.Typer) -> None:
    """Add the verbs to their groups, and `positions` with them."""
    orders.command("place", epilog=EVERYWHERE)(place)
    orders.command("change", epilog=EVERYWHERE)(change)
    accounts.command("count-anew", epilog=EVERYWHERE)(count_anew)
    group.callback(invoke_without_command=True)(_positions)
    group.command("close", epilog=EVERYWHERE)(close)
    group.command("reverse", epilog=EVERYWHERE)(reverse)
    group.command("protect", epilog=EVERYWHERE)(protect)
    app.add_typer(group, name="positions")


def _positions(context: typer.Context, account: AccountText = "paper", broker: KeptAt = None, as_json: AsJson = False) -> None:
    """List what an account holds; close, reverse or protect a position of it."""
    if context.invoked_subcommand is None:
        positions(context, account, broker, as_json)


def place(
    context: typer.Context,
    symbol: SymbolArgument,
    side: Annotated[str, typer.Argument(help="buy or sell.", metavar="SIDE")],
    qty: Annotated[str | None, typer.Argument(help="Units; or say --notional.", metavar="[QTY]")] = None,
    type_: Annotated[str, typer.Option("--type", help="market, limit, stop, stop_limit or trailing_stop.", metavar="TYPE")] = "market",
    notional: Annotated[str | None, typer.Option(help="An amount of money in place of units.", metavar="AMOUNT")] = None,
    limit: Price = None,
    stop: Price = None,
    trail: Annotated[str | None, typer.Option(help="How far a trailing stop follows: 2.5, or 1% of the price.", metavar="P|N%")] = None,
    tif: Annotated[str | None, typer.Option(help="day, gtc, ioc, fok, opg or cls; else day, of coins gtc.", metavar="TIF")] = None,
    target: Annotated[str | None, typer.Option(help="Take the profit at this price when it has filled.", metavar="P")] = None,
    stop_loss: Annotated[str | None, typer.Option("--stop-loss", help="Stop the loss at this price then.", metavar="P")] = None,
    extended_hours: Annotated[bool, typer.Option("--extended-hours", help="Before and after the session too.")] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only if it takes off a position of yours.")] = False,
    note: Annotated[str, typer.Option(help="Why, kept with the order.", metavar="TEXT")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Say what it would come to; nothing is sent.")] = False,
    broker: BrokerId = None,
    account: AccountText = "paper",
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Place an order by hand, and wait for the broker's word."""
    from core.model.hand import HandOrder
    from core.model.order import OrderSide, OrderType, TimeInForce

    trail_price, trail_percent = _trail(trail)
    order = HandOrder(
        symbol=symbol,
        side=OrderSide(one_of("side", side, OrderSide)),
        type=OrderType(one_of("order type", type_, OrderType)),
        qty=amount("QTY", qty),
        notional=amount("--notional", notional),
        time_in_force=None if tif is None else TimeInForce(one_of("time in force", tif, TimeInForce)),
        limit_price=amount("--limit", limit),
        stop_price=amount("--stop", stop),
        trail_price=trail_price,
        trail_percent=trail_percent,
        extended_hours=extended_hours,
        reduce_only=reduce_only,
        target_price=amount("--target", target),
        stop_loss_price=amount("--stop-loss", stop_loss),
        note=note,
    )
    desk = HandCall(context.obj, broker, account, confirm)
    if preview:
        _show_preview(desk.run(lambda at: at.engine.preview_order(*at.key, order)), as_json=as_json)
        return
    _show_order(desk.run(lambda at: _placed(at, order)), as_json=as_json)


def change(
    context: typer.Context,
    order_id: Annotated[str, typer.Argument(help="Id of a working order of ours, or its beginning.", metavar="ID")],
    qty: Annotated[str | None, typer.Option(help="What the whole order is to be over, what is filled included.", metavar="N")] = None,
    limit: Price = None,
    stop: Price = None,
    trail: Annotated[str | None, typer.Option(help="A price or a percent, as the order has it.", metavar="N")] = None,
    broker: BrokerId = None,
    account: AccountText = "paper",
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Give a working order other terms, and wait for the broker's word."""
    from core.model.hand import OrderTerms

    prices = {"limit_price": amount("--limit", limit), "stop_price": amount("--stop", stop), "trail": amount("--trail", trail)}
    terms = OrderTerms(qty=amount("--qty", qty), **prices)

    async def work(at: At) -> "Order":
        found = at.one_working(await at.view(), order_id)
        async with at.until_settled(found.id, {"orders.Replaced", "orders.ReplaceRefused"}) as said:
            await at.engine.change_order(*at.key, found.id, terms)
        refused = [event for event in said if event.type == "orders.ReplaceRefused"]
        if refused:
            raise BrokerError(f"Order {found.id} stays as it was: {refused[-1].payload.reason}")
        if not said:
            raise BrokerError(f"The broker has not said yet whether it changes order {found.id}.", "Look at it again in a moment.")
        return await at.order(found.id, found.run_id)

    _show_order(HandCall(context.obj, broker, account, confirm).run(work), as_json=as_json)


def close(
    context: typer.Context,
    symbol: SymbolArgument,
    qty: Annotated[str | None, typer.Option(help="Only so many units of it.", metavar="N")] = None,
    owner: Owner = None,
    broker: BrokerId = None,
    account: AccountText = "paper",
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Close a position at the market, in its owner's name; what works on the closing side is cancelled first."""
    units = amount("--qty", qty)

    async def work(at: At) -> "Order":
        held = at.owner_of(await at.view(), symbol, owner)
        async with at.until_covered():
            return await at.followed(await at.engine.close_position(*at.key, symbol, held, units))

    _show_order(HandCall(context.obj, broker, account, confirm).run(work), as_json=as_json)


def reverse(
    context: typer.Context,
    symbol: SymbolArgument,
    owner: Owner = None,
    broker: BrokerId = None,
    account: AccountText = "paper",
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Turn a position around at the market: a long becomes a short of the same size, and a short a long."""
    from core.model.order import OrderStatus

    async def work(at: At) -> "Order":
        view = await at.view()
        held = at.owner_of(view, symbol, owner)
        before = next(one.qty for one in view.positions if (one.symbol, one.owner_id) == (symbol.upper(), held))
        async with at.until_covered():
            order = await at.followed(await at.engine.reverse_position(*at.key, symbol, held))
        if order.status is OrderStatus.FILLED:
            await at.until(lambda now: any(one.symbol == order.request.symbol and one.qty * before < 0 for one in now.positions))
        return order

    _show_order(HandCall(context.obj, broker, account, confirm).run(work), as_json=as_json)


def count_anew(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="Which account: paper or live.")],
    broker: BrokerId = None,
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Count an account's losses from its money as it is now: after some was paid out, which is no loss."""
    from core.model.money import plain

    money = HandCall(context.obj, broker, account, confirm).run(lambda at: at.engine.count_losses_anew(*at.key))
    if as_json:
        print_json({"account": account, "number": money.number, "equity": money.equity})
    else:
        show(f"The losses of account {money.number} are counted from {plain(money.equity)} {money.currency} on.")


async def _placed(at: At, order: "HandOrder") -> "Order":
    placed = await at.followed(await at.engine.place_order(*at.key, order))
    exits = (order.target_price is not None) + (order.stop_loss_price is not None)
    if exits:
        # Where the broker does not take them along the program sends them: it stays until it has, or they have nothing to wait for.
        sys.stderr.write(
            "Its exits leave with it, or when it has filled: this call waits for that. Ctrl+C ends the waiting, not what waits.\n"
        )
        await at.until_exits_left(placed, exits)
    return placed


def _trail(text: str | None) -> tuple[Decimal | None, Decimal | None]:
    """Return a trail as a price, or as a percent."""
    if text is None or not text.strip().endswith("%"):
        return amount("--trail", text), None
    return None, amount("--trail", text.strip()[:-1])


def _show_order(order: "Order", *, as_json: bool) -> None:
    if as_json:
        print_json(order_document(order))
    else:
        show(order_line(order))
    say_refused(order)


def _show_preview(preview: "OrderPreview", *, as_json: bool) -> None:
    from core.model.money import plain

    figures = {
        "qty": preview.qty,
        "price": preview.price,
        "price_source": preview.price_source,
        "cost": preview.cost,
        "position_after": preview.position_after,
        "buying_power": preview.buying_power,
        "buying_power_after": preview.buying_power_after,
    }
    if preview.exits_leave:
        figures["exits_leave"] = preview.exits_leave
    if as_json:
        verdicts = [{name: getattr(one, name) for name in one.__struct_fields__} for one in preview.verdicts]
        print_json({**figures, "is_allowed": preview.is_allowed, "verdicts": verdicts})
        return
    words = []
    for name, value in figures.items():
        shown = plain(value) if isinstance(value, Decimal) else value
        words.append((name.replace("_", " "), "–" if shown is None else shown))
    show(table(("preview", ""), words, right=("",)))
    for one in preview.verdicts:
        show(one.sentence)
    if preview.is_allowed:
        show("It breaks no rule. Nothing was sent.")
