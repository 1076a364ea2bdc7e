"""The files of a report: where they go, whether they may, and writing them whole or not at all."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.errors import DataError, InputError, InvalidValue

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.report import Report
    from core.model.run import Run

PAGE: Final = "report.html"
BESIDE: Final = ("trades.csv", "equity.csv", "account.csv", "stats.json")
"""Written next to the page, where a folder is asked for."""

ENTRY_FIGURES: Final = ("qty", "per_share", "ratio", "qty_before", "equity", "required", "exposure")
"""Figures of an account's events, each a column of account.csv."""

_TRADE_COLUMNS: Final = (
    "symbol", "side", "entry_time", "exit_time", "qty", "entry_price", "exit_price", "pnl", "fees", "mae", "mfe",
    "entry_order", "exit_order",
)  # fmt: skip
_ROWS: Final = 500
_POINTS: Final = 20_000
_PIECE: Final = 1_000_000
"""Rows of a table, points of the curve and characters of a file that are written in one go: no longer than a few milliseconds."""

_OURS: Final = b'<meta name="generator" content="Weaver">'
_HEAD_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """Where a report goes: one page, or a folder with all files."""

    page: Path
    folder: Path | None = None

    @classmethod
    def of(cls, path: Path, *, asked: str = "--report") -> "ReportTarget":
        """Read a path: a name that ends in .html is a page, one without an ending or an existing folder is a folder.

        Raises InvalidValue for another ending, of what `asked` for it.
        """
        if path.suffix.casefold() in {".html", ".htm"} and not path.is_dir():
            return cls(path)
        if path.suffix and not path.is_dir():
            raise InvalidValue(asked, path.name, "name a file that ends in .html, or a folder.")
        return cls(path / PAGE, path)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that will be written."""
        return (self.page,) if self.folder is None else (self.page, *(self.folder / name for name in BESIDE))

    def check(self) -> None:
        """Look whether the files may be written, before anything is computed.

        A report of ours is replaced; another file is left alone. Raises InputError, or DataError where nothing can be written.
        """
        if self.folder is None and not self.page.parent.is_dir():
            raise InputError(f"There is no folder {self.page.parent} for the report.", "Make it, or name another place.")
        if self.folder is not None and self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is a file, not a folder.", "Name a folder, or a file that ends in .html.")
        existing = next(place for place in self.page.parents if place.exists())
        if not os.access(existing, os.W_OK):
            raise DataError(f"{existing} cannot be written to.", "Choose another place for the report.")
        ours = _is_ours(self.page)
        for file in self.files:
            if file.is_dir() or (file.exists() and not ours):
                raise InputError(f"{file} exists and is not a report of Weaver.", "Name another place, or move it away.")


def _is_ours(page: Path) -> bool:
    try:
        with page.open("rb") as file:
            return _OURS in file.read(_HEAD_BYTES)
    except OSError:
        return False


async def write_report(engine: "Engine", run_id: str, target: ReportTarget, *, benchmark: str | None = None) -> tuple[Path, ...]:
    """Make the report of a run and write its files; return them. Raises what `Engine.report` raises, and DataError."""
    import asyncio

    report = await engine.report(run_id, benchmark=benchmark)
    run = await engine.run(run_id)
    await asyncio.to_thread(write_files, target, run, report)
    return target.files


def write_files(target: ReportTarget, run: "Run", report: "Report") -> None:
    """Write every file of the target, the page last. Raises DataError. Call it in a thread."""
    from app.report_html import report_page

    try:
        if target.folder is not None:
            target.folder.mkdir(parents=True, exist_ok=True)
            # The page last: it says that the others are there.
            for file, text in zip(
                target.files[1:], (trades_csv(report), equity_csv(report), account_csv(report), stats_json(run, report)), strict=True
            ):
                _put(file, text)
        _put(target.page, report_page(run, report, beside=target.folder is not None))
    except OSError as error:
        raise DataError(
            f"{error.filename or target.page} cannot be written: {error.strerror or error}.", "Choose another place, or make room."
        ) from error


def _put(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            for at in range(0, len(text), _PIECE):
                file.write(text[at : at + _PIECE])
        part.replace(path)
    except OSError as error:
        error.filename = str(path)  # what was asked for, not the name that it has until it is whole
        raise
    finally:
        part.unlink(missing_ok=True)


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of CSV, made in pieces: other threads, the window's above all, get their turn between them."""
    parts: list[str] = []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow(row)
        if number % _ROWS == 0:
            parts.append(text.getvalue())
            text.seek(0)
            text.truncate()
    return "".join([*parts, text.getvalue()])


def trades_csv(report: "Report") -> str:
    """Return every trade as a line: money as plain decimals, shares as fractions, times in UTC with Z."""
    from core.model.instants import iso
    from core.model.money import plain

    rows = (
        (
            trade.symbol,
            str(trade.side),
            iso(trade.entry_ns),
            iso(trade.exit_ns),
            plain(trade.qty),
            plain(trade.entry_price),
            plain(trade.exit_price),
            plain(trade.pnl),
            plain(trade.fees),
            "" if trade.mae is None else repr(trade.mae),
            "" if trade.mfe is None else repr(trade.mfe),
            trade.entry_order_id,
            trade.exit_order_id,
        )
        for trade in report.trades
    )
    return _csv(_TRADE_COLUMNS, rows)


def equity_csv(report: "Report") -> str:
    """Return the equity curve with its drawdown and exposure; what is undefined is empty."""
    import polars as pl

    columns = {"time": pl.Series(report.equity_ns).cast(pl.Datetime("ns", "UTC")), "equity": pl.Series(report.equity)}
    if len(report.drawdown):
        columns["drawdown"] = pl.Series(report.drawdown).round(8)
    if report.exposure is not None:
        columns["gross_exposure"] = pl.Series(report.exposure.gross).round(8)
        columns["net_exposure"] = pl.Series(report.exposure.net).round(8)
    if report.benchmark is not None:
        columns["benchmark"] = pl.Series(report.benchmark.equity).round(6)
    time_form = f"%Y-%m-%dT%H:%M:%S{'%.9f' if (report.equity_ns % 1_000_000_000).any() else ''}Z"
    frame = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
    parts = [part.write_csv(datetime_format=time_form, include_header=False) for part in frame.iter_slices(_POINTS)]
    return "".join([",".join(frame.columns) + "\n", *parts])


def account_csv(report: "Report") -> str:
    """Return what happened to the account beside its fills, an event a line; `amount` is what came in, below zero what went out."""
    from core.model.instants import iso
    from core.model.money import plain

    rows = (
        (
            iso(entry.time_ns),
            str(entry.kind),
            entry.symbol or "",
            "" if entry.amount is None else plain(entry.amount),
            *(plain(entry.figures[name]) if name in entry.figures else "" for name in ENTRY_FIGURES),
        )
        for entry in report.account
    )
    return _csv(("time", "kind", "symbol", "amount", *ENTRY_FIGURES), rows)


def stats_json(run: "Run", report: "Report") -> str:
    """Return the run, every statistic, and the report's tables and findings as one JSON document."""
    import msgspec

    from app.report_document import report_document

    return msgspec.json.format(msgspec.json.encode(report_document(run, report)), indent=2).decode() + "\n"
