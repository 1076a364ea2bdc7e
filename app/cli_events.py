"""`weaver events`: tail the log, and show the chain of causes of one event."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call
from app.console import print_json, show
from app.later import refuse_option
from app.options import EVERYWHERE, AsJson
from core.errors import InputError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from core.engine import Engine
    from core.events.envelope import Envelope

PAGE = 10_000


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    group.command("tail", epilog=EVERYWHERE)(tail)
    group.command("show", epilog=EVERYWHERE)(show_)


def tail(
    context: typer.Context,
    run: Annotated[str | None, typer.Option(help="Only events of this run (id or its beginning).", metavar="ID")] = None,
    type: Annotated[str, typer.Option(help="Only types that fit: orders.*, run.Created.", metavar="PATTERN")] = "*",
    limit: Annotated[int, typer.Option(help="How many, from the end.", metavar="N")] = 50,
    follow: Annotated[bool, typer.Option("--follow", hidden=True, help="Not in this version.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the last events of the log, oldest first."""
    from rich.text import Text

    call: Call = context.obj
    if follow:
        refuse_option("events tail", "--follow")
    if limit < 1:
        raise InvalidValue("--limit", limit, "it must be at least 1.")
    _check_pattern(type)

    async def work(engine: "Engine") -> list["Envelope"]:
        run_id = None if run is None else (await engine.run(run)).id
        last: list[Envelope] = []
        after = 0
        while page := await engine.events(after_seq=after, run_id=run_id, pattern=type, limit=PAGE):
            last = [*last, *page][-limit:]
            after = page[-1].seq
        return last

    events = call.run(work)
    if as_json:
        print_json({"events": [_event_document(event) for event in events]})
    elif not events:
        show(Text("No event fits."))
    else:
        show(*(Text(_line(event)) for event in events))


def show_(context: typer.Context, seq: Annotated[int, typer.Argument(help="Number of the event.")], as_json: AsJson = False) -> None:
    """Print the chain of causes of one event, from the first cause to the event."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> list["Envelope"]:
        found = await engine.events(after_seq=seq - 1, limit=1)
        if not found or found[0].seq != seq:
            raise InputError(f"There is no event {seq}.", "`weaver events tail` lists the last ones.")
        return await _chain(engine, found[0])

    chain = call.run(work)
    missing = chain[0].causation_id
    if as_json:
        print_json({"chain": [_event_document(event) for event in chain], "cause_not_stored": missing})
        return
    if missing is not None:
        show(Text("(the first cause was a tick or a window; they are stored by runs with --trace)"))
    show(*(Text("  " * depth + _line(event)) for depth, event in enumerate(chain)))


async def _chain(engine: "Engine", event: "Envelope") -> list["Envelope"]:
    by_id: dict[str, Envelope] = {}
    after = 0
    while after < event.seq and (page := await engine.events(after_seq=after, run_id=event.run_id, limit=PAGE)):
        by_id |= {item.id: item for item in page if item.seq < event.seq}
        after = page[-1].seq
    chain = [event]
    while (cause := chain[0].causation_id) is not None and cause in by_id:
        chain.insert(0, by_id[cause])
    return chain


def _check_pattern(pattern: str) -> None:
    from fnmatch import fnmatchcase

    from core.events.registry import event_types

    known = event_types()
    if not any(fnmatchcase(name, pattern) for name in known):
        raise UnknownName("event type", pattern, [*known, *{name.partition(".")[0] + ".*" for name in known}])


def _event_document(event: "Envelope") -> dict[str, Any]:
    import msgspec

    from core.model.instants import iso

    return {
        "seq": event.seq,
        "id": event.id,
        "type": event.type,
        "version": event.version,
        "kind": str(event.kind),
        "run_id": event.run_id,
        "time": iso(event.ts),
        "causation_id": event.causation_id,
        "corr_id": event.corr_id,
        "trace_id": event.trace_id,
        "producer": event.producer,
        "payload": msgspec.to_builtins(event.payload),
    }


def _line(event: "Envelope") -> str:
    import msgspec

    from core.model.instants import iso

    payload = {
        name: value
        for name, value in msgspec.to_builtins(event.payload).items()
        if not isinstance(value, (dict, list)) and value is not None
    }
    said = ", ".join(f"{name} {value}" for name, value in payload.items())
    run = f" [{event.run_id[:8]}]" if event.run_id else ""
    return f"{event.seq:>6} {iso(event.ts)}{run} {event.type} {said}".rstrip()
