"""`weaver data actions`: splits and dividends, imported, listed and deleted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call, absolute
from app.cli_import import show_bad_rows
from app.console import print_json, progress, show, table
from app.options import EVERYWHERE, AsJson, OnBadWay, Symbol
from app.words import one_of
from core.errors import BadRows, InputError, UnknownName

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.corporate_action import ActionImport, CorporateAction


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (("import", import_), ("list", list_), ("delete", delete)):
        group.command(name, epilog=EVERYWHERE)(verb)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="CSV (also .gz, .zip, .zst) with the columns symbol, date, type and value.")],
    symbol: Symbol = None,
    on_bad: OnBadWay = "fail",
    as_json: AsJson = False,
) -> None:
    """Import splits and dividends, all of the file or nothing; --symbol where the file has one symbol and does not name it."""
    from rich.text import Text

    from core.model.market import parse_symbol
    from core.model.price_file import OnBad

    call: Call = context.obj
    path = absolute(file)
    wanted = parse_symbol(symbol) if symbol is not None else None
    way = OnBad(one_of("way with bad rows", on_bad, OnBad))

    async def work(engine: "Engine") -> "ActionImport":
        with progress(call.shows_progress) as on_progress:
            return await engine.import_corporate_actions(path, on_progress, symbol=wanted, on_bad=way)

    try:
        report = call.run(work)
    except BadRows as error:
        raise BadRows(error.what, "Correct the file, or add --on-bad skip to leave such rows out.") from error
    if as_json:
        print_json(_import_document(report))
        return
    merge = report.merge
    show(
        *(Text(line) for line in report.said),
        Text(f"{', '.join(report.symbols)}: {report.taken:,} of {report.rows:,} rows taken."),
        Text(f"{merge.added:,} splits and dividends are new, {merge.identical:,} were there before, {merge.changed:,} changed."),
    )
    if report.refused:
        show_bad_rows(report.refused_by_reason, report.bad_rows)


def _import_document(report: "ActionImport") -> dict[str, Any]:
    return {
        "symbols": list(report.symbols),
        "rows": report.rows,
        "taken": report.taken,
        "refused": report.refused,
        "refused_by_reason": dict(report.refused_by_reason),
        "bad_rows": [{"line": row.line, "reason": row.reason, "detail": row.detail} for row in report.bad_rows],
        "added": report.merge.added,
        "identical": report.merge.identical,
        "changed": report.merge.changed,
        "said": list(report.said),
    }


def list_(context: typer.Context, symbol: Symbol = None, as_json: AsJson = False) -> None:
    """List the stored splits and dividends."""
    from rich.text import Text

    from core.model.corporate_action import date_of, kind_of, value_of
    from core.model.money import plain

    call: Call = context.obj
    found = call.run(lambda engine: _stored(engine, symbol))
    if as_json:
        print_json({"actions": [_document(action) for action in found]})
    elif not found:
        show(Text("No splits and dividends are stored yet. Import a file with `weaver data actions import FILE`."))
    else:
        rows = [(action.symbol, str(date_of(action)), str(kind_of(action)), plain(value_of(action))) for action in found]
        show(table(("symbol", "date", "type", "value"), rows, right=("value",), fold=("value",)))


def _document(action: "CorporateAction") -> dict[str, Any]:
    from core.model.corporate_action import date_of, kind_of, value_of
    from core.model.money import plain

    return {"symbol": action.symbol, "date": str(date_of(action)), "type": str(kind_of(action)), "value": plain(value_of(action))}


def delete(context: typer.Context, symbol: Symbol = None, as_json: AsJson = False) -> None:
    """Remove a symbol's splits and dividends; the runs made with them stay."""
    from rich.text import Text

    call: Call = context.obj
    if symbol is None:
        raise InputError("data actions delete does not know what to remove.", "Name the symbol with --symbol.")
    given = symbol

    async def work(engine: "Engine") -> tuple[str, int]:
        found = await _stored(engine, given)
        if not found:
            raise UnknownName("symbol with stored splits or dividends", given, ())
        return found[0].symbol, await engine.delete_corporate_actions(found[0].symbol)

    name, removed = call.run(work)
    if as_json:
        print_json({"symbol": name, "deleted": removed})
    else:
        show(Text(f"{removed:,} splits and dividends of {name} are removed."))


async def _stored(engine: "Engine", symbol: str | None) -> "tuple[CorporateAction, ...]":
    """Return what is stored, of one symbol when it is named. Raises UnknownName for a symbol that has none while others have."""
    from core.model.market import parse_symbol

    if symbol is None:
        return await engine.corporate_actions()
    wanted = parse_symbol(symbol)
    found = await engine.corporate_actions(wanted)
    if not found:
        known = {action.symbol for action in await engine.corporate_actions()}
        if known:
            raise UnknownName("symbol with stored splits or dividends", wanted, known)
    return found
