"""The command line: `weaver` and its verbs.

Nothing here, nor in what it imports, imports Qt; the engine is imported by the verb that needs it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from app import (
    cli_accounts,
    cli_actions,
    cli_backtest,
    cli_data,
    cli_db,
    cli_events,
    cli_hand,
    cli_orders,
    cli_runs,
    cli_strategies,
    cli_trade,
    doctor,
)
from app.call import Call
from app.common_options import COMMON_OPTIONS, common_options_first
from app.config import DATABASE_VARIABLE, Paths, database_url
from app.console import let_stdout_go, print_error
from app.early_stop import say_not_begun, trades
from app.options import EVERYWHERE
from core import ENGINE_VERSION
from core.errors import InputError, KnownError, UnknownName, nearest

INTERRUPTED: Final = 130
"""What typer makes of a KeyboardInterrupt."""

_PLAINLY: Final = {
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it must be a number",
}
"""What the parser of the command line says → what it means."""


class VerbGroup(TyperGroup):
    """A group that suggests the near name for an unknown verb."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            shown = [name for name, command in self.commands.items() if not command.hidden]
            path = ctx.command_path.partition(" ")[2]
            raise UnknownName(f"verb of weaver {path}" if path else "verb", args[0], shown)
        return super().resolve_command(ctx, args)


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, cls=VerbGroup, rich_markup_mode=None, epilog=EVERYWHERE)


def build() -> typer.Typer:
    """Return the whole tree of verbs."""
    app = typer.Typer(
        help="A desktop trading workstation: backtests strategies on your own prices. Without a verb it opens the window.",
        cls=VerbGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog=EVERYWHERE,
    )
    app.callback(invoke_without_command=True)(weaver)
    data, strategies = (
        _group("Import, download, list, check, export and delete price bars."),
        _group("List strategies and their parameters."),
    )
    runs, events = _group("List, show, compare, verify, stop and delete runs."), _group("Read the event log.")
    app.add_typer(data, name="data")
    app.add_typer(strategies, name="strategies")
    cli_data.add_to(data)
    actions = _group("Import, list and delete splits and dividends.")
    cli_actions.add_to(actions)
    data.add_typer(actions, name="actions")
    cli_strategies.add_to(strategies)
    app.command("backtest", epilog=EVERYWHERE)(cli_backtest.backtest)
    app.command("trade", epilog=EVERYWHERE)(cli_trade.trade)
    app.command("kill", epilog=EVERYWHERE)(cli_trade.kill)
    app.add_typer(runs, name="runs")
    cli_runs.add_to(runs)
    app.add_typer(events, name="events")
    cli_events.add_to(events)
    db = _group("Look after the database: check it, move it, archive its events.")
    app.add_typer(db, name="db")
    cli_db.add_to(db)
    accounts, orders = _group("Accounts at brokers, their keys and adapters."), _group("List and cancel the orders of an account.")
    app.add_typer(accounts, name="accounts")
    app.add_typer(orders, name="orders")
    cli_accounts.add_to(app, accounts, orders)
    cli_hand.add_to(app, accounts, orders, _group("List what an account holds; close or reverse a position of it."))
    app.command("doctor", epilog=EVERYWHERE)(doctor.doctor)
    cli_orders.add_to(app, orders)
    return app


def weaver(
    context: typer.Context,
    demo: Annotated[bool, typer.Option("--demo", help="Open on the simulated market, with a finished run.")] = False,
    theme: Annotated[str | None, typer.Option(help="Colours for this start: dark, light or system.", metavar="NAME")] = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="Draw the window to a PNG and exit; works without a display.", metavar="FILE")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of the window in pixels, like 1600x1000.", metavar="WxH")] = None,
    panel: Annotated[str | None, typer.Option(help="With --screenshot: only this panel.", metavar="NAME")] = None,
    db: Annotated[
        str | None,
        typer.Option(help=f"Database: memory, sqlite:///FILE or postgresql://USER@HOST/NAME; also {DATABASE_VARIABLE}.", metavar="URL"),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Settings, layout and database of their own.", metavar="NAME")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Progress and the log on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Keep the common options for the verb, or open the window."""
    if version:
        sys.stdout.write(f"weaver {ENGINE_VERSION}\n")
        raise typer.Exit
    environment = dict(os.environ)
    paths = Paths.of(environment, profile)
    call = Call(
        paths=paths,
        database_url=database_url(db, environment, paths),
        database_given=db is not None or bool(environment.get(DATABASE_VARIABLE)),
        environment=environment,
        verbose=verbose,
        debug=debug,
    )
    context.obj = call
    window_only = {"--demo": demo, "--theme": theme, "--screenshot": screenshot, "--size": size, "--panel": panel}
    if context.invoked_subcommand is not None:
        for option, value in window_only.items():
            if value:
                raise InputError(f"{option} is for the window.", f"Leave out {option}, or the verb {context.invoked_subcommand}.")
        return
    from app.start import WindowOptions, open_window

    open_window(call, WindowOptions.parse(demo=demo, theme=theme, screenshot=screenshot, size=size, panel=panel))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one call and return its exit code: 0 done, 1 it ran and failed, 2 the call was wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a sign the terminal cannot show must not end the call
    try:
        code = build()(common_options_first(given), prog_name="weaver", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _say(_usage_error(error), given)
    except BrokenPipeError:
        # The reader of a pipe (`weaver … | head`) has gone: nobody is left to tell.
        let_stdout_go()
        return 1
    except Exception as error:  # the outermost frame: known errors are told in plain words, bugs are kept and reported
        return _say(_single_cause(error), given)
    if code == INTERRUPTED:
        if trades(given):
            say_not_begun(as_json="--json" in given, log_json="--log-json" in given)
            return 0
        print_error("cancelled", "Stopped on request.")
        return 1
    return code if isinstance(code, int) else 0


def _say(error: Exception, given: Sequence[str]) -> int:
    if "--debug" in given:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KnownError):
        print_error(error.code, str(error))
        return 2 if isinstance(error, InputError) else 1
    from app.logs import FaultReporter
    from core.clock.realtime import SystemClock

    sentence = FaultReporter(Paths.of(os.environ).logs, SystemClock()).sentence(error)
    print_error("bug", sentence)
    return 1


def _single_cause(error: Exception) -> Exception:
    """Return the one error inside nested groups; a group of several stays as it is."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _usage_error(error: typer.TyperException) -> KnownError:
    """Return the error of the call as one of ours, with the near option suggested."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "weaver"
    if hasattr(error, "possibilities"):
        options = [name for param in context.command.params for name in param.opts if name.startswith("--")] if context else []
        wrong = str(getattr(error, "option_name", ""))
        near = nearest(wrong, {*options, *COMMON_OPTIONS})
        return InputError(f"{path} has no option {wrong}.", f"Did you mean {near}?" if near else f"`{path} --help` lists them.")
    what = error.format_message().strip().replace("\n", " ")
    for said, plain in _PLAINLY.items():
        what = what.replace(said, plain)
    return InputError(what if what.endswith((".", "?")) else what + ".", f"`{path} --help` shows how it is called.")
