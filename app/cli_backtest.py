"""`weaver backtest`: run a strategy over stored bars and print what came of it."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.call import Call, Stop, absolute, unbroken
from app.console import fail, print_json, progress, show
from app.options import AsJson, WithEquity
from app.run_terms import (
    Account,
    BarPath,
    BorrowRate,
    CloseAtEnd,
    CreditRate,
    DebitRate,
    Fees,
    HardToBorrow,
    NoActions,
    Slippage,
    TermWords,
    TradeThrough,
    VolumeCap,
)
from app.words import one_of, parse_timeframe
from core.errors import BugError, InputError, InvalidValue, KnownError, RunNotStoppable, UnknownName

if TYPE_CHECKING:
    from app.report_files import ReportTarget
    from app.run_document import RunReport
    from core.engine import Engine
    from core.model.run import Run, RunConfig

ReportPath = Annotated[
    str | None, typer.Option("--report", help="Write the report: a page FILE.html, or a folder with all its files.", metavar="PATH")
]
BenchmarkSymbol = Annotated[
    str | None, typer.Option(help="With --report: what to compare with; the run's first symbol when it is not said.", metavar="S")
]


def backtest(
    context: typer.Context,
    strategy: Annotated[str, typer.Argument(help="Id of the strategy; `weaver strategies list` shows them.")],
    symbol: Annotated[list[str] | None, typer.Option(help="Symbol to trade; repeat it for several.", metavar="S")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of a bar, like 1m, 1h, 1d.", metavar="T")] = None,
    start: Annotated[str | None, typer.Option(help="First moment, 2024-01-31 (00:00 UTC) or 2024-01-31T14:30:00Z.", metavar="D")] = None,
    end: Annotated[
        str | None, typer.Option(help="Moment before which the last bar starts; a day alone is its 00:00 UTC.", metavar="D")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="Parameter of the strategy as name=value; repeat it.", metavar="K=V")] = None,
    cash: Annotated[
        str | None, typer.Option(help="Cash to start with; 100000, or what the setting run.cash says.", metavar="AMOUNT")
    ] = None,
    fees: Fees = "none",
    slippage: Slippage = "none",
    path: BarPath = "adaptive",
    volume_cap: VolumeCap = None,
    trade_through: TradeThrough = False,
    close_at_end: CloseAtEnd = False,
    no_actions: NoActions = False,
    account: Account = "cash",
    borrow_rate: BorrowRate = None,
    debit_rate: DebitRate = None,
    credit_rate: CreditRate = None,
    hard_to_borrow: HardToBorrow = None,
    source: Annotated[str | None, typer.Option(help="Source of the bars, where there are several.", metavar="NAME")] = None,
    adjustment: Annotated[str | None, typer.Option(help="raw, split or all, where there are several.", metavar="A")] = None,
    seed: Annotated[int, typer.Option(help="What the strategy's chance starts from.", metavar="N")] = 0,
    trace: Annotated[bool, typer.Option("--trace", help="Store ticks and windows too, to follow a decision back.")] = False,
    report: ReportPath = None,
    benchmark: BenchmarkSymbol = None,
    equity: WithEquity = False,
    as_json: AsJson = False,
) -> None:
    """Run a strategy over stored bars: the same bars, code and settings give the same fills."""
    call: Call = context.obj
    terms = TermWords(
        fees=fees,
        slippage=slippage,
        path=path,
        account=account,
        borrow_rate=borrow_rate,
        debit_rate=debit_rate,
        credit_rate=credit_rate,
        hard_to_borrow=hard_to_borrow or (),
        volume_cap=volume_cap,
        trade_through=trade_through,
        close_at_end=close_at_end,
        no_actions=no_actions,
    )
    if equity and not as_json:
        raise InputError("--equity is for --json.", "Add --json, or leave it out.")
    if not symbol:
        raise InputError("backtest does not know what to trade.", "Name it with --symbol, like --symbol SPY.")
    if timeframe is None:
        raise InputError("backtest does not know which bars to take.", "Name their length with --timeframe, like --timeframe 1m.")

    target = report_target(report, benchmark)

    def settle(engine: "Engine") -> "RunConfig":
        return run_config(
            engine,
            strategy,
            symbol,
            timeframe,
            given_params=param or (),
            start=start,
            end=end,
            cash=cash if cash is not None else repr(call.settings().number("run.cash")),
            terms=terms,
            source=source,
            adjustment=adjustment,
            trace=trace,
            seed=seed,
        )

    with redirect_stdout(sys.stderr):  # what a plug-in prints must not get into the document

        async def work(engine: "Engine") -> "RunReport":
            return await with_files(engine, await run_to_end(engine, settle, call.shows_progress), target, benchmark)

        done = call.run(work)
    tell(done, equity=equity, as_json=as_json)


def report_target(path: str | None, benchmark: str | None) -> "ReportTarget | None":
    """Return where the report goes, when one is asked for. Raises InputError where it must not go there."""
    from app.report_files import ReportTarget

    if path is None:
        if benchmark is not None:
            raise InputError("--benchmark is for --report.", "Add --report FILE.html, or leave it out.")
        return None
    if not path.strip():
        raise InvalidValue("--report", "empty", "name a file that ends in .html, or a folder.")
    target = ReportTarget.of(absolute(Path(path)))
    target.check()
    return target


async def with_files(engine: "Engine", report: "RunReport", target: "ReportTarget | None", benchmark: str | None) -> "RunReport":
    """Write the files of a run's report, when they are asked for and the run left a result; return it with their names."""
    import msgspec

    from app.report_files import write_report

    if target is None or report.result is None:
        return report
    files = await write_report(engine, report.run.id, target, benchmark=benchmark)
    return msgspec.structs.replace(report, files=tuple(str(file) for file in files))


