"""The data desk on real stores: import, merge again, gaps, export, delete, cancel, and a process that dies in the middle."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.errors import BadRows, DataError, InvalidValue, NoBars, UnreadableFile
from core.events.payloads import BarsDeleted, BarsImported, CorporateActionsDeleted, CorporateActionsImported
from core.model.instants import parse_instant
from core.model.market import Adjustment, BarSetKey
from core.model.price_file import ImportPlan, OnBad
from core.model.result import Progress
from core.ports import Store
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore

EXCERPTS = Path(__file__).resolve().parents[2] / "data"
BTC = EXCERPTS / "btcusd-1m-2014.csv.gz"


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of each kind, open."""
    made: Any = MemoryStore(SystemClock()) if request.param == "memory" else DatabaseStore(tmp_path / "weaver.db", SystemClock())
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def desk(store: Store) -> DataDesk:
    return DataDesk(store, SystemClock())


async def plan_of(desk: DataDesk, path: Path, **changes: Any) -> ImportPlan:
    """Return the plan that takes every guess, with changes."""
    guess = await desk.inspect(path, None, None)
    assert guess.symbol is not None
    assert guess.format.timeframe is not None
    plan = ImportPlan(path=str(path), symbol=guess.symbol, timeframe=guess.format.timeframe, format=guess.format)
    return msgspec.structs.replace(plan, **changes)


def ignore(_progress: Progress) -> None:
    """Take no notice of progress."""


async def test_a_file_becomes_a_bar_set_and_an_event(desk: DataDesk, store: Store) -> None:
    seen: list[Progress] = []
    report = await desk.import_file(await plan_of(desk, BTC, source="bitfinex", adjustment=Adjustment.RAW), seen.append)
    assert (report.rows, report.taken, report.refused, report.merge.added) == (400, 400, 0, 400)
    assert report.key == BarSetKey(symbol="BTC/USD", timeframe="1m", source="bitfinex")
    (bar_set,) = await store.bars.sets()
    assert (bar_set.key, bar_set.bars, bar_set.simulated) == (report.key, 400, False)
    assert (bar_set.first_ns, bar_set.last_ns) == (report.first_ns, report.last_ns)
    bars = await store.bars.read(report.key)
    assert (int(bars.start_ns[0]), bars.open[0], bars.volume[0]) == (parse_instant("2014-01-01T00:02Z"), 730.24, 0.0105339)
    (event,) = await store.log.read(pattern="data.*")
    assert isinstance(event.payload, BarsImported)
    assert (event.payload.symbol, event.payload.added, event.producer) == ("BTC/USD", 400, "data")
    assert seen[-1].done == seen[-1].total


async def test_importing_again_changes_nothing_and_changed_bars_are_counted(desk: DataDesk, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "spy.csv"
    text = (EXCERPTS / "spy-1d-yahoo.csv").read_text()
    path.write_text(text)
    plan = await plan_of(desk, path, on_bad=OnBad.SKIP)
    first = await desk.import_file(plan, ignore)
    assert (first.taken, first.refused, first.refused_by_reason) == (199, 2, {"low_above": 2})
    again = await desk.import_file(plan, ignore)
    assert (again.merge.added, again.merge.identical, again.merge.changed) == (0, 199, 0)
    path.write_text(
        text.replace("209.419998,210.800003,209.850006", "209.900000,210.800003,209.850006").replace("208.320007", "208.320008")
    )
    third = await desk.import_file(plan, ignore)
    assert (third.merge.added, third.merge.changed) == (1, text.count("208.320007"))
    assert (await store.bars.sets())[0].bars == 200


async def test_bad_rows_stop_the_import_and_nothing_is_stored(desk: DataDesk, store: Store) -> None:
    with pytest.raises(BadRows, match="2 × low_above"):
        await desk.import_file(await plan_of(desk, EXCERPTS / "spy-1d-yahoo.csv"), ignore)
    assert await store.bars.sets() == []
    assert await store.log.read() == []


async def test_gaps_of_a_set_are_holes_in_its_calendar(desk: DataDesk) -> None:
    report = await desk.import_file(await plan_of(desk, BTC), ignore)
    gaps = await desk.gaps(report.key)
    assert report.first_ns is not None
    assert report.last_ns is not None
    assert sum(gap.missing for gap in gaps) + 400 == (report.last_ns - report.first_ns) // 60_000_000_000 + 1
    report = await desk.import_file(await plan_of(desk, EXCERPTS / "spy-1d-yahoo.csv", on_bad=OnBad.SKIP), ignore)
    # The two refused rows are the only sessions missing; weekends and holidays are not.
    assert [gap.missing for gap in await desk.gaps(report.key)] == [1, 1]
    with pytest.raises(NoBars):
        await desk.gaps(BarSetKey(symbol="NONE", timeframe="1m", source="file"))


@pytest.mark.parametrize("name", ["bars.csv", "bars.CSV.gz", "bars.csv.zst", "bars.parquet"])
async def test_an_exported_set_comes_back_as_identical_bars(desk: DataDesk, tmp_path: Path, name: str) -> None:
    report = await desk.import_file(await plan_of(desk, BTC), ignore)
    path = tmp_path / name
    assert await desk.export(report.key, path) == 400
    back = await desk.import_file(await plan_of(desk, path, symbol="BTC/USD"), ignore)
    assert (back.merge.added, back.merge.identical, back.merge.changed) == (0, 400, 0)
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob(".*.part")))


