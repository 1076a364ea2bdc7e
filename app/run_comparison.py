"""What `weaver runs verify` and `weaver runs compare` print."""

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from app.console import figure, table
from app.report_words import statistic as in_words
from app.run_document import statistic
from core.model.statistics import STATISTICS
from core.model.verification import Difference, RunComparison, Side, Verification
from core.views.verdict import verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

_ABSENT: Final = "–"


def verification_text(verification: Verification) -> list["RenderableType"]:
    """Return the verdict with everything that differs, a line each."""
    lines = [verdict(verification)] if verification.is_same else []
    if verification.was_repeated:
        lines += [item.sentence for item in verification.causes]
    lines += [item.sentence for item in verification.differences]
    return [Text(line) for line in lines]


def verification_document(verification: Verification) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "run": verification.run_id,
        "status": str(verification.status),
        "same": verification.is_same,
        "repeated": verification.was_repeated,
        "whole": verification.is_whole,
        "sentence": verdict(verification),
        "fills": verification.fills,
        "orders": verification.orders,
        "bars": verification.bars,
        "causes": [_difference(item) for item in verification.causes],
        "differences": [_difference(item) for item in verification.differences],
    }


def _difference(item: Difference) -> dict[str, str]:
    return {"what": item.what, "then": item.then, "now": item.now, "sentence": item.sentence}


def comparison_text(comparison: RunComparison) -> list["RenderableType"]:
    """Return the runs side by side."""
    names = [run_id[:12] for run_id in comparison.run_ids]
    parts: list[RenderableType] = []
    if comparison.settings:
        parts += [Text("Settings that differ", style="bold"), _sides("setting", names, comparison.settings), ""]
    else:
        parts += [Text("The settings are the same."), ""]
    parts += [Text("Statistics", style="bold"), _statistics(names, comparison.statistics), ""]
    if not comparison.fill_differences:
        parts.append(Text(f"The fills are the same: {comparison.same_fills:,}."))
        return parts
    counts, same = ", ".join(f"{count:,}" for count in comparison.fills), comparison.same_fills
    parts.append(Text(f"Fills: {counts}. " + (f"The first {same:,} are the same; then they differ:" if same else "They differ:")))
    for difference in comparison.fill_differences:
        parts.append(Text(f"  fill {difference.number:,}"))
        parts += [Text(f"    {name}  {value or 'none'}") for name, value in zip(names, difference.values, strict=True)]
    return parts


def _sides(what: str, names: list[str], sides: tuple[Side, ...]) -> "RenderableType":
    return table((what, *names), [(side.name, *(str(value) if value is not None else _ABSENT for value in side.values)) for side in sides])


def _statistics(names: list[str], sides: tuple[Side, ...]) -> "RenderableType":
    specs = {spec.key: spec for spec in STATISTICS}
    rows = []
    for side in sides:
        figures = [value if isinstance(value, float | int) else None for value in side.values]
        spec = specs.get(side.name)
        shown = [in_words(spec, value) if spec is not None else figure(value) for value in figures]
        rows.append((spec.title if spec is not None else side.name, *shown))
    return table(("statistic", *names), rows, right=names)


def comparison_document(comparison: RunComparison) -> dict[str, Any]:
    """Return the JSON document: statistics as in `weaver backtest --json`, by key, one value a run."""
    return {
        "runs": list(comparison.run_ids),
        "settings": {side.name: list(side.values) for side in comparison.settings},
        "stats": {
            side.name: [statistic(side.name, value if isinstance(value, (int, float)) else None) for value in side.values]
            for side in comparison.statistics
        },
        "fills": {
            "counts": list(comparison.fills),
            "same": comparison.same_fills,
            "differences": [{"number": item.number, "values": list(item.values)} for item in comparison.fill_differences],
        },
    }