def run_config(
    engine: "Engine",
    strategy: str,
    symbols: Sequence[str],
    timeframe: str,
    *,
    given_params: Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
    cash: str,
    terms: TermWords,
    source: str | None = None,
    adjustment: str | None = None,
    trace: bool = False,
    seed: int = 0,
) -> "RunConfig":
    """Return the words of a call as a checked config, every parameter with its value. Raises InputError."""
    from core.model.instants import parse_instant
    from core.model.market import Adjustment, parse_symbol
    from core.model.money import parse_money
    from core.model.run import RunConfig

    found = engine.strategies()
    if strategy not in found:
        raise UnknownName("strategy", strategy, found)
    settled_symbols = tuple(parse_symbol(text) for text in symbols)
    return RunConfig(
        strategy_id=strategy,
        symbols=settled_symbols,
        timeframe=parse_timeframe(timeframe),
        params=found[strategy].parse_params(_pairs(given_params)),
        start_ns=None if start is None else parse_instant(start, field="--start"),
        end_ns=None if end is None else parse_instant(end, field="--end"),
        cash=_amount(parse_money(cash, field="--cash")),
        **terms.fields(settled_symbols),
        source=source,
        adjustment=None if adjustment is None else Adjustment(one_of("adjustment", adjustment, Adjustment)),
        trace=trace,
        seed=seed,
    )


def _amount(cash: Decimal) -> Decimal:
    # 1e5 and 100000.00 are the same money: one form of it in the run's config.
    from core.model.money import plain

    if cash and not _LEAST_CASH <= abs(cash) <= _MOST_CASH:  # an account beyond these has no figures: nothing, or without end
        raise InvalidValue("--cash", f"{cash:.3e}", f"it must be between {_LEAST_CASH} and {_MOST_CASH:.0e}.")
    return Decimal(plain(cash))


