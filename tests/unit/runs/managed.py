"""A run manager over a store and a folder of plug-ins, and no bug of it unseen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.run import Run, RunConfig
from core.ports import Store
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader


def store_of(kind: str, folder: Path) -> Store:
    """A store in memory, or in a file of the folder; not open yet."""
    clock = SystemClock()
    return MemoryStore(clock) if kind == "memory" else DatabaseStore(f"sqlite:///{folder / 'weaver.db'}", clock)


@asynccontextmanager
async def managed(store: Store, folder: Path, *, callback_limit_s: float = 5.0) -> AsyncIterator[tuple[RunManager, list[BaseException]]]:
    """Open the store, and yield a manager on it and the bugs that it reports: what is in that list at the end fails the test."""
    await store.open()
    bugs: list[BaseException] = []
    manager = RunManager(
        brokers=SimSource(0),
        store=store,
        strategies=StrategyLoader([folder]),
        clock=SystemClock(),
        callback_limit_s=callback_limit_s,
        on_bug=lambda error, _where: bugs.append(error),
    )
    yield manager, bugs
    await manager.close()
    await store.close()
    assert bugs == []


async def ran_to_its_end(manager: RunManager, config: RunConfig) -> Run:
    run = await manager.create(config)
    await manager.start(run.id)
    return await manager.wait(run.id)
