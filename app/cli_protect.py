"""`weaver positions protect`: a target and a stop loss for a position that is held already."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.console import print_json, show, table
from app.hand_call import At, HandCall
from app.hand_options import BrokerId, Confirm, Owner, SymbolArgument, amount
from app.options import AccountText, AsJson
from app.order_words import order_document, order_line, say_refused
from app.words import one_of

if TYPE_CHECKING:
    from core.model.hand import ExitsPreview, HandExits
    from core.model.order import Order

_UNMINDED: Final = "while no program has the account open, one that fills does not take the other back.\n"


def protect(
    context: typer.Context,
    symbol: SymbolArgument,
    target: Annotated[str | None, typer.Option(help="Take the profit at this price.", metavar="P")] = None,
    stop_loss: Annotated[str | None, typer.Option("--stop-loss", help="Stop the loss at this price.", metavar="P")] = None,
    qty: Annotated[str | None, typer.Option(help="Only so many units; else all that no order closes yet.", metavar="N")] = None,
    tif: Annotated[str | None, typer.Option(help="gtc or day; else gtc where the broker takes that.", metavar="TIF")] = None,
    note: Annotated[str, typer.Option(help="Why, kept with the orders.", metavar="TEXT")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Say what they would be; nothing is sent.")] = False,
    owner: Owner = None,
    broker: BrokerId = None,
    account: AccountText = "paper",
    confirm: Confirm = "",
    as_json: AsJson = False,
) -> None:
    """Give a position that is held a target, a stop loss, or both, of which one cancels the other."""
    from core.model.hand import EACH_BY_ITSELF, HandExits
    from core.model.order import TimeInForce

    qty_, target_, stop_loss_ = amount("--qty", qty), amount("--target", target), amount("--stop-loss", stop_loss)
    time_in_force = None if tif is None else TimeInForce(one_of("time in force", tif, TimeInForce))

    def wanted(owner_id: str) -> "HandExits":
        return HandExits(
            symbol=symbol,
            owner_id=owner_id,
            qty=qty_,
            target_price=target_,
            stop_loss_price=stop_loss_,
            time_in_force=time_in_force,
            note=note,
        )

    wanted(owner or "")  # what is none at all is refused before anything is connected

    async def look(at: At) -> "ExitsPreview":
        return await at.engine.preview_exits(*at.key, wanted(at.owner_of(await at.view(), symbol, owner, "given exits")))

    async def work(at: At) -> "list[Order]":
        exits = wanted(at.owner_of(await at.view(), symbol, owner, "given exits"))
        preview = await at.engine.preview_exits(*at.key, exits)
        if preview.exits_leave == EACH_BY_ITSELF and preview.is_allowed:
            sys.stderr.write("The broker takes the two as two orders: " + _UNMINDED)
        return [await at.followed(order) for order in await at.engine.protect_position(*at.key, exits)]

    call = HandCall(context.obj, broker, account, confirm)
    if preview:
        _show_preview(call.run(look), as_json=as_json)
    else:
        _show_orders(call.run(work), as_json=as_json)


def _show_orders(orders: "list[Order]", *, as_json: bool) -> None:
    if as_json:
        print_json({"orders": [order_document(order) for order in orders]})
    else:
        for order in orders:
            show(order_line(order))
    for order in orders:
        say_refused(order)


def _show_preview(preview: "ExitsPreview", *, as_json: bool) -> None:
    from core.model.money import plain

    figures: dict[str, Any] = {name: getattr(preview, name) for name in ("qty", "open_qty", "price", "at_target", "at_stop_loss")}
    if as_json:
        verdicts = [{name: getattr(one, name) for name in one.__struct_fields__} for one in preview.verdicts]
        print_json({**figures, "exits_leave": preview.exits_leave, "is_allowed": preview.is_allowed, "verdicts": verdicts})
        return
    words = [(name.replace("_", " "), "–" if value is None else plain(value)) for name, value in figures.items()]
    show(table(("preview", ""), [*words, ("exits leave", preview.exits_leave)], right=("",)))
    for one in preview.verdicts:
        show(one.sentence)
    if preview.is_allowed:
        show("It breaks no rule. Nothing was sent.")
