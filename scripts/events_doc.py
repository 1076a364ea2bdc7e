#!/usr/bin/env python3
"""Write docs/events.md from the code: every event type, its payload, and what its fields mean. `python -m scripts.events_doc`.

Meanings come from the docstring below a field where there is one, else from the words below: a name means the same in every event.
"""

import ast
import enum
import inspect
import sys
import types
import typing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from core.events.envelope import Envelope, Payload
from core.events.payloads import RunProgressed
from core.events.registry import event_types

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "events.md"

MEANINGS: Final = {
    "account": "the account: adapter and number",
    "added": "how many were new",
    "adjustment": "what was taken out of the prices",
    "amount": "account currency; above zero paid, below zero earned",
    "bar_start_ns": "start of the newest bar of the symbol that the strategy could see, UTC ns",
    "bars": "number of bars",
    "bars_total": "bars the run has in all",
    "broker_code": "the broker's own code of the refusal",
    "broker_id": "the broker's id of the order",
    "broker_words": "the broker's own words",
    "cancelled": "orders whose cancel the broker acknowledged",
    "cash": "account currency; below zero was charged",
    "changed": "how many replaced a different one",
    "client_order_id": "the id under which whoever placed it sent it",
    "closed": "positions whose closing order the broker took",
    "code": "stable code of the reason",
    "config": "what the run was asked to do",
    "demo": "whether it is a run of the demonstration",
    "due_ns": "when the tick was due, UTC ns",
    "elapsed_s": "seconds of simulation so far",
    "end_equity": "equity at the end, account currency",
    "equity": "equity, account currency",
    "error": "the sentence of the error",
    "event_seq": "sequence number of the event it failed at; 0 when that was only announced",
    "event_type": "type of the event it failed at",
    "execution_id": "the broker's id of the execution",
    "exposure": "money at risk in all positions, account currency",
    "fee": "what the fill cost in fees, account currency",
    "figure": "what the order would have made of it",
    "fill_id": "id of the fill, the same as in the table of fills",
    "filled_qty": "units of the order filled so far, this fill included",
    "first_ns": "start of the first bar of the window, UTC ns",
    "healing": "what is done about it",
    "identical": "how many were there before, the same",
    "last_close": "close of the last bar of the window",
    "last_ns": "start of the last bar of the window, UTC ns",
    "late_ms": "how late it came, milliseconds",
    "left": "what remains to be done, in words; empty when nothing does",
    "level": "off, reduce_only, halt, cancel_all or flatten",
    "limit": "what the rule allows",
    "limit_price": "the new limit; empty leaves it",
    "manifest": "what makes the run reproducible",
    "note": "the strategy's own words",
    "order": "the order as it was made",
    "order_id": "id of the order",
    "owner": "who had subscribed",
    "path_dependent": "whether another order of the bar's prices would fill otherwise",
    "per_share": "cash per share, account currency",
    "price": "price of the fill, slippage included, quote currency",
    "qty": "quantity in units",
    "qty_before": "units held before, below zero for a short position",
    "ratio": "new shares for each old one",
    "reason": "why, in a sentence or a word of the rules",
    "removed": "how many there were",
    "request": "the terms of the order",
    "required": "equity the positions ask for, account currency",
    "rule": "name of the rule",
    "said": "the broker's own words, where it said any",
    "scope": "whose rule it is: account or run",
    "sha256": "hash of the content",
    "side": "buy or sell, in the broker's word where it is none of ours",
    "slippage": "what slippage cost in this fill, account currency",
    "source": "where the bars come from",
    "state": "what the stream does now: connecting, authenticated, listening, stale, lost",
    "status": "the status of the order at the broker, in our words",
    "stop_price": "the new stop; empty leaves it",
    "stream": "which of the broker's streams",
    "symbol": "symbol of the instrument",
    "symbols": "symbols of the instruments",
    "text": "the note",
    "time_ns": "instant it counts for, UTC ns; of a fill the start of its bar",
    "timeframe": "length of a bar",
    "trail_percent": "the new distance of a trailing stop in percent; empty leaves it",
    "trail_price": "the new distance of a trailing stop in price; empty leaves it",
    "was": "state the run was in",
    "what": "which books differed: order, fill, position or cash",
}

HEAD: Final = """# Events

Every event type of the program, made from the code by `python -m scripts.events_doc`; a test compares this page with it.

Everything that happens is an *envelope* around one *payload*. The log numbers what it stores: `seq` orders, `ts` explains.

{envelope}

*Kind*: `evt` is a fact, `cmd` an instruction. *Stored*: *always* – a durable event, committed before anybody is told; *in traced
runs* – told to who listens, and stored only for a run with `--trace`; *never* – only announced, `seq` stays 0. A type keeps its
name; when the fields of a payload change, its version goes up, and old ones are raised to it when they are read. Money and
quantities are decimals and written as text, times are UTC in nanoseconds.

| type | version | kind | stored | when |
|---|---|---|---|---|
{index}
"""

