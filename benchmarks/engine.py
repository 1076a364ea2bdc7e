"""Our own engine as the command line composes it, on a database file in a folder of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from app import collector
from app.compose import compose_engine, compose_store
from benchmarks.bars import KEY
from core.engine import Engine
from core.model.market import BarSeries
from core.model.run import Run, RunConfig, RunStatus
from core.ports import Store
from core.settings import Settings

CONFIG = RunConfig(
    strategy_id="sma-cross", symbols=(KEY.symbol,), timeframe=KEY.timeframe, params={"fast": 10, "slow": 30, "qty": 1.0}, source=KEY.source
)


@asynccontextmanager
async def desk(url: str | None = None, plugins: Path | None = None) -> AsyncIterator[tuple[Engine, Store]]:
    """An open engine and its store, on a fresh SQLite file or on `url`, with the strategies of the folder `plugins` too."""

    def on_bug(error: BaseException, doing: str) -> None:
        raise RuntimeError(f"a bug while {doing}") from error

    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        store = compose_store(url or f"sqlite:///{Path(folder) / 'weaver.db'}")
        engine = compose_engine(store, plugins or Path(folder), Settings({}, {}), on_bug)
        await engine.open()
        collector.settle()  # as the command line does
        try:
            yield engine, store
        finally:
            await engine.close()


async def stored(store: Store, bars: BarSeries) -> None:
    """Put the bars where the engine reads them."""
    await store.bars.merge(msgspec.structs.replace(KEY, symbol=bars.symbol), bars)


async def run_once(engine: Engine, config: RunConfig = CONFIG) -> Run:
    """Run to the end. Raises RuntimeError when the run does not complete."""
    run = await engine.create_run(config)
    await engine.start_run(run.id)
    run = await engine.wait_for_run(run.id)
    if run.status is not RunStatus.COMPLETED:
        raise RuntimeError(f"the run ended as {run.status}: {run.error}")
    return run
