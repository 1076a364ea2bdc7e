"""Gathers what a report is made from, and makes it in a worker thread."""

import asyncio
from collections.abc import Mapping
from typing import Final

from core.backtest.report.account import account_entries
from core.backtest.report.report import make_report
from core.clock import calendar
from core.data.gaps import find_gaps
from core.errors import InputError, NoBars, RunError
from core.events.envelope import Envelope
from core.model.market import BarSeries, asset_class_of
from core.model.report import DataCoverage, Report
from core.model.run import Run
from core.ports import EventLog, Store
from core.runs.manager import RunManager

_PAGE: Final = 1_000


async def report_of(run_id: str, *, runs: RunManager, store: Store, benchmark: str | None = None) -> Report:
    """Return the report of a run that left a result.

    `benchmark`: a symbol with stored bars of the run's timeframe; None is the run's first. Raises RunError when the run
    left no result, UnknownName or NoBars for a benchmark that is not there.
    """
    run = await runs.get(run_id)
    result = await store.runs.result(run.id)
    if result is None:
        raise RunError(f"Run {run.id} is {run.status} and left no result.", "A report is made of a run that has ended.")
    bars = await _bars_of(run, runs, store)
    against = None if benchmark is None else await _benchmark(benchmark, run, bars, store)
    fills, orders = await store.runs.fills(run.id), await store.runs.orders(run.id)
    actions = {}
    if run.manifest is not None and run.manifest.actions_sha256 is not None:  # those stored since did not happen in the run
        compared = () if against is None else (against.symbol,)
        actions = {symbol: await store.actions.read(symbol) for symbol in dict.fromkeys((*bars, *compared))}
    events = await _account_events(run.id, store.log)
    for symbol in (*bars, *run.config.symbols):
        await calendar.load(asset_class_of(symbol))

    def make() -> Report:
        coverage = coverage_of(bars, end_ns)
        return make_report(
            run,
            result,
            bars=bars,
            fills=fills,
            orders=orders,
            coverage=coverage,
            benchmark=against,
            actions=actions,
            account=account_entries(events),
        )

    end_ns = int(result.equity_ns[-1]) if len(result.equity_ns) else None
    return await asyncio.to_thread(make)


def coverage_of(bars: Mapping[str, BarSeries], end_ns: int | None = None) -> DataCoverage | None:
    """Return how complete the bars before `end_ns` are against their calendars, all symbols together; None without bars."""
    present = missing = holes = longest = 0
    for symbol, series in bars.items():
        done = series.between(None, end_ns)
        found = find_gaps(done.start_ns, done.timeframe.ns, asset_class_of(symbol))
        present += len(done)
        missing += sum(gap.missing for gap in found)
        holes += len(found)
        longest = max(longest, max((gap.missing for gap in found), default=0))
    return DataCoverage(present=present, missing=missing, holes=holes, longest=longest) if present else None


async def _account_events(run_id: str, log: EventLog) -> list[Envelope]:
    """Return every event of the run's account, oldest first: a margin account has one or more each night."""
    events: list[Envelope] = []
    while True:
        page = await log.read(after_seq=events[-1].seq if events else 0, run_id=run_id, pattern="account.*", limit=_PAGE)
        events += page
        if len(page) < _PAGE:
            return events


async def _bars_of(run: Run, runs: RunManager, store: Store) -> dict[str, BarSeries]:
    """Return the bars of the run by symbol; without those that are no longer stored."""
    try:
        keys = await runs.bar_sets(run.id)
    except (InputError, NoBars):
        return {}  # removed, or stored under several sources since: a report of what is left is better than none
    config = run.config
    return {key.symbol: await store.bars.read(key, config.start_ns, config.end_ns) for key in keys}


async def _benchmark(symbol: str, run: Run, bars: Mapping[str, BarSeries], store: Store) -> BarSeries:
    wanted = symbol.strip().upper()
    if wanted in bars:
        return bars[wanted]
    config = run.config
    fitting = [item for item in await store.bars.sets() if item.key.symbol == wanted and item.key.timeframe == config.timeframe]
    preferred = [item for item in fitting if config.source is None or item.key.source == config.source]
    for item in preferred or fitting:
        found = await store.bars.read(item.key, run.first_bar_ns if config.start_ns is None else config.start_ns, config.end_ns)
        if len(found):
            return found
    raise NoBars(
        f"There are no {config.timeframe} bars of {wanted} in the run's period to compare with.", "Import them, or name another symbol."
    )
