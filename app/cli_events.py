"""`weaver events`: tail the log, and show the chain of causes of one event."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call, absolute
from app.console import let_stdout_go, print_json, print_json_line, show
from app.options import EVERYWHERE, AsJson
from core.errors import Cancelled, InputError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.store.archive_file import ArchivedEvents
    from core.views.chain import ChainStep

ArchiveFile = Annotated[
    Path | None, typer.Option("--archive", readable=False, help="Read archived events instead of the log.", metavar="FILE")
]


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    group.command("tail", epilog=EVERYWHERE)(tail)
    group.command("show", epilog=EVERYWHERE)(show_)


def tail(
    context: typer.Context,
    run: Annotated[str | None, typer.Option(help="Only events of this run (id or its beginning).", metavar="ID")] = None,
    type: Annotated[str, typer.Option(help="Only types that fit: orders.*, run.Created.", metavar="PATTERN")] = "*",
    limit: Annotated[int, typer.Option(help="How many, from the end.", metavar="N")] = 50,
    archive: ArchiveFile = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with each event as it is appended, by whichever process, until Ctrl+C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the last events of the log, oldest first. With --follow, --json prints an object a line."""
    call: Call = context.obj
    if limit < 1 and not (follow and limit == 0):
        raise InvalidValue("--limit", limit, "it must be at least 1." if not follow else "it must be at least 0.")
    _check_pattern(type)
    if follow:
        if archive is not None:
            raise InputError("Nothing is appended to an archive.", "Leave out --archive or --follow.")
        _follow(call, run, type, limit, as_json=as_json)
        return

    async def work(engine: "Engine") -> list["Envelope"]:
        run_id = None if run is None else (await engine.run(run)).id
        return await engine.events_back(run_id=run_id, pattern=type, limit=limit)

    events = call.run(work) if archive is None else _archived(archive).last(limit, run_id=run, pattern=type)
    if as_json:
        print_json({"events": [event_document(event) for event in events]})
    elif not events:
        show("No event fits.")
    else:
        show(*map(_text, events))


def _follow(call: Call, run: str | None, pattern: str, limit: int, *, as_json: bool) -> None:
    """Print the end of the log and what comes. To be stopped, or read no further, is how it ends."""
    from app.following import Follower

    follower = Follower(_print_as_json if as_json else lambda event: show(_text(event)))

    async def work(engine: "Engine") -> None:
        run_id = None if run is None else (await engine.run(run)).id
        await follower.follow(engine, run_id=run_id, pattern=pattern, limit=limit)

    with suppress(Cancelled):
        call.run(work, recover=False)  # who only looks leaves what a crash cut off as it is
    if follower.is_unread:
        let_stdout_go()


def show_(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(help="Number of the event.")],
    archive: ArchiveFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what led to an event, from the first cause to it: each step with its figures."""
    from core.views.chain import chain_steps

    call: Call = context.obj
    chain = call.run(lambda engine: engine.chain(seq)) if archive is None else _archived_chain(archive, seq)
    steps = chain_steps(chain)
    if as_json:
        said = {step.seq: step for step in steps}
        told = [{**event_document(event), "step": said[event.seq].title, "sentence": said[event.seq].sentence} for event in chain]
        print_json({"chain": told, "cause_not_stored": chain[0].causation_id})
    else:
        show(*(_step_text(step) for step in steps))


def _archived(file: Path) -> "ArchivedEvents":
    from core.events.codec import EventCodec
    from core.store.archive_file import ArchivedEvents

    return ArchivedEvents(absolute(file), EventCodec())


def _archived_chain(file: Path, seq: int) -> list["Envelope"]:
    from core.clock.realtime import SystemClock
    from core.events.codec import EventCodec
    from core.events.memory import MemoryEventLog
    from core.runs.chain import chain_of

    found, clock = _archived(file).of_run_of(seq), SystemClock()
    log = MemoryEventLog(now_ns=clock.now_ns, monotonic_ns=clock.monotonic_ns, codec=EventCodec())
    log.restore(found, seq)
    return asyncio.run(chain_of(seq, log))


def _step_text(step: "ChainStep") -> "RenderableType":
    from rich.text import Text

    from core.model.instants import iso

    return Text(f"{step.seq or '':>6} {iso(step.time_ns)} {step.title}: {step.sentence} ({step.type})")


def _check_pattern(pattern: str) -> None:
    from core.events.dispatch import fits
    from core.events.registry import event_types

    known = event_types()
    if not any(fits(name, pattern) for name in known):
        raise UnknownName("event type", pattern, [*known, *{name.partition(".")[0] + ".*" for name in known}])


def event_document(event: "Envelope") -> dict[str, Any]:
    """Return an event in the types of JSON, with every field."""
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
        "payload": _whole(event.payload),
    }


def _whole(value: Any) -> Any:
    """Return a value in the types of JSON, with every field: what is stored leaves out those that have their default."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        return {field.encode_name: _whole(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_whole(item) for item in value]
    return msgspec.to_builtins(value)


def _print_as_json(event: "Envelope") -> None:
    print_json_line(event_document(event))


def _text(event: "Envelope") -> "RenderableType":
    from rich.text import Text

    return Text(_line(event))


def _line(event: "Envelope") -> str:
    from core.model.instants import iso

    payload = {name: value for name, value in _whole(event.payload).items() if not isinstance(value, (dict, list)) and value is not None}
    said = ", ".join(f"{name} {value}" for name, value in payload.items())
    run = f" [{event.run_id[:8]}]" if event.run_id else ""
    return f"{event.seq:>6} {iso(event.ts)}{run} {event.type} {said}".rstrip()
