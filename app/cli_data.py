"""`weaver data`: its verbs, of which list, gaps, export, seal and delete stand here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call, absolute
from app.cli_download import download
from app.cli_import import import_
from app.console import print_json, show, table
from app.options import EVERYWHERE, AdjustmentText, AsJson, Source, Symbol, TimeframeText
from app.words import key_document, moment, one_of, parse_timeframe
from core.errors import InputError, NoBars, UnknownName

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.market import BarSet


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (
        ("import", import_),
        ("download", download),
        ("list", list_),
        ("gaps", gaps),
        ("export", export),
        ("seal", seal),
        ("unseal", unseal),
        ("delete", delete),
    ):
        group.command(name, epilog=EVERYWHERE)(verb)


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List what bars are stored."""
    from rich.text import Text

    call: Call = context.obj
    sets = call.run(lambda engine: engine.bar_sets())
    if as_json:
        print_json({"sets": [_set_document(item) for item in sets]})
    elif not sets:
        show(Text("No bars are stored yet. Import a file with `weaver data import FILE --symbol S --timeframe 1m`."))
    else:
        rows = [
            (
                item.key.symbol,
                item.key.timeframe,
                item.key.source + (" (simulated)" if item.simulated and item.key.source != "simulated" else ""),
                str(item.key.adjustment),
                f"{item.bars:,}",
                (moment(item.first_ns) or "")[:10],
                (moment(item.last_ns) or "")[:10],
                (item.sha256 or "–")[:8] + (" sealed" if item.sealed else ""),
            )
            for item in sets
        ]
        columns = ("symbol", "tf", "source", "adj.", "bars", "first UTC", "last UTC", "hash")
        show(table(columns, rows, right=("bars",), fold=("symbol", "source")))


def _set_document(item: "BarSet") -> dict[str, Any]:
    return {
        **key_document(item.key),
        "bars": item.bars,
        "first": moment(item.first_ns),
        "last": moment(item.last_ns),
        "updated": moment(item.updated_ns),
        "simulated": item.simulated,
        "sha256": item.sha256,
        "sealed": item.sealed,
    }


def gaps(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """List the holes of the stored bars against their calendar."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> list[tuple["BarSet", Any]]:
        chosen = await _matching(engine, symbol, timeframe, source, adjustment)
        return [(item, await engine.gaps(item.key)) for item in chosen]

    found = call.run(work)
    if as_json:
        documents = [
            {
                **key_document(item.key),
                "missing": sum(gap.missing for gap in holes),
                "gaps": [{"start": moment(gap.start_ns), "end": moment(gap.end_ns), "missing": gap.missing} for gap in holes],
            }
            for item, holes in found
        ]
        print_json({"sets": documents})
        return
    for item, holes in found:
        missing = sum(gap.missing for gap in holes)
        name = f"{item.key.symbol} {item.key.timeframe} from {item.key.source}, {item.key.adjustment}"
        if not holes:
            show(Text(f"{name}: no gaps in {item.bars:,} bars."))
            continue
        show(Text(f"{name}: {len(holes):,} gaps, {missing:,} bars missing beside {item.bars:,} stored. The longest:"))
        longest = sorted(holes, key=lambda gap: -gap.missing)[:20]
        rows = [(moment(gap.start_ns) or "", moment(gap.end_ns) or "", f"{gap.missing:,}") for gap in longest]
        show(table(("from", "to", "missing"), rows, right=("missing",)))


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="Where to write: .csv, .csv.gz, .csv.zst or .parquet.")],
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Write stored bars to a file; its ending says how."""
    from rich.text import Text

    call: Call = context.obj
    path = absolute(file)

    async def work(engine: "Engine") -> tuple["BarSet", int]:
        item = await _only(engine, symbol, timeframe, source, adjustment)
        return item, await engine.export_bars(item.key, path)

    item, bars = call.run(work)
    if as_json:
        print_json({**key_document(item.key), "file": str(path), "bars": bars})
    else:
        show(Text(f"{bars:,} bars of {item.key.symbol} {item.key.timeframe} are written to {path}."))


def seal(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Make one set of stored bars immutable: imports into it and its deletion are refused."""
    _set_seal(context.obj, (symbol, timeframe, source, adjustment), sealed=True, as_json=as_json)


def unseal(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Let a sealed set be changed again."""
    _set_seal(context.obj, (symbol, timeframe, source, adjustment), sealed=False, as_json=as_json)


def _set_seal(call: Call, named: tuple[str | None, str | None, str | None, str | None], *, sealed: bool, as_json: bool) -> None:
    from rich.text import Text

    if named[0] is None:
        verb = "seal" if sealed else "unseal"
        raise InputError(
            f"data {verb} does not know what to {verb}.", "Name it with --symbol, and with --timeframe where there are several."
        )

    async def work(engine: "Engine") -> "BarSet":
        item = await _only(engine, *named)
        return await engine.seal_bars(item.key, sealed=sealed)

    item = call.run(work)
    if as_json:
        print_json(_set_document(item))
    else:
        key = item.key
        bars = f"{item.bars:,} {key.timeframe} bars of {key.symbol} from {key.source}, {key.adjustment}"
        show(Text(f"{bars}, are sealed. Their hash is {item.sha256}." if sealed else f"{bars}, may be changed again."))


def delete(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Remove one set of stored bars; the runs made with it stay."""
    from rich.text import Text

    call: Call = context.obj
    if symbol is None:
        raise InputError(
            "data delete does not know what to remove.", "Name it with --symbol, and with --timeframe where there are several."
        )

    async def work(engine: "Engine") -> "BarSet":
        item = await _only(engine, symbol, timeframe, source, adjustment)
        await engine.delete_bars(item.key)
        return item

    item = call.run(work)
    if as_json:
        print_json({"deleted": _set_document(item)})
    else:
        key = item.key
        show(Text(f"{item.bars:,} bars of {key.symbol} {key.timeframe} from {key.source}, {key.adjustment}, are removed."))


async def _matching(
    engine: "Engine", symbol: str | None, timeframe: str | None, source: str | None, adjustment: str | None
) -> list["BarSet"]:
    """Return the stored sets that fit what was said. Raises NoBars when nothing is stored, UnknownName for what does not exist."""
    from core.model.market import Adjustment, parse_symbol

    sets = await engine.bar_sets()
    if not sets:
        raise NoBars("No bars are stored yet.", "Import a file with `weaver data import FILE`.")
    wanted = {
        "symbol": None if symbol is None else parse_symbol(symbol),
        "timeframe": None if timeframe is None else parse_timeframe(timeframe),
        "source": source,
        "adjustment": None if adjustment is None else one_of("adjustment", adjustment, Adjustment),
    }
    for field, value in wanted.items():
        if value is not None:
            known = {str(getattr(item.key, field)) for item in sets}
            if value not in known:
                raise UnknownName(f"stored {field}", value, known)
            sets = [item for item in sets if str(getattr(item.key, field)) == value]
    return sets


async def _only(engine: "Engine", symbol: str | None, timeframe: str | None, source: str | None, adjustment: str | None) -> "BarSet":
    """Return the one stored set that fits. Raises InputError when several do."""
    sets = await _matching(engine, symbol, timeframe, source, adjustment)
    if len(sets) > 1:
        listed = "; ".join(f"{item.key.symbol} {item.key.timeframe} {item.key.source} {item.key.adjustment}" for item in sets[:6])
        raise InputError(f"{len(sets)} stored sets fit: {listed}.", "Say which with --symbol, --timeframe, --source and --adjustment.")
    return sets[0]
