import numpy as np

from core.events.payloads import RunProgressed
from core.model.result import RunResult
from core.views.equity import EquityView
from tests.unit.views.events import Events


def progressed(time_ns: int, equity: float) -> RunProgressed:
    return RunProgressed(bars=1, bars_total=2, time_ns=time_ns, equity=equity, elapsed_s=0.0)


def test_points_come_in_order_and_once() -> None:
    events, view = Events(), EquityView()
    for time_ns, equity in ((10, 1.0), (20, 2.0), (20, 9.0), (15, 9.0), (30, 3.0)):
        view.fold(events.wrap(progressed(time_ns, equity), seq=False))
    time, equity_points = view.points()
    assert time.tolist() == [10, 20, 30]
    assert equity_points.tolist() == [1.0, 2.0, 3.0]
    assert view.changed


def test_a_result_replaces_what_was_folded() -> None:
    view = EquityView()
    view.load(RunResult(run_id="r", stats={}, equity_ns=np.array([1, 2], np.int64), equity=np.array([5.0, 6.0])))
    assert view.points()[1].tolist() == [5.0, 6.0]
    assert len(view) == 2


def test_what_was_before_comes_before_what_was_told() -> None:
    view = EquityView()
    view.precede(np.array([1, 2]), np.array([10.0, 11.0]))
    view.precede(np.array([], np.int64), np.array([]))
    assert [line.tolist() for line in view.points()] == [[1, 2], [10.0, 11.0]]
    view = EquityView()
    view.fold(Events().wrap(progressed(3, 12.5), seq=False))
    view.changed = False
    view.precede(np.array([1, 2, 3, 4]), np.array([10.0, 11.0, 12.0, 13.0]))
    assert view.changed
    assert [line.tolist() for line in view.points()] == [[1, 2, 3], [10.0, 11.0, 12.5]]
