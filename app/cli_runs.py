"""`weaver runs`: list, show, compare, verify, parity, stop, resume, close, offer, take-over and delete."""

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.call import Call, Stop, signals_as_before
from app.cli_backtest import BenchmarkSymbol, ReportPath, collect, report_target, to_end, with_files
from app.cli_handing_over import offer, take_over
from app.console import fail, print_json, progress, show
from app.early_stop import say_not_begun
from app.options import EVERYWHERE, AsJson, RunId, WithEquity
from app.words import surely
from core.errors import Cancelled, InputError, NotTheSame, RunError

if TYPE_CHECKING:
    from app.run_document import RunReport
    from core.engine import Engine
    from core.model.parity import Parity
    from core.model.run import Run
    from core.model.verification import Verification

_ENDED: Final = {"completed": "over: it completed before it heard of it", "stopped": "stopped", "error": "over: it failed"}


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (
        ("list", list_),
        ("show", show_),
        ("compare", compare),
        ("verify", verify),
        ("parity", parity),
        ("stop", stop),
        ("resume", resume),
        ("close", close),
        ("offer", offer),
        ("take-over", take_over),
        ("delete", delete),
    ):
        group.command(name, epilog=EVERYWHERE)(verb)


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List all runs, newest first."""
    from rich.text import Text

    from app.run_document import run_head

    call: Call = context.obj
    runs = call.run(lambda engine: engine.runs())
    if as_json:
        print_json({"runs": [run_head(run, None) for run in runs]})
    elif not runs:
        show(Text("There are no runs yet. `weaver backtest STRATEGY --symbol S --timeframe 1m` makes one."))
    else:
        from app.run_text import run_rows

        show(run_rows(runs))


def show_(
    context: typer.Context,
    run: RunId,
    report: ReportPath = None,
    benchmark: BenchmarkSymbol = None,
    equity: WithEquity = False,
    at: Annotated[int | None, typer.Option(help="As it was when this event had happened.", metavar="SEQ")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: the same report, JSON document, or files, as `weaver backtest` gives; or the run at one of its events."""
    call: Call = context.obj
    if at is not None:
        given = {"--report": report, "--benchmark": benchmark, "--equity": equity}
        for option, value in given.items():
            if value:
                raise InputError(f"{option} is of the whole run.", f"Leave out {option}, or --at.")
        _show_at(call, run, at, as_json=as_json)
        return
    if equity and not as_json:
        raise InputError("--equity is for --json.", "Add --json, or leave it out.")
    target = report_target(report, benchmark)

    async def work(engine: "Engine") -> "RunReport":
        found = await collect(engine, run)
        if target is not None and found.result is None:
            raise RunError(f"Run {found.run.id} is {found.run.status} and left no result.", "A report is made of a run that has ended.")
        return await with_files(engine, found, target, benchmark)

    found = call.run(work)
    if as_json:
        from app.run_document import run_document

        print_json(run_document(found, equity=equity))
    else:
        from app.run_text import report_text

        show(*report_text(found))


def _show_at(call: Call, run: str, seq: int, *, as_json: bool) -> None:
    view = call.run(lambda engine: engine.view_at(run, seq))
    if as_json:
        from app.run_at import view_document

        print_json(view_document(view))
    else:
        from app.run_at import view_text

        show(*view_text(view))


def compare(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(help="Ids of two runs or more, or their beginnings.", metavar="RUN RUN…")],
    as_json: AsJson = False,
) -> None:
    """Show runs side by side: settings that differ, statistics, and the first fills that are not the same."""
    call: Call = context.obj
    comparison = call.run(lambda engine: engine.compare_runs(runs))
    if as_json:
        from app.run_comparison import comparison_document

        print_json(comparison_document(comparison))
    else:
        from app.run_comparison import comparison_text

        show(*comparison_text(comparison))


