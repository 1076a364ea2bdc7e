"""The composition root: the only file that knows every class."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.config import MEMORY
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.runs.manager import RunManager
from core.settings import Settings
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader

if TYPE_CHECKING:
    from core.store.database import DatabaseStore

OnBug = Callable[[BaseException, str], None]
"""Takes an error of ours and what was being done."""


def compose_strategies(folder: Path) -> StrategyLoader:
    """Return the source of plug-ins: the program's own, and those in the person's `folder`."""
    return StrategyLoader((folder,))


def compose_store(url: str) -> "MemoryStore | DatabaseStore":
    """Return the home of everything that is kept: `memory`, or an SQLite URL. Nothing is opened yet."""
    if url == MEMORY:
        return MemoryStore(SystemClock())
    from core.store.database import DatabaseStore

    return DatabaseStore(url, SystemClock())


def compose_engine(store: "MemoryStore | DatabaseStore", strategies: Path, settings: Settings, on_bug: OnBug) -> Engine:
    """Return an engine on `store`; nothing is read or written before it is opened."""
    clock = SystemClock()
    source = compose_strategies(strategies)
    runs = RunManager(store=store, strategies=source, clock=clock, callback_limit_s=settings.number("run.callback_limit_s"), on_bug=on_bug)
    return Engine(clock=clock, store=store, strategies=source, runs=runs, data=DataDesk(store, clock))
