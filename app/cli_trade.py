"""`weaver trade` and `weaver kill`: a strategy on a paper account, and what ends or restrains it from anywhere."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.beside import written_beside
from app.call import Call, Stop, signals_as_before
from app.cli_backtest import run_config, run_to_end
from app.console import fail, print_error, print_json, show
from app.early_stop import say_not_begun
from app.options import AsJson
from app.run_terms import TermWords
from app.words import one_of, surely
from core.errors import BugError, Cancelled, InputError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from app.run_document import RunReport
    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.risk import SwitchLevel
    from core.model.run import Run, RunConfig

CANCELLED_S: Final = 30.0
FLAT_S: Final = 80.0
"""How long `weaver kill` waits for every account to say that orders are cancelled, and that positions are closed."""
_POLL_S: Final = 0.2
_WRONG_CALLS: Final = frozenset({InputError.code, InvalidValue.code, UnknownName.code})


_log = logging.getLogger(__name__)


def trade(
    context: typer.Context,
    strategy: Annotated[str, typer.Argument(help="Id of the strategy; `weaver strategies list` shows them.")],
    mode: Annotated[str, typer.Option(help="paper, or live: real money.", metavar="MODE")] = "paper",
    broker: Annotated[
        str | None,
        typer.Option(help="sim: a simulated market; paper: an account in the database; or an adapter, like alpaca.", metavar="ID"),
    ] = None,
    confirm: Annotated[
        str, typer.Option(help="With --mode live: the account's number, as `weaver account --account live` shows it.", metavar="NAME")
    ] = "",
    feed: Annotated[str | None, typer.Option(help="Feed of equities at the broker, like iex (default) or sip.", metavar="NAME")] = None,
    extended_hours: Annotated[
        bool, typer.Option("--extended-hours", help="See, and decide on, the minutes before and after a session too.")
    ] = False,
    symbol: Annotated[list[str] | None, typer.Option(help="Symbol to trade; repeat it for several.", metavar="S")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of a bar, like 1m, 5m, 1h.", metavar="T")] = None,
    param: Annotated[list[str] | None, typer.Option(help="Parameter of the strategy as name=value; repeat it.", metavar="K=V")] = None,
    cash: Annotated[str | None, typer.Option(help="The part of the account that the run has; as in a backtest.", metavar="AMOUNT")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="Risk limit as name=value, like max_order_value=5000; repeat it.", metavar="K=V")
    ] = None,
    seed: Annotated[int, typer.Option(help="What the strategy's chance and the simulated market start from.", metavar="N")] = 1,
    speed: Annotated[float, typer.Option(help="How many times as fast as real time the simulated market goes.", metavar="X")] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong on the simulated market, on purpose, as name or name=value; repeat it.", metavar="NAME[=VALUE]"),
    ] = None,
    minutes: Annotated[int | None, typer.Option(help="End after so many minutes of the market.", metavar="N")] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="What happens, an event a line, as JSON on stderr.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a strategy in real time on an account, without a window, until Ctrl+C, SIGTERM or its own end."""
    call: Call = context.obj
    is_live = one_of("mode", mode, ("paper", "live")) == "live"
    if confirm and not is_live:
        raise InputError("--confirm is for real money.", "Add --mode live, or leave it out.")
    at = broker or (call.settings().text("account.live_adapter") if is_live else "sim")
    if not symbol:
        raise InputError("trade does not know what to trade.", "Name it with --symbol, like --symbol DEMO/USD.")
    if timeframe is None:
        raise InputError("trade does not know which bars to take.", "Name their length with --timeframe, like --timeframe 1m.")
    if not 0 < speed <= 3_600:
        raise InvalidValue("--speed", speed, "it is above 0 and at most 3600; 60 makes a minute a second.")
    if minutes is not None and minutes < 1:
        raise InvalidValue("--minutes", minutes, "it must be at least 1.")

    def settle(engine: "Engine") -> "RunConfig":
        import msgspec

        from core.model.instants import MINUTE_NS
        from core.model.risk import parse_limits
        from core.model.run import RunMode

        config = run_config(
            engine,
            strategy,
            symbol,
            timeframe,
            given_params=param or (),
            cash=cash if cash is not None else repr(call.settings().number("run.cash")),
            terms=TermWords(),
            seed=seed,
        )
        now_ns = engine.market_now_ns(at)
        if fault and at != "sim":
            raise InputError(f"--fault is of the simulated market, and this is {at}.", "Add --broker sim, or leave it out.")
        if speed not in {1.0, engine.market_speed(at)}:
            raise InputError(f"--speed is of the simulated market, and {at} goes in real time.", "Leave it out.")
        end_ns = None if minutes is None else (now_ns // MINUTE_NS + 1 + minutes) * MINUTE_NS
        return msgspec.structs.replace(
            config,
            mode=RunMode.LIVE if is_live else RunMode.PAPER,
            broker=at,
            feed=feed,
            extended_hours=extended_hours,
            limits=parse_limits(limit or (), "--limit"),
            end_ns=end_ns,
        )

    stop = Stop()

    async def work(engine: "Engine") -> "RunReport":
        thrown = (await engine.switches()).get(None)
        if thrown is not None and thrown != "off":
            words = f"The kill switch is thrown ({thrown}): orders are refused until `weaver kill --off`."
            if log_json:
                _log.warning("%s", words)
            else:
                sys.stderr.write(f"{words}\n")
        from app.turns import served_soon

        with told(engine, log_json=log_json), served_soon():
            done = await run_to_end(engine, settle, shows_progress=False, confirm=confirm, stop=stop)
        if _was_wrong_call(done.run):
            await engine.delete_run(done.run.id)  # it never began: nothing of it is there to be looked at
        return done

    with signals_as_before():
        try:
            with redirect_stdout(sys.stderr):  # what a plug-in prints must not get into the document
                done = call.run(work, speed=speed, seed=seed, faults=fault or (), log_json=log_json, stop=stop)
        except Cancelled:
            say_not_begun(as_json=as_json, log_json=log_json)
            return
        if _was_wrong_call(done.run):
            print_error(done.run.error_code or InputError.code, done.run.error or "The market does not know what was asked for.")
            raise typer.Exit(2)
        tell(done, as_json=as_json)


def _was_wrong_call(run: "Run") -> bool:
    """Tell whether the market does not know what was asked for, a symbol for instance: that shows only once it is asked."""
    return run.status == "error" and run.manifest is None and run.error_code in _WRONG_CALLS


@contextmanager
def told(engine: "Engine", *, log_json: bool) -> "Iterator[None]":
    """Print each event on stderr as it happens: a sentence, or a line of JSON."""
    from core.model.instants import iso
    from core.views.orders import OrderTable
    from core.views.words import words

    orders = OrderTable()

    def line(event: "Envelope") -> None:
        if log_json:
            import msgspec

            from app.cli_events import event_document

            write(msgspec.json.encode(event_document(event)).decode() + "\n")
            return
        orders.fold(event)
        if event.type not in _QUIET:
            write(f"{iso(event.ts // 10**9 * 10**9)} {words(event, orders.get)}\n")

    with written_beside(sys.stderr) as write, engine.subscribe("*", line, owner="command line"):
        yield


_QUIET: Final = frozenset(
    {
        "run.Progressed",
        "account.Changed",
        "risk.EquityMarked",
        "strategy.StateSaved",
        "live.PlaceOrder",
        "live.CancelOrder",
        "live.ReplaceOrder",
        "orders.Created",
        "orders.Submitted",
        "risk.Approved",
        "data.BarsImported",
    }
)


def tell(report: "RunReport", *, as_json: bool) -> None:
    """Print the report. To be stopped is how such a run ends: that is no failure."""
    from app.run_document import run_document
    from core.model.run import RunStatus

    run = report.run
    if as_json:
        print_json(run_document(report, equity=False))
    else:
        from app.run_text import report_text

        show(*report_text(report))
    if run.error_code == BugError.code:
        raise typer.Exit(1)
    if run.status is RunStatus.ERROR:
        fail(run.error_code or "run_error", run.error or f"Run {run.id} failed.")
    if not run.status.is_final:
        fail("run_error", f"Run {run.id} is over, and how it ended is not stored. Its orders may work on; look at the account.")


def kill(
    context: typer.Context,
    run: Annotated[str | None, typer.Option(help="Only this run (id or its beginning); else all.", metavar="ID")] = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Close the positions too, at market.")] = False,
    halt: Annotated[bool, typer.Option("--halt", help="Only let nothing new leave; working orders stay.")] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Let only what takes off a position leave.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Take the switch back: orders may leave again.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the log.", metavar="TEXT")] = "A person threw it.",
    as_json: AsJson = False,
) -> None:
    """Throw the kill switch of every paper and live run, in whichever process: nothing new leaves, working orders are cancelled.

    It stays thrown, over restarts too, until `weaver kill --off`.
    """
    from core.model.risk import SwitchLevel

    call: Call = context.obj
    chosen = [
        level
        for given, level in (
            (flatten, SwitchLevel.FLATTEN),
            (halt, SwitchLevel.HALT),
            (reduce_only, SwitchLevel.REDUCE_ONLY),
            (off, SwitchLevel.OFF),
        )
        if given
    ]
    if len(chosen) > 1:
        raise InputError("kill takes one of --flatten, --halt, --reduce-only and --off.", "Give one of them, or none to cancel all orders.")
    level = chosen[0] if chosen else SwitchLevel.CANCEL_ALL
    thrown, trading, answers = call.run(lambda engine: _thrown(engine, level, reason, run))
    done = [one for one in answers.values() if one is not None]
    if as_json:
        print_json({"level": str(level), "run_id": thrown.run_id, "seq": thrown.seq, "trading": trading, "carried_out": done})
    else:
        for line in _said(level, trading, answers):
            sys.stdout.write(line + "\n")
    missing = [account for account, answer in answers.items() if answer is None or answer["unreached"] or answer["left"]]
    if missing:
        fail("not_carried_out", f"The kill switch is thrown and holds, but is not carried out at {', '.join(missing)}.")


async def _thrown(
    engine: "Engine", level: "SwitchLevel", reason: str, run: str | None
) -> "tuple[Envelope, list[str], dict[str, dict[str, Any] | None]]":
    """Throw the switch and wait until every account concerned answered; return the event, the runs that trade, and the answers."""
    from core.events.live_payloads import SwitchCarriedOut, SwitchUnreached
    from core.model.risk import SwitchLevel

    if run is not None:
        run = surely("run", run, (await engine.run(run)).id)
    thrown, accounts = await engine.throw_switch(level, reason, run)
    trading = [one.id for one in await engine.trading_runs() if thrown.run_id in {None, one.id}]
    answers: dict[str, dict[str, Any] | None] = dict.fromkeys(accounts)
    after = thrown.seq
    with suppress(TimeoutError):  # the switch holds all the same
        async with asyncio.timeout(FLAT_S if level is SwitchLevel.FLATTEN else CANCELLED_S):
            while None in answers.values():
                for event in await engine.events(after_seq=after, pattern="risk.*"):
                    after, told = event.seq, event.payload
                    if event.causation_id != thrown.id:
                        continue
                    if isinstance(told, SwitchCarriedOut):
                        answers[told.account] = _answer(told.account, told.cancelled, told.closed, told.left)
                    elif isinstance(told, SwitchUnreached):
                        answers[told.account] = _answer(told.account, unreached=told.reason)
                await asyncio.sleep(_POLL_S)
    return thrown, trading, answers


def _answer(account: str, cancelled: int = 0, closed: int = 0, left: str = "", unreached: str = "") -> dict[str, Any]:
    return {"account": account, "cancelled": cancelled, "closed": closed, "left": left, "unreached": unreached}


def _said(level: "SwitchLevel", trading: list[str], answers: "dict[str, dict[str, Any] | None]") -> Iterator[str]:
    from core.model.risk import SwitchLevel

    words = {
        SwitchLevel.OFF: "The kill switch is off: orders may leave again.",
        SwitchLevel.REDUCE_ONLY: "Only what takes off a position may leave now.",
        SwitchLevel.HALT: "Nothing new leaves now; working orders stay.",
        SwitchLevel.CANCEL_ALL: "Nothing new leaves now; working orders are to be cancelled.",
        SwitchLevel.FLATTEN: "Nothing new leaves now; working orders are to be cancelled and positions closed.",
    }
    yield words[level]
    if level is not SwitchLevel.OFF:
        yield "It stays so until `weaver kill --off`."
    if not trading:
        yield "No paper or live run is going on."
    for account, answer in answers.items():
        if answer is None:
            yield f"{account} has not acknowledged it. It holds all the same, and is carried out when the account is opened."
        elif answer["unreached"]:
            yield f"{account} was not reached: {answer['unreached']} It is carried out when the account is opened."
        else:
            yield f"{account} acknowledged: {answer['cancelled']} orders cancelled, {answer['closed']} positions closed." + (
                f" Left: {answer['left']}" if answer["left"] else ""
            )
    if not answers and level in {SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN}:
        yield "No order of ours works and nothing of ours is held at an account that is known."