def verify(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Run a run again from its manifest and compare everything that comes out, bit for bit; exit code 1 when it differs."""
    call: Call = context.obj

    async def work(engine: "Engine") -> "Verification":
        with progress(call.shows_progress) as on_progress:
            return await engine.verify_run(run, on_progress)

    with redirect_stdout(sys.stderr):  # what a plug-in prints must not get into the document
        verification = call.run(work)
    from app.run_comparison import verification_document, verification_text
    from core.views.verdict import verdict

    if as_json:
        print_json(verification_document(verification))
    else:
        show(*verification_text(verification))
    if not verification.is_same:
        fail(NotTheSame.code, verdict(verification))


def parity(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Replay the bars a paper run saw through Greta and compare its decisions and fills; exit code 1 when a decision differs."""
    call: Call = context.obj
    with redirect_stdout(sys.stderr):  # what a plug-in prints
        found = call.run(lambda engine: engine.parity_of_run(run))
    if as_json:
        import msgspec

        print_json({**msgspec.to_builtins(found), "is_same": found.is_same})
    else:
        from rich.text import Text

        show(*(Text(line) for line in parity_lines(found)))
    if not found.is_same:
        what = found.causes[0].sentence if found.causes else f"Decision {found.same + 1} of run {found.run_id} is not Greta's."
        fail(NotTheSame.code, what)


def parity_lines(found: "Parity") -> list[str]:
    """Return what a comparison with Greta says, in sentences."""
    if found.causes:
        return [cause.sentence for cause in found.causes]
    lines = [f"Run {found.run_id}: {found.decisions:,} decisions, {found.same:,} the same as Greta's, one after the other."]
    if found.divergence is not None:
        lines.append(found.divergence.sentence)
    if found.fill_divergence is not None:
        lines.append(found.fill_divergence.sentence)
    by_greta = f"{found.replayed_fills:,} by Greta on {found.matched_on} bars"
    lines.append(f"Fills: {found.fills:,} in the run, {by_greta}; {found.compared_fills:,} orders filled in both.")
    if found.slippage_bps is not None and found.worst_slippage_bps is not None:
        lines.append(f"Slippage against Greta: {found.slippage_bps:.2f} bps on average, {found.worst_slippage_bps:.2f} at worst.")
    if found.delay_s is not None and found.worst_delay_s is not None:
        lines.append(f"From decision to fill, market orders: {found.delay_s:.3f} s on average, {found.worst_delay_s:.3f} s at worst.")
    return lines


def stop(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Stop a run of this desk, in whichever window or terminal it goes on, and wait until it is over."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "Run":
        found = await engine.run(run)
        return await engine.stop_run(surely("run", run, found.id))

    stopped = call.run(work)
    if as_json:
        print_json({"stopped": stopped.id, "status": str(stopped.status), "said": stopped.error})
    else:
        show(Text(f"Run {stopped.id} is {_ENDED[stopped.status.value]}. {stopped.error or ''}".rstrip()))


def resume(
    context: typer.Context,
    run: RunId,
    confirm: Annotated[str, typer.Option(help="Of a live run: the account's number, typed.", metavar="NAME")] = "",
    log_json: Annotated[bool, typer.Option("--log-json", help="What happens, an event a line, as JSON on stderr.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let an interrupted paper or live run go on here, with its own positions and cash, until Ctrl+C, SIGTERM or its own end."""
    from app.cli_trade import tell, told

    call: Call = context.obj

    to_go_on: list[str] = []
    stop = Stop()

    async def work(engine: "Engine") -> "RunReport":
        found = await engine.run(run)
        to_go_on.append(found.id)
        with told(engine, log_json=log_json):
            return await to_end(engine, await engine.resume_run(found.id, confirm), stop)

    with signals_as_before():
        try:
            with redirect_stdout(sys.stderr):  # what a plug-in prints must not get into the document
                done = call.run(work, log_json=log_json, stop=stop)
        except Cancelled:
            say_not_begun(as_json=as_json, log_json=log_json, interrupted=to_go_on[0] if to_go_on else run)
            return
        tell(done, as_json=as_json)


def close(
    context: typer.Context,
    run: RunId,
    flatten: Annotated[bool, typer.Option("--flatten", help="Close its positions too, at market.")] = False,
    as_json: AsJson = False,
) -> None:
    """End an interrupted paper or live run: its orders are reconciled with the broker's and cancelled."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "Run":
        found = await engine.run(run)
        return await engine.close_run(surely("run", run, found.id), flatten)

    closed = call.run(work)
    if as_json:
        print_json({"closed": closed.id, "said": closed.error})
    else:
        show(Text(f"Run {closed.id} is over. {closed.error or ''}".rstrip()))


def delete(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Remove a run that is over, with its orders, fills, result and events."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "Run":
        found = await engine.run(run)
        await engine.delete_run(surely("run", run, found.id))
        return found

    removed = call.run(work)
    if as_json:
        print_json({"deleted": removed.id})
    else:
        show(Text(f"Run {removed.id} ({removed.config.strategy_id}, {', '.join(removed.config.symbols)}) is removed."))
