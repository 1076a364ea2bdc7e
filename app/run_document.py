"""A run as the one JSON document of the command line; docs/cli.md describes it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from app.console import finite
from app.run_terms import terms_document
from core.model.instants import SECOND_NS, iso
from core.model.market import Instants
from core.model.money import plain
from core.model.order import Fill
from core.model.result import RunResult
from core.model.run import Run

COUNTS: Final = frozenset({"trades", "long_trades", "short_trades", "max_consecutive_losses"})
"""Statistics that are whole numbers."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that it left. `result` is None when it failed before its first bar."""

    run: Run
    fills: Sequence[Fill]
    result: RunResult | None
    interrupted: bool = False
    """A signal ended the call while the run went on, or it was asked to stop from elsewhere."""
    files: tuple[str, ...] = ()
    """Files of the report that were written."""


def run_document(report: RunReport, *, equity: bool) -> dict[str, Any]:
    """Return the document: money as plain decimal strings, ratios as numbers, undefined as null, times UTC with Z."""
    result = report.result
    document: dict[str, Any] = {
        "run": run_head(report.run, result),
        "stats": {} if result is None else {key: statistic(key, value) for key, value in result.stats.items()},
        "fills": [fill_document(fill) for fill in report.fills],
        "trades": [],
        "open_positions": [],
        "rejections": [],
    }
    if result is not None:
        document["trades"] = [
            {
                "symbol": trade.symbol,
                "side": str(trade.side),
                "entry_time": iso(trade.entry_ns),
                "exit_time": iso(trade.exit_ns),
                "qty": plain(trade.qty),
                "entry_price": plain(trade.entry_price),
                "exit_price": plain(trade.exit_price),
                "pnl": plain(trade.pnl),
                "fees": plain(trade.fees),
                "mae": trade.mae,
                "mfe": trade.mfe,
            }
            for trade in result.trades
        ]
        document["open_positions"] = [
            {"symbol": held.symbol, "qty": plain(held.qty), "avg_price": plain(held.avg_price)} for held in result.open_positions
        ]
        document["rejections"] = [
            {"time": iso(refused.time_ns), "order_id": refused.order_id, "code": str(refused.code), "reason": refused.reason}
            for refused in result.rejections
        ]
    if report.files:
        document["report"] = list(report.files)
    if equity:
        document["equity"] = {
            "time": [] if result is None else _instants(result.equity_ns),
            "value": [] if result is None else [finite(value) for value in result.equity.tolist()],
        }
    return document


def run_head(run: Run, result: RunResult | None) -> dict[str, Any]:
    """Return what a run is and how far it came. Without a requested start and end: the first bar's start, the last bar's end."""
    config = run.config
    manifest = run.manifest
    end_ns = config.end_ns
    if end_ns is None:
        end_ns = int(result.equity_ns[-1]) if result is not None and len(result.equity_ns) else run.last_bar_ns
    start_ns = config.start_ns if config.start_ns is not None else run.first_bar_ns
    return {
        "id": run.id,
        "strategy": config.strategy_id,
        "mode": str(config.mode),
        "status": str(run.status),
        "params": dict(config.params),
        "symbols": list(config.symbols),
        "timeframe": config.timeframe,
        "start": None if start_ns is None else iso(start_ns),
        "end": None if end_ns is None else iso(end_ns),
        "bars": run.bars,
        "elapsed_s": run.elapsed_s,
        "manifest": None
        if manifest is None
        else {
            "strategy_sha256": manifest.strategy_sha256,
            "bars_sha256": manifest.bars_sha256,
            "engine": manifest.engine,
            "seed": manifest.seed,
            "actions_sha256": manifest.actions_sha256,
        },
        "cash": plain(config.cash),
        **terms_document(config),
        "created": iso(run.created_ns),
        "demo": run.demo,
        "error": None if run.error is None else {"code": run.error_code, "sentence": run.error},
    }


def _instants(instants_ns: Instants) -> list[str]:
    if (instants_ns % SECOND_NS).any():
        return [iso(instant) for instant in instants_ns.tolist()]
    # A million points take a fifth of a second so; one by one they take two.
    return [text + "Z" for text in np.datetime_as_string(instants_ns.astype("datetime64[ns]"), unit="s").tolist()]


def statistic(key: str, value: float | None) -> float | int | None:
    """Return a statistic for JSON: counts whole, what is not finite null."""
    figure = finite(value)
    return int(figure) if figure is not None and key in COUNTS else figure


def fill_document(fill: Fill) -> dict[str, Any]:
    """Return a fill as every document writes it."""
    return {
        "time": iso(fill.time_ns),
        "symbol": fill.symbol,
        "side": str(fill.side),
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "slippage": plain(fill.slippage),
        "order_id": fill.order_id,
        "path_dependent": fill.path_dependent,
        "reason": fill.reason,
    }
