"""`weaver doctor`: what is installed, reachable and configured, in the words ok, warn and fail. Prints no secret."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from app.call import Call
from app.config import DATABASE_VARIABLE, HOME_VARIABLE, MEMORY, SettingsFile
from app.console import print_json, show, table
from app.options import AsJson
from core import ENGINE_VERSION
from core.errors import KnownError, nearest
from core.settings import SETTINGS

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.desk import DeskSeen
    from core.ports import Broker

OK, WARN, FAIL = "ok", "warn", "fail"
DEPENDENCIES: Final = (
    "numpy",
    "polars",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "msgspec",
    "exchange_calendars",
    "zstandard",
    "httpx",
    "websockets",
    "keyring",
    "typer",
    "rich",
)
WINDOW_DEPENDENCIES: Final = ("PySide6-Essentials", "qasync", "qtawesome")
LEAST_FREE_BYTES: Final = 500_000_000
VARIABLES: Final = (HOME_VARIABLE, DATABASE_VARIABLE, "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
PREFIXES: Final = ("WEAVER_", "APCA_", "ALPACA_")


class Check(msgspec.Struct, frozen=True):
    """One finding: what was looked at, how it is (`ok`, `warn`, `fail`), and a sentence."""

    name: str
    state: str
    said: str


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check what is installed, reachable and configured; exit code 1 when something fails."""
    call: Call = context.obj
    checks = examine(call)
    worst = FAIL if any(check.state == FAIL for check in checks) else WARN if any(check.state == WARN for check in checks) else OK
    if as_json:
        print_json({"version": ENGINE_VERSION, "state": worst, "checks": [msgspec.to_builtins(check) for check in checks]})
    else:
        from rich.text import Text

        show(table(("", "what", "finding"), [(check.state, check.name, check.said) for check in checks], fold=("finding",)))
        show(Text({OK: "All is well.", WARN: "It works; see the warnings.", FAIL: "Something must be put right first."}[worst]))
    if worst == FAIL:
        raise typer.Exit(1)


def examine(call: Call) -> list[Check]:
    """Return every finding, in the order a person would ask."""
    steps: tuple[Callable[[Call], list[Check]], ...] = (
        _program,
        _dependencies,
        _window,
        _directory,
        _settings,
        _database,
        _strategies,
        _accounts,
        _variables,
    )
    return [check for step in steps for check in step(call)]


def _program(call: Call) -> list[Check]:
    python = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return [
        Check("weaver", OK, f"version {ENGINE_VERSION}"),
        Check("python", OK if fits else WARN, f"{python}, {sys.executable}" + ("" if fits else "; 3.11 to 3.13 are supported")),
        Check("system", OK, f"{platform.platform()}, {os.cpu_count()} processors"),
    ]


def _dependencies(call: Call) -> list[Check]:
    return [_installed(name, FAIL, "not installed; run the set-up of the README again") for name in DEPENDENCIES]


def _installed(name: str, else_state: str, else_said: str) -> Check:
    try:
        return Check(name, OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, else_state, else_said)


def _window(call: Call) -> list[Check]:
    from app.display import has_display, install_hint, missing_packages

    checks = [_installed(name, WARN, "not installed: no window, but every verb works") for name in WINDOW_DEPENDENCIES]
    display = has_display(call.environment)
    missing = missing_packages(screen=bool(call.environment.get("DISPLAY")))
    if missing:
        checks.append(Check("window libraries", WARN, f"missing: no window, but every verb works. {install_hint(missing)}"))
    elif find_spec("PySide6") is not None:
        checks.append(Check("window libraries", OK, "all there"))
    checks.append(
        Check(
            "display",
            OK if display else WARN,
            "there is one" if display else "none: `weaver --screenshot FILE` and every verb work without",
        )
    )
    return checks


