from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.charts.conftest import make_series, make_trades
from ui.charts.data import OrderLine
from ui.charts.widget import ChartWidget

Place = Callable[..., QPointF]


def turn_wheel(
    chart: ChartWidget,
    at: QPointF,
    *,
    angle: tuple[int, int] = (0, 0),
    pixels: tuple[int, int] = (0, 0),
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    event = QWheelEvent(
        at,
        chart.mapToGlobal(at),
        QPoint(*pixels),
        QPoint(*angle),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(chart, event)


def drag(chart: ChartWidget, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(chart, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(chart, (start + end) / 2)
    QTest.mouseMove(chart, end)
    QTest.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=end)


def test_wheel_zooms_at_the_pointer(filled: ChartWidget, place_of: Place) -> None:
    at = place_of(950)
    before = filled.scene.view
    turn_wheel(filled, at, angle=(0, 120))
    after = filled.scene.view
    assert after.pixels_per_slot == pytest.approx(before.pixels_per_slot * 1.25)
    assert place_of(950).x() == pytest.approx(at.x(), abs=1.5)
    turn_wheel(filled, at, angle=(0, -120))
    assert filled.scene.view.span == pytest.approx(before.span)


def test_touchpad_pans_sideways_and_zooms_upward(filled: ChartWidget, place_of: Place) -> None:
    before = filled.scene.view
    turn_wheel(filled, place_of(950), pixels=(40, 0), angle=(120, 0))
    assert (before.left - filled.scene.view.left) * before.pixels_per_slot == pytest.approx(40 * filled.ink().ratio)
    assert filled.scene.view.span == before.span
    turn_wheel(filled, place_of(950), pixels=(0, 30), angle=(0, 60))
    assert filled.scene.view.span < before.span


def test_shift_and_wheel_pans(filled: ChartWidget, place_of: Place) -> None:
    before = filled.scene.view
    turn_wheel(filled, place_of(950), angle=(0, 120), modifiers=Qt.KeyboardModifier.ShiftModifier)
    assert filled.scene.view.span == before.span
    assert filled.scene.view.left < before.left


def test_drag_pans_by_the_way_of_the_hand(filled: ChartWidget, place_of: Place) -> None:
    start = place_of(950)
    drag(filled, start.toPoint(), (start + QPointF(130, 20)).toPoint())
    assert place_of(950).x() == pytest.approx(start.x() + 130, abs=2)


def test_a_view_never_loses_all_bars(filled: ChartWidget) -> None:
    for _ in range(40):
        drag(filled, QPoint(100, 100), QPoint(700, 100))
    view = filled.scene.view
    assert view.right > 0
    picture = filled.picture()
    assert picture is not None
    assert len(picture.frame.bars)


def test_drag_on_the_price_axis_stretches_it_and_a_double_click_fits_it(filled: ChartWidget) -> None:
    pane = filled.chart_layout().panes[0]
    low, high = filled.scale_of(pane) or (0.0, 0.0)
    axis = QPoint(filled.width() - 10, 150)
    drag(filled, axis, axis + QPoint(0, 80))
    stretched = filled.scale_of(pane) or (0.0, 0.0)
    assert stretched[1] - stretched[0] > (high - low) * 1.2
    drag(filled, QPoint(200, 150), QPoint(200, 200))
    moved = filled.scale_of(pane) or (0.0, 0.0)
    assert moved[0] > stretched[0]
    QTest.mouseDClick(filled, Qt.MouseButton.LeftButton, pos=axis)
    assert filled.scale_of(pane) == pytest.approx((low, high))


def test_double_click_on_the_time_axis_shows_every_bar(filled: ChartWidget) -> None:
    QTest.mouseDClick(filled, Qt.MouseButton.LeftButton, pos=QPoint(300, filled.height() - 6))
    view = filled.scene.view
    assert view.left < 0
    assert view.right > 1000


def test_drag_on_the_time_axis_zooms_and_keeps_the_right_edge(filled: ChartWidget) -> None:
    before = filled.scene.view
    drag(filled, QPoint(500, filled.height() - 6), QPoint(400, filled.height() - 6))
    assert filled.scene.view.span < before.span
    assert filled.scene.view.right == pytest.approx(before.right)


def test_the_border_between_panes_moves(filled: ChartWidget) -> None:
    series = make_series(1000)
    filled.set_equity(series.start_ns + series.timeframe.ns, np.linspace(100, 120, 1000), 100.0)
    upper = filled.chart_layout().panes[0]
    border = QPoint(200, round(upper.bottom / filled.ink().ratio))
    drag(filled, border, border - QPoint(0, 60))
    assert filled.chart_layout().panes[0].bottom == pytest.approx(upper.bottom - 60 * filled.ink().ratio, abs=3)
    QTest.mouseDClick(filled, Qt.MouseButton.LeftButton, pos=border - QPoint(0, 60))
    assert filled.chart_layout().panes[0].bottom == upper.bottom


@pytest.mark.parametrize(("key", "wider"), [(Qt.Key.Key_Plus, True), (Qt.Key.Key_Minus, False)])
def test_plus_and_minus_zoom(filled: ChartWidget, key: Qt.Key, *, wider: bool) -> None:
    before = filled.scene.view.pixels_per_slot
    QTest.keyClick(filled, key)
    assert (filled.scene.view.pixels_per_slot > before) is wider


def test_home_and_end_jump_and_pages_turn(filled: ChartWidget) -> None:
    QTest.keyClick(filled, Qt.Key.Key_Home)
    assert filled.scene.view.left < 0 < filled.scene.view.right
    left = filled.scene.view.left
    QTest.keyClick(filled, Qt.Key.Key_PageDown)
    assert filled.scene.view.left == pytest.approx(left + filled.scene.view.span * 0.9)
    QTest.keyClick(filled, Qt.Key.Key_PageUp)
    assert filled.scene.view.left == pytest.approx(left)
    QTest.keyClick(filled, Qt.Key.Key_End)
    assert filled.scene.view.left < 999 < filled.scene.view.right


def test_arrows_step_a_bar_and_the_view_follows(filled: ChartWidget, qtbot: QtBot) -> None:
    filled.set_crosshair(int(make_series(1000).start_ns[990]))
    with qtbot.waitSignal(filled.crosshair_moved) as moved:
        QTest.keyClick(filled, Qt.Key.Key_Left)
    assert moved.args == [int(make_series(1000).start_ns[989])]
    assert "989" not in filled.readout_text()
    assert filled.accessibleDescription() == filled.readout_text()
    for _ in range(30):
        QTest.keyClick(filled, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert filled.crosshair is not None
    assert filled.crosshair.bar == 689
    view = filled.scene.view
    assert view.left <= 689 < view.right
    QTest.keyClick(filled, Qt.Key.Key_Escape)
    assert filled.crosshair is None


def test_arrows_begin_at_the_newest_bar_in_view(filled: ChartWidget) -> None:
    QTest.keyClick(filled, Qt.Key.Key_Right)
    assert filled.crosshair is not None
    assert filled.crosshair.bar == 999
    filled.point_at(None, None)
    QTest.keyClick(filled, Qt.Key.Key_Home)
    QTest.keyClick(filled, Qt.Key.Key_Left)
    assert filled.crosshair is not None
    view = filled.scene.view
    assert filled.crosshair.bar == int(view.right - 1)
    assert view.left < 0


def test_the_pointer_shows_the_bar_under_it(filled: ChartWidget, place_of: Place, qtbot: QtBot) -> None:
    with qtbot.waitSignal(filled.crosshair_moved) as moved:
        QTest.mouseMove(filled, place_of(960).toPoint())
    assert moved.args == [int(make_series(1000).start_ns[960])]
    assert filled.crosshair is not None
    assert filled.crosshair.bar == 960


def test_a_click_on_a_mark_names_its_trade(filled: ChartWidget, qtbot: QtBot) -> None:
    filled.set_trades(make_trades(make_series(1000), 40))
    hits, ratio = filled.hits(), filled.ink().ratio
    x, y, number = hits.x[0][-1], hits.y[0][-1], int(hits.number[0][-1])
    assert hits.kinds[0] == "trade"
    at = QPointF(x / ratio, y / ratio).toPoint()
    QTest.mouseMove(filled, at)
    assert filled.mark_label().startswith(("Long 2 · ", "Short 2 · "))
    with qtbot.waitSignal(filled.trade_clicked) as clicked:
        QTest.mouseClick(filled, Qt.MouseButton.LeftButton, pos=at)
    assert clicked.args == [number]


def test_a_drag_that_ends_on_a_mark_is_no_click(filled: ChartWidget, qtbot: QtBot) -> None:
    filled.set_trades(make_trades(make_series(1000), 40))
    with qtbot.assertNotEmitted(filled.trade_clicked):
        drag(filled, QPoint(300, 150), QPoint(420, 150))


def test_the_menu_fits_switches_the_scale_and_copies(filled: ChartWidget, qtbot: QtBot) -> None:
    actions = {action.objectName(): action for action in filled.findChildren(QAction)}
    actions["chart-fit"].trigger()
    assert filled.scene.view.left < 0
    with qtbot.waitSignal(filled.log_scale_changed) as changed:
        actions["chart-log-scale"].trigger()
    assert changed.args == [True]
    picture = filled.picture()
    assert picture is not None
    assert picture.frame.scales["price"].log
    actions["chart-copy-picture"].trigger()
    copied = QApplication.clipboard().pixmap()
    assert copied.size() == filled.size() * filled.devicePixelRatioF()


def order_place(chart: ChartWidget, share: float) -> tuple[float, QPoint]:
    """A price at a share of the price pane's range, and a point of the chart there where no bar's mark is."""
    picture = chart.picture()
    assert picture is not None
    scale = picture.frame.scales["price"]
    price = round(scale.low + (scale.high - scale.low) * share, 2)
    return price, QPoint(40, round(scale.y(price) / chart.ink().ratio))


def test_an_orders_line_is_taken_to_another_price(filled: ChartWidget) -> None:
    moved: list[tuple[str, float]] = []
    filled.order_moved.connect(lambda order_id, price: moved.append((order_id, price)))
    (price, start), (goal, end) = order_place(filled, 0.5), order_place(filled, 0.8)
    line = OrderLine(price=price, text="Sell 10 limit", side=-1, order_id="o1")
    filled.set_order_lines([line])
    before = filled.scene.view
    QTest.mouseMove(filled, start)
    assert filled.cursor().shape() is Qt.CursorShape.SizeVerCursor
    QTest.mousePress(filled, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(filled, (start + end) / 2)
    QTest.mouseMove(filled, end)
    assert filled.scene.orders[0].price == pytest.approx(goal, rel=0.01)
    filled.set_order_lines([line])  # what works is told anew while the hand has it
    assert filled.scene.orders[0].price != price
    QTest.mouseRelease(filled, Qt.MouseButton.LeftButton, pos=end)
    ((order_id, asked),) = moved
    assert (order_id, asked) == ("o1", round(asked, 2))
    assert asked == pytest.approx(goal, rel=0.01)
    assert filled.scene.orders == (line,)  # until the broker has taken it
    assert filled.scene.view == before


def test_a_line_that_is_not_the_persons_to_move_is_none_to_take_and_escape_lets_go(filled: ChartWidget) -> None:
    moved: list[str] = []
    filled.order_moved.connect(lambda order_id, _price: moved.append(order_id))
    (price, start), (_, end) = order_place(filled, 0.5), order_place(filled, 0.8)
    filled.set_order_lines([OrderLine(price=price, text="Long 10", side=1, is_held=True)])
    before = filled.scene.view
    drag(filled, start, end + QPoint(60, 0))
    assert filled.scene.view != before  # the view is panned, as anywhere
    price, start = order_place(filled, 0.5)
    filled.set_order_lines([OrderLine(price=price, text="Buy 1 limit", side=1, order_id="o1")])
    QTest.mousePress(filled, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(filled, end)
    QTest.keyClick(filled, Qt.Key.Key_Escape)
    assert filled.scene.orders[0].price == price
    QTest.mouseRelease(filled, Qt.MouseButton.LeftButton, pos=end)
    assert moved == []
