"""The composition root: the only file that knows every class."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.config import Paths
from app.desk import desk_of
from app.paper import paper_source
from core.brokers.accounts import Accounts
from core.brokers.chance import FaultPlan, parse_faults
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.brokers.paper.source import ID as PAPER
from core.brokers.sim import ID as SIM
from core.brokers.sim import SimSource
from core.brokers.source import AdapterSource, Brokers
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.model.broker import AccountName
from core.model.risk import account_limits
from core.ports import BrokerSource, Store
from core.runs.history import RunHistories
from core.runs.manager import RunManager
from core.settings import Settings
from core.store.location import store_at
from core.strategy.loader import StrategyLoader

if TYPE_CHECKING:
    from ui.services import Services
    from ui.window import MainWindow

OnBug = Callable[[BaseException, str], None]
"""Takes an error of ours and what was being done."""


def compose_strategies(folder: Path) -> StrategyLoader:
    """Return the source of plug-ins: the program's own, and those in the person's `folder`."""
    return StrategyLoader((folder,))


def compose_store(url: str, paths: Paths | None = None, settings: Settings | None = None) -> Store:
    """Return the home of everything that is kept: `memory`, a path, an SQLite or PostgreSQL URL. It is not open yet. Raises InputError.

    `paths` and `settings` say which desk opens it; without them it is the machine.
    """
    if paths is None or settings is None:
        return store_at(url, SystemClock())
    return store_at(
        url,
        SystemClock(),
        locks=paths.data / "locks",
        desk=desk_of(paths, settings),
        hash_chain=settings.flag("events.hash_chain"),
        bar_cache=paths.home / "bar-cache",
    )


def compose_brokers(
    accounts: Accounts, store: Store, settings: Settings, *, speed: float, seed: int, faults: Sequence[str] = ()
) -> Brokers:
    """Return what runs can trade through: the markets and accounts inside the program, and the adapters of `accounts`.

    `faults`: those of the simulated market, in place of the setting's.
    """

    def plan() -> FaultPlan:
        return parse_faults(faults, "--fault") if faults else parse_faults(settings.text("sim.faults").split(), "sim.faults")

    clock = SystemClock()
    market = SimSource(clock.now_ns(), speed=speed, seed=seed, plan=plan)
    inside: dict[str, BrokerSource] = {SIM: market, PAPER: paper_source(store, market, settings, accounts)}
    return Brokers(inside, AdapterSource(accounts, clock))


def compose_engine(
    store: Store,
    strategies: Path,
    settings: Settings,
    on_bug: OnBug,
    *,
    accounts: Accounts | None = None,
    speed: float = 1.0,
    seed: int = 1,
    faults: Sequence[str] = (),
) -> Engine:
    """Return an engine on `store`; nothing is read or written before it is opened.

    `accounts`: those that runs may trade on; None: there are none. `speed`, `seed`, `faults`: of the simulated market.
    """
    clock = SystemClock()
    own = no_accounts(settings) if accounts is None else accounts
    brokers = compose_brokers(own, store, settings, speed=speed, seed=seed, faults=faults)
    source = compose_strategies(strategies)
    limit_s = settings.number("run.callback_limit_s")
    runs = RunManager(
        store=store,
        strategies=source,
        brokers=brokers,
        clock=clock,
        callback_limit_s=limit_s,
        on_bug=on_bug,
        account_limits=lambda account: account_limits(settings.text(f"account.{account}_limits"), f"account.{account}_limits"),
    )
    data, histories = DataDesk(store, clock), RunHistories(store.log, clock)
    return Engine(clock=clock, store=store, strategies=source, runs=runs, data=data, histories=histories)


def compose_accounts(paths: Paths, environment: Mapping[str, str], settings: Settings) -> Accounts:
    """Return the person's accounts at brokers; nothing is read or sent before one is asked for."""
    adapters = {name: settings.text(f"account.{name}_adapter") for name in AccountName}
    return Accounts(AdapterLoader((paths.adapters,)), KeyVault(environment, paths.profile), environment, adapters, SystemClock())


def no_accounts(settings: Settings) -> Accounts:
    """Return accounts that have no keys: what needs none can be tried all the same."""
    adapters = {name: settings.text(f"account.{name}_adapter") for name in AccountName}
    return Accounts(AdapterLoader(()), KeyVault({}, None), {}, adapters, SystemClock())


def compose_window(engine: Engine, settings: Settings, services: "Services") -> "MainWindow":
    """Return the window on an open engine; call it in the running loop. The one function here that needs Qt."""
    from ui.window import MainWindow

    return MainWindow(engine, settings, services)
