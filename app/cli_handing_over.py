"""`weaver runs offer` and `weaver runs take-over`: a run goes from one desk to another."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.call import Call
from app.console import print_json, show
from app.options import AsJson, RunId
from app.words import surely
from core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.engine import Engine
    from core.model.desk import DeskSeen
    from core.model.run import Run


def offer(
    context: typer.Context,
    run: RunId,
    to: Annotated[
        str | None, typer.Option(help="Name or id of the desk that may take it over; without it the desks are listed.", metavar="DESK")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the offer back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let another desk take over a paper or live run of this one, with its account, at once; until it does the run goes on here."""
    from rich.text import Text

    call: Call = context.obj
    if to is not None and withdraw:
        raise InputError("--to offers the run, and --withdraw takes the offer back.", "Leave one of them out.")

    async def work(engine: "Engine") -> "tuple[str, DeskSeen | None, Sequence[DeskSeen]]":
        found = await engine.run(run)
        if to is None and not withdraw:
            return found.id, None, [seen for seen in await engine.desks() if not seen.is_here]
        return found.id, await engine.offer_run(found.id, to), ()

    run_id, offered, others = call.run(work, recover=False)  # a run whose desk is gone is left to whoever takes it over
    if to is None and not withdraw:
        if as_json:
            print_json({"run": run_id, "desks": [_document(seen) for seen in others]})
        elif others:
            show(Text(f"Name the desk with --to. {'; '.join(seen.words for seen in others)}."))
        else:
            show(Text("No other desk has used this database yet."))
    elif as_json:
        print_json({"offered": run_id, "to": None if offered is None else _document(offered)})
    elif offered is None:
        show(Text(f"Run {run_id} stays here: the offer is taken back."))
    else:
        show(Text(f"Run {run_id} goes on here until the desk {offered.words} takes it over: weaver runs take-over {run_id}"))


def take_over(
    context: typer.Context,
    run: RunId,
    confirm: Annotated[str, typer.Option(help="Of a live run: the account's number, typed.", metavar="NAME")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a run from a desk that is gone or has offered it: it is compared with the broker and interrupted; it can be resumed here."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "Run":
        return await engine.take_over_run(surely("run", run, (await engine.run(run)).id), confirm)

    taken = call.run(work, recover=False)
    if as_json:
        print_json({"taken": taken.id, "said": taken.error})
    else:
        show(Text(f"Run {taken.id} is here. {taken.error or ''}".rstrip()))


def _document(seen: "DeskSeen") -> dict[str, object]:
    return {"id": seen.desk.id, "name": seen.desk.name, "version": seen.version, "seen_s": round(seen.seen_s, 1)}