async def test_a_place_that_cannot_be_written_to_is_a_known_error(desk: DataDesk, tmp_path: Path) -> None:
    report = await desk.import_file(await plan_of(desk, BTC), ignore)
    for name in ("bars.csv", "bars.parquet"):
        with pytest.raises(DataError, match="cannot be written"):
            await desk.export(report.key, tmp_path / "no" / "folder" / name)
    with pytest.raises(InvalidValue, match="must end in"):
        await desk.export(report.key, tmp_path / "bars.xlsx")


async def test_a_deleted_set_is_gone_and_told(desk: DataDesk, store: Store) -> None:
    report = await desk.import_file(await plan_of(desk, BTC), ignore)
    assert await desk.delete(report.key) is True
    assert await desk.delete(report.key) is False
    assert await store.bars.sets() == []
    assert [type(event.payload) for event in await store.log.read()] == [BarsImported, BarsDeleted]


async def test_cancelling_the_task_stores_nothing(desk: DataDesk, store: Store) -> None:
    plan = await plan_of(desk, BTC)
    task = asyncio.current_task()
    assert task is not None

    def cancel(_progress: Progress) -> None:
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await desk.import_file(plan, cancel)
    task.uncancel()
    assert await store.bars.sets() == []
    assert await store.log.read() == []


