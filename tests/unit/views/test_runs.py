from decimal import Decimal

import pytest

from core.events.payloads import RunCompleted, RunDeleted, RunError, RunProgressed, RunStarted, RunStopped
from core.model.run import Manifest, RunStatus
from core.views.runs import SPARK_POINTS, RunRow, RunTable, thinned
from tests.unit.views.events import Events, run

MANIFEST = Manifest(strategy_sha256="a", bars_sha256="b", engine="1")


def progressed(bars: int, equity: float = 101_000.0) -> RunProgressed:
    return RunProgressed(bars=bars, bars_total=100, time_ns=bars, equity=equity, elapsed_s=0.1)


def test_a_run_goes_through_its_life() -> None:
    events, table = Events(), RunTable()
    table.fold(events.run_created())
    table.fold(events.wrap(RunStarted(manifest=MANIFEST, bars_total=100)))
    table.fold(events.wrap(progressed(40), seq=False))
    row = table.rows[0]
    assert row.run.status is RunStatus.RUNNING
    assert row.progress == 0.4
    assert row.total_return == pytest.approx(0.01)
    table.fold(events.wrap(RunCompleted(bars=100, elapsed_s=0.2, end_equity=Decimal(99_000))))
    row = table.rows[0]
    assert row.run.status is RunStatus.COMPLETED
    assert row.progress is None
    assert row.total_return == pytest.approx(-0.01)
    assert row.run.ended_ns == 4_000_000_000


def test_what_a_loaded_run_already_is_changes_nothing() -> None:
    events, table = Events(), RunTable()
    table.load_runs([run(status=RunStatus.COMPLETED)])
    table.take_changes()
    late = (RunStarted(manifest=MANIFEST, bars_total=100), progressed(10), RunStopped(bars=1, reason="late"), RunError(code="x", error="y"))
    for payload in late:
        table.fold(events.wrap(payload))
    assert table.rows == [RunRow(run=run(status=RunStatus.COMPLETED))]


def test_the_equity_of_a_stored_run_comes_from_its_event() -> None:
    events, table = Events(), RunTable()
    table.load_runs([run(status=RunStatus.COMPLETED)])
    table.fold(events.wrap(RunCompleted(bars=100, elapsed_s=0.2, end_equity=Decimal(110_000))))
    assert table.rows[0].total_return == pytest.approx(0.1)


def test_runs_stand_oldest_first_and_leave_when_deleted() -> None:
    events, table = Events(), RunTable()
    table.load_runs([run("c"), run("b"), run("a")])
    assert [row.run.id for row in table.rows] == ["a", "b", "c"]
    table.take_changes()
    table.fold(events.wrap(RunDeleted(), run_id="b"))
    changes = table.take_changes()
    assert changes.removed == ((1, 1),)
    table.drop(1, 1)
    assert [row.run.id for row in table.rows] == ["a", "c"]
    assert table.place_of("c") == 1
    assert "b" not in table


def test_a_line_of_equity_is_thinned_but_keeps_its_ends() -> None:
    points = tuple(float(number) for number in range(1_000))
    assert len(thinned(points)) <= SPARK_POINTS
    assert thinned(points)[0] == 0.0
    assert thinned(points)[-1] == 999.0
