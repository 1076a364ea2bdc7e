"""`weaver strategies`: list and show."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call
from app.console import print_json, show, table
from app.options import EVERYWHERE, AsJson
from core.errors import UnknownName

if TYPE_CHECKING:
    from core.model.plugin import StrategyInfo


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    group.command("list", epilog=EVERYWHERE)(list_)
    group.command("show", epilog=EVERYWHERE)(show_)


def strategy_document(info: "StrategyInfo") -> dict[str, Any]:
    """Return what is known of a plug-in; `params` is JSON Schema."""
    return {
        "id": info.id,
        "name": info.name,
        "version": info.version,
        "description": info.description,
        "symbols": info.symbols,
        "builtin": info.builtin,
        "path": info.path,
        "sha256": info.sha256,
        "error": info.error,
        "params": info.json_schema(),
    }


def _found(call: Call) -> dict[str, "StrategyInfo"]:
    from app.compose import compose_strategies

    call.make_directories()
    source = compose_strategies(call.paths.strategies)
    found = dict(source.find_all())
    for sentence in source.unreadable.values():
        sys.stderr.write(f"warning: {sentence}\n")
    return found


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the strategies, broken ones with their error."""
    from rich.text import Text

    call: Call = context.obj
    found = _found(call)
    if as_json:
        print_json({"strategies": [strategy_document(info) for info in found.values()]})
        return
    rows = [
        (info.id, info.name, info.version, "built in" if info.builtin else "own", "broken" if info.error else "ok")
        for info in found.values()
    ]
    show(table(("id", "name", "version", "from", "state"), rows, fold=("id", "name")))
    for info in found.values():
        if info.error:
            show(Text(f"{info.path}: {info.error}"))
    show(Text(f"Your own strategies belong in {call.paths.strategies}."))


def show_(context: typer.Context, id: Annotated[str, typer.Argument(help="Id of the strategy.")], as_json: AsJson = False) -> None:
    """Show a strategy: when it trades, and its parameters with types, bounds and defaults."""
    from rich.text import Text

    from core.model.money import exact, plain

    call: Call = context.obj
    found = _found(call)
    if id not in found:
        raise UnknownName("strategy", id, found)
    info = found[id]
    if as_json:
        print_json(strategy_document(info))
        return
    symbols = "any number of symbols" if info.symbols == 0 else f"{info.symbols} symbol{'s' if info.symbols > 1 else ''}"
    if info.error:
        show(Text(info.id, style="bold"), Text(info.path), Text(f"It cannot be loaded: {info.error}"))
        return
    show(Text(f"{info.name} ({info.id}, version {info.version}), {symbols}", style="bold"), Text(info.description), Text(info.path))
    if info.params:
        rows = [
            (
                spec.name,
                str(spec.kind),
                str(spec.default),
                "" if spec.minimum is None else plain(exact(spec.minimum)),
                "" if spec.maximum is None else plain(exact(spec.maximum)),
                spec.help + (f" One of {', '.join(spec.choices)}." if spec.choices else ""),
            )
            for spec in info.params
        ]
        show(
            table(
                ("parameter", "type", "default", "min", "max", "what it is"),
                rows,
                right=("default", "min", "max"),
                fold=("default", "what it is"),
            )
        )
