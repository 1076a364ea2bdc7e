"""The real window on the real engine and the in-memory store, inside the Qt loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication

from app.compose import compose_engine, compose_store
from app.database_answers import copy_to_database, look_at_database, prepare_database
from app.window_report import export_report
from core.brokers.accounts import Accounts
from core.clock.realtime import SystemClock
from core.engine import Engine
from core.errors import NoKeys
from core.model.broker import AccountName
from core.model.desk import Desk as Workstation
from core.model.download import Downloaded, DownloadPlan
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.result import Progress
from core.model.run import Run, RunConfig
from core.ports import Store
from core.settings import Settings
from core.store.location import store_at
from core.values import ParamValue
from tests.gui.standing_loop import in_qt
from ui.services import MemoryLayout, Services
from ui.window import MainWindow

START_NS = 1_404_172_800 * 1_000_000_000
KEY = BarSetKey(symbol="BTC/USD", timeframe="1m", source="test")
OTHER = BarSetKey(symbol="ETH/USD", timeframe="1m", source="test")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests of this folder run in the Qt loop."""
    return in_qt()


def bars(symbol: str, count: int = 3_000, seed: int = 7) -> BarSeries:
    """Return a walk with prices on the cent."""
    close = np.round(500 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, count))), 2)
    open_ = np.concatenate(([500.0], close[:-1]))
    start = START_NS + np.arange(count, dtype=np.int64) * MINUTE_NS
    high, low = np.maximum(open_, close) + 0.05, np.minimum(open_, close) - 0.05
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), start, open_, high, low, close, np.ones(count))


@dataclass
class Desk:
    """A window with what a test needs to look behind it."""

    window: MainWindow
    engine: Engine
    store: Store
    layout: MemoryLayout
    errors: list[str] = field(default_factory=list)
    quits: list[str] = field(default_factory=list)

    async def finished_run(self, symbol: str = "BTC/USD", params: dict[str, ParamValue] | None = None) -> Run:
        """Create a run, carry it out, and wait until the window shows all of it."""
        run = await self.pending_run(symbol, params)
        await self.engine.start_run(run.id)
        done = await self.engine.wait_for_run(run.id)
        await self.window.settled()
        return done

    async def quiet(self) -> None:
        """Stop every run and let the account go: between a test and its end the loop stands still, and nothing may go on."""
        await self.engine.stop_all_runs()
        trading = self.window.trading
        if trading.feed.view is not None:
            trading.feed.disconnect_now()
        self.window.heartbeat.stop()
        await self.window.settled()

    async def pending_run(self, symbol: str = "BTC/USD", params: dict[str, ParamValue] | None = None) -> Run:
        """Create a run and look at it."""
        config = RunConfig(strategy_id="sma-cross", symbols=(symbol,), timeframe="1m", params=params or {})
        run = await self.engine.create_run(config)
        await self.window.settled()
        self.window.show_run(run.id)
        await self.window.settled()
        return run


MakeDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture(autouse=True)
def application(qapp: QApplication) -> Iterator[QApplication]:
    """What was told to go is gone when a test ends, and the last window that closes does not stop the loop."""
    qapp.setStyle("Fusion")
    qapp.setQuitOnLastWindowClosed(False)
    yield qapp
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest_asyncio.fixture
async def make_desk(tmp_path: Path) -> AsyncIterator[MakeDesk]:
    """Open windows; at the end each is shut down and must have left nothing behind."""
    made: list[Desk] = []

    async def make(
        *,
        with_bars: bool = True,
        layout: MemoryLayout | None = None,
        stored: dict[str, ParamValue] | None = None,
        database: str = "memory",
        speed: float = 1.0,
        name: str | None = None,
        accounts: Accounts | None = None,
        services: Mapping[str, Any] | None = None,
    ) -> Desk:
        """`accounts`: those at brokers, of which there are none otherwise; `services`: what the program brings beside the usual."""
        settings = [Settings({"window.theme": "dark", "window.local_time": False, **(stored or {})}, {})]
        bugs: list[str] = []

        def report_bug(error: BaseException, what: str) -> None:
            bugs.append(f"{what}: {error!r}")

        def change_setting(key: str, value: ParamValue) -> Settings:
            settings[0] = settings[0].with_value(key, value)
            return settings[0]

        if name is None:
            store = compose_store(database)
        else:  # a workstation of its own
            store = store_at(database, SystemClock(), locks=tmp_path / name, desk=Workstation(id=f"id-{name}", name=name))
        engine = compose_engine(store, tmp_path / "strategies", settings[0], report_bug, accounts=accounts, speed=speed)
        await engine.open()
        if with_bars:
            await store.bars.merge(KEY, bars("BTC/USD"))
            await store.bars.merge(OTHER, bars("ETH/USD", seed=8))
        quits: list[str] = []

        async def make_demo(on_progress: Callable[[Progress], None]) -> Run:
            on_progress(Progress(done=1, total=2, what="Making the simulated market"))
            await store.bars.merge(KEY, bars("BTC/USD"))
            config = RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1m")
            run = await engine.create_run(config, demo=True)
            await engine.start_run(run.id)
            return await engine.wait_for_run(run.id)

        async def fetch_bars(plan: DownloadPlan, account: AccountName, on_progress: Callable[[Progress], None]) -> list[Downloaded]:
            raise NoKeys(f"The {account} account has no keys on this machine.", "Store them.")

        memory = layout or MemoryLayout()
        brought = Services(
            layout=memory,
            change_setting=change_setting,
            request_quit=lambda: quits.append("asked"),
            report_bug=report_bug,
            make_demo=make_demo,
            export_report=lambda run_id, path: export_report(engine, run_id, path),
            look_at_database=look_at_database,
            prepare_database=prepare_database,
            copy_to_database=lambda url, on_progress: copy_to_database(engine, url, on_progress),
            fetch_bars=fetch_bars,
            version="0.0.0",
            **(services or {}),
        )
        window = MainWindow(engine, settings[0], brought)
        desk = Desk(window=window, engine=engine, store=store, layout=memory, errors=bugs, quits=quits)
        window.errors.said.connect(lambda text, _level, _details: desk.errors.append(text))
        made.append(desk)
        window.show()
        await window.open()
        await window.settled()
        return desk

    yield make
    for desk in made:
        if not desk.window.tasks.is_closed:
            assert await desk.window.shut_down() == []
        desk.window.close_now()
        await desk.engine.close()
        assert desk.window.tasks.pending == ()
        assert [timer for timer in desk.window.findChildren(QTimer) if timer.isActive()] == []
        assert [sub.owner for sub in desk.store.log.subscriptions()] == []
        assert desk.errors == []
        desk.window.deleteLater()