async def test_progress_is_told_in_the_loops_thread(desk: DataDesk) -> None:
    threads = set()
    await desk.import_file(await plan_of(desk, BTC), lambda _progress: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


async def test_the_simulated_market_is_made_once_and_says_so(desk: DataDesk, store: Store) -> None:
    sets = await desk.ensure_demo_market(ignore)
    assert [each.key.symbol for each in sets] == ["DEMO", "DEMO-B", "DEMO/USD"]
    assert all(each.simulated and each.key.source == "simulated" for each in sets)
    assert await desk.ensure_demo_market(ignore) == sets
    assert len(await store.log.read(pattern="data.*")) == 3
    # One that was deleted comes back alone.
    await desk.delete(sets[1].key)
    again = await desk.ensure_demo_market(ignore)
    assert [each.key for each in again] == [each.key for each in sets]
    assert len(await store.log.read(pattern="data.BarsImported")) == 4


async def test_a_file_that_changes_while_it_is_imported_stores_nothing(desk: DataDesk, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "goog.csv"
    path.write_bytes((EXCERPTS / "goog-1d.csv").read_bytes())
    plan = await plan_of(desk, path)
    opened = threading.Event()

    class Growing(SystemClock):
        """Looks at the time when progress is told, which is in the middle of the reading."""

        def monotonic_ns(self) -> int:
            if not opened.is_set() and threading.current_thread() is not threading.main_thread():
                opened.set()
                with path.open("a") as file:
                    file.write("2013-03-04,1,1,1,1,1\n")
            return super().monotonic_ns()

    with pytest.raises(UnreadableFile, match="changed while it was read"):
        await DataDesk(store, Growing()).import_file(plan, ignore)
    assert opened.is_set()
    assert await store.bars.sets() == []


DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.model.price_file import ImportPlan
from core.store.database import DatabaseStore

async def main(database, prices, moment):
    store = DatabaseStore(Path(database), SystemClock())
    await store.open()
    desk = DataDesk(store, SystemClock())
    guess = await desk.inspect(Path(prices), None, None)
    plan = ImportPlan(path=prices, symbol="BTC/USD", timeframe="1m", format=guess.format)

    def die(progress):
        if progress.what == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    if moment == "merge":
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        def kill(_connection, _cursor, statement, *_rest):
            if statement.startswith("INSERT INTO bar"):
                os.kill(os.getpid(), signal.SIGKILL)

        # The first rows are written by then; the commit is missing.
        event.listen(Engine, "after_cursor_execute", kill)
    await desk.import_file(plan, die)

asyncio.run(main(*sys.argv[1:]))
"""


def run_to_its_death(database: Path, moment: str) -> "subprocess.CompletedProcess[bytes]":
    """Import in a process of its own that kills itself at `moment`."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", DIES, str(database), str(BTC), moment]
    return subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False, timeout=60)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed in another way here")
@pytest.mark.parametrize("moment", ["Reading", "Storing", "merge"])
async def test_a_process_killed_in_the_middle_leaves_nothing_half_done(moment: str, tmp_path: Path) -> None:
    database = tmp_path / "weaver.db"
    ended = await asyncio.to_thread(run_to_its_death, database, moment)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    store = DatabaseStore(database, SystemClock())
    await store.open()
    try:
        assert await store.bars.sets() == []
        assert await store.log.read() == []
        desk = DataDesk(store, SystemClock())
        report = await desk.import_file(await plan_of(desk, BTC), ignore)
        assert report.merge.added == 400
    finally:
        await store.close()


ACTIONS = "symbol,date,type,value\nAAPL,2020-08-31,split,4\nAAPL,2020-11-06,dividend,0.205\nTSLA,2020-08-31,split,5\n"


async def test_splits_and_dividends_come_in_with_an_event_and_go_with_one(desk: DataDesk, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(ACTIONS)
    first = await desk.import_actions(path, None, OnBad.FAIL, ignore)
    assert (first.symbols, first.rows, first.taken, first.merge.added) == (("AAPL", "TSLA"), 3, 3, 3)
    path.write_text(ACTIONS.replace("0.205", "0.21"))
    again = await desk.import_actions(path, None, OnBad.FAIL, ignore)
    assert (again.merge.added, again.merge.identical, again.merge.changed) == (0, 2, 1)
    assert len(await store.actions.read("AAPL")) == 2
    assert await desk.delete_actions("AAPL") == 2
    assert await desk.delete_actions("AAPL") == 0
    assert [event.payload for event in await store.log.read(pattern="data.*")] == [
        CorporateActionsImported(symbols=("AAPL", "TSLA"), added=3, identical=0, changed=0),
        CorporateActionsImported(symbols=("AAPL", "TSLA"), added=0, identical=2, changed=1),
        CorporateActionsDeleted(symbol="AAPL", removed=2),
    ]


async def test_nothing_of_a_file_of_actions_with_a_bad_row_is_stored(desk: DataDesk, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(ACTIONS + "MSFT,2020-11-31,dividend,0.5\n")
    with pytest.raises(BadRows, match=r"Line 5: The date, '2020-11-31'"):
        await desk.import_actions(path, None, OnBad.FAIL, ignore)
    assert await store.actions.read_all() == ()
    assert await store.log.read(pattern="data.*") == []
    skipped = await desk.import_actions(path, None, OnBad.SKIP, ignore)
    assert (skipped.taken, skipped.refused, skipped.refused_by_reason) == (3, 1, {"bad_date": 1})