_LEAST_CASH, _MOST_CASH = Decimal("0.000001"), Decimal(10) ** 18


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--param {text} is not a name and a value.", "Write it like --param fast=10.")
        if name.strip() in pairs:
            raise InputError(f"--param {name.strip()} is given twice.", "Give it once.")
        pairs[name.strip()] = value.strip()
    return pairs


async def run_to_end(
    engine: "Engine",
    settle: Callable[["Engine"], "RunConfig"],
    shows_progress: bool,
    *,
    demo: bool = False,
    confirm: str = "",
    stop: Stop | None = None,
) -> "RunReport":
    """Create and start a run and wait for its end. When the call is cancelled meanwhile, the run is stopped and kept as stopped.

    `confirm`: what was typed for a live run. One that cannot be started leaves nothing, and neither does a cancel before there is one.
    """
    config = settle(engine)
    async with engine.holding_account(config):
        # What lasts is behind it. Cut short in between, a run would be left that nobody knows of.
        run = await unbroken(_begun(engine, config, demo, confirm))
        return await _shown_to_end(engine, run, shows_progress, stop)


async def _begun(engine: "Engine", config: "RunConfig", demo: bool, confirm: str) -> "Run":
    run = await engine.create_run(config, demo=demo)
    try:
        return await engine.start_run(run.id, confirm)
    except KnownError:
        await engine.delete_run(run.id)
        raise


async def _shown_to_end(engine: "Engine", run: "Run", shows_progress: bool, stop: Stop | None) -> "RunReport":
    from core.events.payloads import RunProgressed
    from core.model.result import Progress

    with progress(shows_progress) as on_progress:

        def relay(event: object) -> None:
            payload = getattr(event, "payload", None)
            if isinstance(payload, RunProgressed):
                on_progress(Progress(done=payload.bars, total=payload.bars_total, what="bars"))

        with engine.subscribe(RunProgressed.wire, relay, owner="command line", run_id=run.id):
            return await to_end(engine, run, stop)


async def to_end(engine: "Engine", run: "Run", stop: Stop | None = None) -> "RunReport":
    """Wait for a run's end. When the call is cancelled meanwhile, the run is stopped and kept as stopped. `stop` is told of the end."""
    from core.events.payloads import RunStopRequested

    interrupted = False
    try:
        run = await engine.wait_for_run(run.id)
        if stop is not None:
            stop.is_over = True
        interrupted = bool(await engine.events(run_id=run.id, pattern=RunStopRequested.wire, limit=1))
    except asyncio.CancelledError:
        interrupted = True
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        run = await _stopped(engine, run)
    return await collect(engine, run.id, interrupted=interrupted)


async def _stopped(engine: "Engine", run: "Run") -> "Run":
    try:
        return await engine.stop_run(run.id)
    except RunNotStoppable:
        return await engine.run(run.id)  # it had just ended by itself


async def collect(engine: "Engine", run_id: str, *, interrupted: bool = False) -> "RunReport":
    """Return a run with all that it left."""
    from app.run_document import RunReport

    run = await engine.run(run_id)
    return RunReport(run=run, fills=await engine.fills(run.id), result=await engine.result(run.id), interrupted=interrupted)


def tell(report: "RunReport", *, equity: bool, as_json: bool) -> None:
    """Print the report; end the call with exit code 1 when the run failed or a person stopped it."""
    from app.run_document import run_document
    from core.model.run import RunStatus

    run = report.run
    if as_json:
        print_json(run_document(report, equity=equity))
    else:
        from app.run_text import report_text

        show(*report_text(report))
    if run.error_code == BugError.code:
        raise typer.Exit(1)  # told already, when it happened, with the place of its traceback
    if run.status is RunStatus.ERROR:
        fail(run.error_code or "run_error", run.error or f"Run {run.id} failed.")
    if report.interrupted and run.status is not RunStatus.COMPLETED:
        fail("cancelled", f"Run {run.id} was stopped after {run.bars:,} of {run.bars_total:,} bars. It is kept as stopped.")
