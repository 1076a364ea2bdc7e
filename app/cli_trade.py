"""`weaver trade` and `weaver kill`: a strategy on a paper account, and what ends or restrains it from anywhere."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.call import Call
from app.cli_backtest import run_config, run_to_end
from app.console import fail, print_json, show
from app.options import AsJson
from app.run_terms import TermWords
from app.words import one_of
from core.errors import BugError, InputError, InvalidValue

if TYPE_CHECKING:
    from app.run_document import RunReport
    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.risk import SwitchLevel
    from core.model.run import RunConfig

WAIT_S: Final = 25.0
"""How long `weaver kill` waits for the processes that trade to say that it is done."""
_POLL_S: Final = 0.2


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

    async def work(engine: "Engine") -> "RunReport":
        thrown = (await engine.switches()).get(None)
        if thrown is not None and thrown != "off":
            sys.stderr.write(f"The kill switch is thrown ({thrown}): orders are refused until `weaver kill --off`.\n")
        from app.turns import served_soon

        with told(engine, log_json=log_json), served_soon():
            return await run_to_end(engine, settle, shows_progress=False, confirm=confirm)

    with redirect_stdout(sys.stderr):  # what a plug-in prints must not get into the document
        done = call.run(work, speed=speed, seed=seed)
    tell(done, as_json=as_json)


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

            sys.stderr.write(msgspec.json.encode(event_document(event)).decode() + "\n")
            return
        orders.fold(event)
        if event.type not in _QUIET:
            sys.stderr.write(f"{iso(event.ts // 10**9 * 10**9)} {words(event, orders.get)}\n")

    with engine.subscribe("*", line, owner="command line"):
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
    thrown, trading, done = call.run(lambda engine: _thrown(engine, level, reason, run))
    if as_json:
        print_json({"level": str(level), "run_id": thrown.run_id, "seq": thrown.seq, "trading": trading, "carried_out": done})
        return
    for line in _said(level, trading, done):
        sys.stdout.write(line + "\n")


async def _thrown(
    engine: "Engine", level: "SwitchLevel", reason: str, run: str | None
) -> "tuple[Envelope, list[str], list[dict[str, Any]]]":
    """Throw the switch and wait until every account that trades acknowledged it; return the event, the runs and the answers."""
    from core.events.live_payloads import SwitchCarriedOut
    from core.model.risk import SwitchLevel

    thrown = await engine.throw_switch(level, reason, run)
    trading = [one.id for one in await engine.trading_runs() if thrown.run_id in {None, one.id}]
    done: list[dict[str, Any]] = []
    if not trading or level not in {SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN}:
        return thrown, trading, done
    try:
        async with asyncio.timeout(WAIT_S):
            after = thrown.seq
            while not done:
                for event in await engine.events(after_seq=after, pattern=SwitchCarriedOut.wire):
                    after = event.seq
                    if isinstance(event.payload, SwitchCarriedOut) and event.run_id == thrown.run_id:
                        told = event.payload
                        done.append({"account": told.account, "cancelled": told.cancelled, "closed": told.closed, "left": told.left})
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return thrown, trading, done  # the switch holds all the same
    return thrown, trading, done


def _said(level: "SwitchLevel", trading: list[str], done: list[dict[str, Any]]) -> Iterator[str]:
    from core.model.risk import SwitchLevel

    words = {
        SwitchLevel.OFF: "The kill switch is off: orders may leave again.",
        SwitchLevel.REDUCE_ONLY: "Only what takes off a position may leave now.",
        SwitchLevel.HALT: "Nothing new leaves now; working orders stay.",
        SwitchLevel.CANCEL_ALL: "Nothing new leaves now, and working orders are cancelled.",
        SwitchLevel.FLATTEN: "Nothing new leaves now, working orders are cancelled and positions are closed.",
    }
    yield words[level]
    if level is not SwitchLevel.OFF:
        yield "It stays so until `weaver kill --off`."
    if not trading:
        yield "No paper or live run is going on."
    for answer in done:
        yield f"{answer['account']} acknowledged: {answer['cancelled']} orders cancelled, {answer['closed']} positions closed." + (
            f" Left: {answer['left']}" if answer["left"] else ""
        )
    if trading and not done and level in {SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN}:
        yield "No process that trades has acknowledged it. It holds all the same, and is carried out when the account is opened."
