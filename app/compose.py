"""The composition root: the only file that knows every class."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.ports import Store
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


def compose_store(url: str) -> Store:
    """Return the home of everything that is kept: `memory`, a path or an SQLite URL. Nothing is opened yet. Raises InputError."""
    return store_at(url, SystemClock())


def compose_engine(store: Store, strategies: Path, settings: Settings, on_bug: OnBug, *, speed: float = 1.0, seed: int = 1) -> Engine:
    """Return an engine on `store`; nothing is read or written before it is opened. `speed`, `seed`: of the simulated market."""
    clock = SystemClock()
    brokers = SimSource(clock.now_ns(), speed=speed, seed=seed)
    source = compose_strategies(strategies)
    limit_s = settings.number("run.callback_limit_s")
    runs = RunManager(store=store, strategies=source, brokers=brokers, clock=clock, callback_limit_s=limit_s, on_bug=on_bug)
    return Engine(clock=clock, store=store, strategies=source, runs=runs, data=DataDesk(store, clock))


def compose_window(engine: Engine, settings: Settings, services: "Services") -> "MainWindow":
    """Return the window on an open engine; call it in the running loop. The one function here that needs Qt."""
    from ui.window import MainWindow

    return MainWindow(engine, settings, services)