ENVELOPE_FIELDS: Final = {
    "id": "id of the event, unique in the log",
    "seq": "place in the log, from 1 on; 0 until it is stored",
    "kind": "fact or instruction",
    "type": "`namespace.PascalCase`",
    "version": "version of the payload",
    "run_id": "the run it belongs to; empty for what concerns the whole desk",
    "corr_id": "joins everything that came from one act from outside; of a run its id",
    "causation_id": "id of the event that caused it",
    "trace_id": "the decision (tick) it belongs to",
    "ts": "instant, UTC ns; in a backtest the simulated one",
    "producer": "the package that made it",
    "payload": "the payload",
}


def document() -> str:
    """Return the whole page."""
    found = _types()
    index = "\n".join(
        f"| [`{wire}`](#{_anchor(wire)}) | {cls.version} | `{cls.kind.value}` | {_stored(cls)} | {_when(cls)} |"
        for wire, cls in found.items()
    )
    parts = [HEAD.format(envelope=_fields(Envelope, ENVELOPE_FIELDS), index=index)]
    structures: dict[str, type] = {}
    namespace = ""
    for wire, cls in found.items():
        if wire.partition(".")[0] != namespace:
            namespace = wire.partition(".")[0]
            parts.append(f"## {namespace}.*\n")
        parts.append(f"### {wire}\n\n{_when(cls)}\n")
        parts.append(_fields(cls, MEANINGS) + "\n" if cls.__struct_fields__ else "No fields.\n")
        _gather(cls, structures)
    parts.append("## Structures\n\nWhat payloads hold. Fields that stand at their default may be left out of the stored text.\n")
    parts += [_structure(name, structures[name]) for name in sorted(structures)]
    return "\n".join(parts).rstrip() + "\n"


def without_meaning() -> list[str]:
    """Return the fields of payloads that nobody explained."""
    return [
        f"{wire}.{name}"
        for wire, cls in _types().items()
        for name in cls.__struct_fields__
        if not (_docs_of(cls).get(name) or MEANINGS.get(name))
    ]


def _types() -> dict[str, type[Payload]]:
    # What a test or a plug-in registers is not the product's.
    return {wire: cls for wire, cls in event_types().items() if cls.__module__.startswith("core.")}


def _anchor(wire: str) -> str:
    return wire.lower().replace(".", "")


def _stored(cls: type[Payload]) -> str:
    if cls.durable:
        return "always"
    return "never" if cls is RunProgressed else "in traced runs"


def _when(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split())


def _fields(cls: type, meanings: dict[str, str]) -> str:
    hints, docs, defaults = typing.get_type_hints(cls), _docs_of(cls), _defaults(cls)
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name in cls.__struct_fields__:  # type: ignore[attr-defined]  # only structs come here
        said = docs.get(name) or meanings.get(name, "")
        rows.append(f"| `{name}` | {_type(hints[name])} | {defaults.get(name, '')} | {said} |")
    return "\n".join(rows)


def _structure(name: str, cls: type) -> str:
    if issubclass(cls, enum.Enum):
        return f"### {name}\n\n{_when(cls)} One of {', '.join(f'`{member.value}`' for member in cls)}.\n"
    return f"### {name}\n\n{_when(cls)}\n\n{_fields(cls, MEANINGS)}\n"


def _defaults(cls: type) -> dict[str, str]:
    found = {}
    for field in msgspec.structs.fields(cls):
        if field.default is not msgspec.NODEFAULT:
            value = field.default
            found[field.name] = "empty" if value is None else f"`{value.value if isinstance(value, enum.Enum) else _literal(value)}`"
        elif field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = f"`{field.default_factory()}`"
    return found


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{type(value).__name__}()" if isinstance(value, msgspec.Struct) else str(value)


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return " or ".join("empty" if item is type(None) else _type(item) for item in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if _is_ours(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    plain = {str: "text", int: "integer", float: "number", bool: "yes or no", Decimal: "decimal"}
    return plain.get(hint) or str(hint.__name__).lower()


def _is_ours(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, (msgspec.Struct, enum.Enum)) and hint.__module__.startswith("core.model")


def _gather(cls: type, found: dict[str, type]) -> None:
    for hint in typing.get_type_hints(cls).values():
        for inner in _walk(hint):
            if _is_ours(inner) and inner.__name__ not in found:
                found[inner.__name__] = inner
                if issubclass(inner, msgspec.Struct):
                    _gather(inner, found)


def _walk(hint: Any) -> list[Any]:
    return [hint, *(inner for argument in typing.get_args(hint) for inner in _walk(argument))]


def _docs_of(cls: type) -> dict[str, str]:
    """Return field → the text below it in the source."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    found: dict[str, str] = {}
    name = ""
    for node in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found[name] = " ".join(node.value.value.split())
            name = ""
        else:
            name = ""
    return found


def main() -> int:
    """Write the page."""
    PAGE.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE.name}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