def _directory(call: Call) -> list[Check]:
    checks = []
    data = call.paths.data
    state = WARN if call.database_url == MEMORY else FAIL
    try:
        call.paths.make()
        probe = data / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except KnownError as error:
        checks.append(Check("data directory", state, str(error)))
    except OSError as error:
        checks.append(Check("data directory", state, f"{data} cannot be written: {error.strerror}."))
    else:
        checks.append(Check("data directory", OK, str(data)))
        free = shutil.disk_usage(data).free
        checks.append(Check("free space", OK if free >= LEAST_FREE_BYTES else WARN, f"{free / 1e9:,.1f} GB"))
    return checks


def _settings(call: Call) -> list[Check]:
    file = SettingsFile(call.paths.settings, call.environment)
    file.load()
    return [Check("settings", WARN, warning) for warning in file.warnings] or [Check("settings", OK, str(call.paths.settings))]


def _database(call: Call) -> list[Check]:
    from core.store.migration import HEAD  # opening brings every database to this one

    async def work(engine: "Engine") -> tuple[str, int, int, Sequence[tuple[str, str]], Sequence["DeskSeen"]]:
        return engine.where, len(await engine.bar_sets()), len(await engine.runs()), await engine.facts(), await engine.desks()

    try:
        where, sets, runs, facts, desks = call.run(work)
    except KnownError as error:
        return [Check("database", FAIL, str(error))]
    tables = "" if call.database_url == MEMORY else f", tables at revision {HEAD}"
    checks = [Check("database", OK, f"{where}{tables}; {sets} bar sets, {runs} runs")]
    checks += [Check(name, OK, said) for name, said in facts]
    return checks + [_desk(seen) for seen in desks]


def _desk(seen: "DeskSeen") -> Check:
    if seen.is_here:
        return Check("this desk", OK, seen.desk.name)
    newer = f"; its program is version {seen.version}" if seen.version != ENGINE_VERSION else ""
    return Check("desk", WARN if newer else OK, f"{seen.desk.name}, last seen {timedelta(seconds=round(seen.seen_s))} ago{newer}")


def _strategies(call: Call) -> list[Check]:
    from app.compose import compose_strategies

    source = compose_strategies(call.paths.strategies)
    found = source.find_all().values()
    sound = [info for info in found if not info.error]
    checks = [Check("strategies", OK, f"{len(sound)} found; your own belong in {call.paths.strategies}")]
    checks += [Check("strategy", WARN, f"{info.path}: {info.error}") for info in found if info.error]
    return checks + [Check("strategies", WARN, sentence) for sentence in source.unreadable.values()]


def _accounts(call: Call) -> list[Check]:
    from app.account_call import accounts_of, with_accounts

    checks = []
    for setup in with_accounts(call, lambda accounts: accounts.setups()):
        name = f"{setup.name} account"
        if setup.error is not None:
            checks.append(Check(name, WARN, setup.error))
        elif setup.keys is None:
            checks.append(Check(name, OK, f"not set up; `weaver accounts set {setup.name}` does"))
        else:
            trouble = _unreachable(call, setup.name)
            where = f"{setup.adapter}, keys {setup.keys} in the {setup.kept}"
            checks.append(Check(name, WARN if trouble else OK, f"{where}; {trouble or 'reachable'}"))
    broken = [info for info in accounts_of(call).adapters().values() if info.error]
    return checks + [Check("adapter", WARN, f"{info.path}: {info.error}") for info in broken]


def _unreachable(call: Call, account: str) -> str | None:
    """Return why an account that has keys cannot be read; None when it can."""
    from app.account_call import with_account

    async def work(broker: "Broker") -> None:
        await broker.account.account()

    try:
        with_account(call, account, work)
    except KnownError as error:
        return str(error)
    return None


def _variables(call: Call) -> list[Check]:
    known = {*VARIABLES, *(setting.env for setting in SETTINGS)}
    names = sorted({name for name in call.environment if name in VARIABLES or name.startswith(PREFIXES)})
    said = f"set: {', '.join(names)} (values are not printed)" if names else "nothing of ours is set"
    checks = [Check("environment", OK, said)]
    for name in names:
        if name.startswith("WEAVER_") and name not in known:
            near = nearest(name, known)
            checks.append(Check("environment", WARN, f"{name} means nothing." + (f" Did you mean {near}?" if near else "")))
    return checks
