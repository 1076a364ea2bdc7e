"""The report's tables as one JSON document: `stats.json`."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from app.console import finite
from app.run_document import run_head, statistic
from core.model.instants import iso
from core.model.money import plain
from core.model.report import Histogram, Report, TradeGroup
from core.model.run import Run


def report_document(run: Run, report: Report) -> dict[str, Any]:
    """Return what stats.json holds: figures as numbers, undefined as null, times UTC with Z. Curves are in equity.csv."""
    compared, coverage = report.benchmark, report.coverage
    return {
        "run": run_head(run, None),
        "stats": {key: statistic(key, value) for key, value in report.stats.items()},
        "findings": [
            {"code": item.code, "severity": str(item.severity), "sentence": item.sentence, "figures": _finite(item.figures)}
            for item in report.findings
        ],
        "years": [{"year": item.year, "months": list(item.months), "total": item.total} for item in report.years],
        "drawdowns": [
            {
                "peak": iso(item.start_ns),
                "lowest": iso(item.trough_ns),
                "recovered": None if item.recovery_ns is None else iso(item.recovery_ns),
                "depth": item.depth,
                "fall_s": item.fall_s,
                "recovery_s": item.recovery_s,
                "duration_s": item.duration_s,
            }
            for item in report.drawdowns
        ],
        "benchmark": None if compared is None else _finite({name: value for name, value in asdict(compared).items() if name != "equity"}),
        "by_symbol": _groups(report.by_symbol),
        "by_side": _groups(report.by_side),
        "by_hour": _groups(report.by_hour),
        "by_weekday": _groups(report.by_weekday),
        "zone": report.zone,
        "returns": _histogram(report.returns),
        "trade_returns": _histogram(report.trade_returns),
        "account": {
            "totals": [
                {"symbol": item.symbol, "kind": item.kind.value, "count": item.count, "amount": _money(item.amount)}
                for item in report.account_totals
            ],
            "periods": [
                {
                    "period": item.name,
                    "count": item.count,
                    "amount": _money(item.amount),
                    "amounts": {kind.value: plain(amount) for kind, amount in item.amounts.items()},
                }
                for item in report.account_periods
            ],
        },
        "open_profit": report.open_profit,
        "coverage": None if coverage is None else {**asdict(coverage), "share_missing": coverage.share_missing},
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _groups(groups: tuple[TradeGroup, ...]) -> list[dict[str, Any]]:
    return [_finite(asdict(group)) for group in groups]


def _histogram(bins: Histogram | None) -> dict[str, Any] | None:
    if bins is None:
        return None
    return {
        "edges": bins.edges.tolist(),
        "counts": bins.counts.tolist(),
        "below": bins.below,
        "above": bins.above,
        "unchanged": bins.unchanged,
    }


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: finite(value) if isinstance(value, float) else value for name, value in figures.items()}
