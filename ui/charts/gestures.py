"""What hand and keyboard do to a chart. Positions of events are turned into device pixels here."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent

from ui.charts.data import OrderLine
from ui.charts.layout import PRICE, Layout
from ui.charts.order_lines import line_at
from ui.charts.viewport import TimeView

if TYPE_CHECKING:
    from ui.charts.widget import ChartWidget

_NOTCH: Final = 120
_ZOOM: Final = 1.25
"""How much wider bars become by one notch of the wheel or one press of `+`."""
_CLICK_REACH: Final = 4
"""Device-independent pixels the pointer may move for a press to be a click still."""
_LEAST_PANE: Final = 0.04

_Key = Qt.Key


@dataclass(slots=True)
class _Drag:
    kind: str
    start: QPointF
    view: TimeView
    pane: str = PRICE
    values: tuple[float, float] | None = None
    moved: bool = False
    order_id: str = ""
    """The order whose line is taken."""
    price: float = 0.0


class Gestures:
    """Wheel, drag, double click, touchpad and keys."""

    def __init__(self, chart: "ChartWidget") -> None:
        self._chart = chart
        self._drag: _Drag | None = None

    # Pointer

    def press(self, event: QMouseEvent) -> None:
        """Begin a drag: of the view, of an axis, or of the border between two panes."""
        if event.button() != Qt.MouseButton.LeftButton or self._chart.scene.is_empty():
            return
        at, layout = self._place(event.position()), self._chart.chart_layout()
        kind, pane = self._area(at, layout)
        line = self._line(at) if kind == "plot" and pane == PRICE else None
        if line is not None:
            self._drag = _Drag("order", at, self._chart.scene.view, order_id=line.order_id)
            return
        values = None
        named = layout.pane(pane)
        if named is not None and (kind == "value" or (kind == "plot" and pane in self._chart.scene.manual)):
            values = self._chart.scale_of(named)
        self._drag = _Drag(kind, at, self._chart.scene.view, pane, values)

    def move(self, event: QMouseEvent) -> None:
        """Go on with the drag, or move the crosshair."""
        at, chart = self._place(event.position()), self._chart
        if chart.scene.is_empty():
            return
        drag = self._drag
        if drag is None:
            self._hover(at)
            return
        delta = at - drag.start
        if not drag.moved and max(abs(delta.x()), abs(delta.y())) < _CLICK_REACH * chart.ink().ratio:
            return
        drag.moved = True
        if drag.kind == "order":
            self._take(drag, at.y())
            return
        if drag.kind == "plot":
            chart.set_view(drag.view.panned(delta.x()))
            self._slide(drag, delta.y())
        elif drag.kind == "time":
            factor = math.exp(-delta.x() / 200 / chart.ink().ratio)
            chart.set_view(drag.view.zoomed(drag.view.right, factor, self._total()))
        elif drag.kind == "value":
            self._stretch(drag, math.exp(delta.y() / 200 / chart.ink().ratio))
        else:
            self._split(drag.pane, at.y())
        self._hover(at)

    def release(self, event: QMouseEvent) -> None:
        """End the drag; without a move it was a click."""
        drag, self._drag = self._drag, None
        if drag is not None and drag.kind == "order" and drag.moved:
            self._chart.leave_order_line()
            self._chart.order_moved.emit(drag.order_id, drag.price)
            return
        if drag is None or drag.moved or drag.kind not in {"plot", "order"}:
            return
        found = self._mark(self._place(event.position()))
        if found is not None and found[0] == "trade":
            self._chart.trade_clicked.emit(found[1])

    def double_click(self, event: QMouseEvent) -> None:
        """Fit the axis under the pointer."""
        chart = self._chart
        if event.button() != Qt.MouseButton.LeftButton or chart.scene.is_empty():
            return
        kind, pane = self._area(self._place(event.position()), chart.chart_layout())
        if kind == "value":
            chart.scene.manual.pop(pane, None)
            chart.redraw()
        elif kind == "time":
            chart.fit()
        elif kind == "border":
            chart.scene.weights.clear()
            chart.relayout()

    def wheel(self, event: QWheelEvent) -> None:
        """Zoom at the pointer; a sideways turn, or one with Shift, pans."""
        chart = self._chart
        event.accept()
        if chart.scene.is_empty():
            return
        at = self._place(event.position())
        fine, notches = event.pixelDelta(), event.angleDelta()
        if not fine.isNull():
            sideways, upward = fine.x() * chart.ink().ratio, fine.y() / _NOTCH
        else:
            sideways, upward = notches.x() / _NOTCH * chart.scene.view.width * 0.06, notches.y() / _NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and sideways == 0:
            sideways, upward = upward * chart.scene.view.width * 0.06, 0.0
        kind, pane = self._area(at, chart.chart_layout())
        if kind == "value" and upward:
            named = chart.chart_layout().pane(pane)
            values = chart.scale_of(named) if named is not None else None
            self._stretch(_Drag("value", at, chart.scene.view, pane, values), _ZOOM**-upward)
            return
        view = chart.scene.view
        if abs(sideways) > abs(upward * _NOTCH):
            chart.set_view(view.panned(sideways))
        elif upward:
            chart.set_view(view.zoomed(view.slot(at.x()), _ZOOM**upward, self._total()))
        self._hover(at)

    def native(self, event: QEvent) -> bool:
        """Zoom by two fingers; tells whether the event was that."""
        if not isinstance(event, QNativeGestureEvent) or event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
            return False
        view = self._chart.scene.view
        self._chart.set_view(view.zoomed(view.slot(self._place(event.position()).x()), 1 + event.value(), self._total()))
        return True

    # Keys

    def key(self, event: QKeyEvent) -> bool:
        """Do what a key says; tells whether it says anything here."""
        chart = self._chart
        if chart.scene.is_empty() or event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            return False
        view, total, key = chart.scene.view, self._total(), event.key()
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        if key in {_Key.Key_Left, _Key.Key_Right}:
            self._step(far if key == _Key.Key_Right else -far)
        elif key in {_Key.Key_Plus, _Key.Key_Equal, _Key.Key_Minus, _Key.Key_Underscore}:
            factor = _ZOOM if key in {_Key.Key_Plus, _Key.Key_Equal} else 1 / _ZOOM
            chart.set_view(view.zoomed(self._anchor(), factor, total))
        elif key == _Key.Key_PageUp:
            chart.set_view(view.panned(view.width * 0.9))
        elif key == _Key.Key_PageDown:
            chart.set_view(view.panned(-view.width * 0.9))
        elif key == _Key.Key_Home:
            chart.set_view(TimeView(-view.span * 0.03, view.span, view.width))
        elif key == _Key.Key_End:
            chart.set_view(TimeView(total - view.span * 0.97, view.span, view.width))
        elif key == _Key.Key_Escape and self._drag is not None and self._drag.kind == "order":
            self._drag = None
            chart.leave_order_line()
        elif key == _Key.Key_Escape and chart.crosshair is not None:
            chart.point_at(None, None)
        else:
            return False
        return True

    def _step(self, bars: int) -> None:
        chart = self._chart
        data, view = chart.scene.data, chart.scene.view
        if data is None:
            return
        at = chart.crosshair
        slot = float(data.timeline.slots[at.bar]) + 0.5 if at is not None else view.right + 1
        if at is not None and view.left <= slot <= view.right:
            bar = min(max(at.bar + bars, 0), len(data) - 1)
        else:
            # Nothing in view to step from: begin at the newest bar that is wholly there.
            bar = data.timeline.bar_at(min(view.right, float(data.timeline.total)) - 1.0) or 0
        place = float(data.timeline.slots[bar])
        if place < view.left:
            chart.set_view(view.panned((view.left - place + view.span * 0.1) * view.pixels_per_slot))
        elif place + 1 > view.right:
            chart.set_view(view.panned((view.right - place - 1 - view.span * 0.1) * view.pixels_per_slot))
        chart.point_at(bar, None)
        chart.setAccessibleDescription(chart.readout_text())

    def _anchor(self) -> float:
        """The crosshair where it is in view, else the newest bar in view, else the middle."""
        chart = self._chart
        data, view = chart.scene.data, chart.scene.view
        if data is not None and chart.crosshair is not None:
            slot = float(data.timeline.slots[chart.crosshair.bar]) + 0.5
            if view.left <= slot <= view.right:
                return slot
        newest = float(self._total())
        return newest if view.left <= newest <= view.right else view.left + view.span / 2

    # Inside

    def _place(self, position: QPointF) -> QPointF:
        return position * self._chart.ink().ratio

    def _total(self) -> int:
        return self._chart.scene.data.timeline.total if self._chart.scene.data is not None else 0

    def _area(self, at: QPointF, layout: Layout) -> tuple[str, str]:
        """Tell what is at a place: `border` between panes, `value` or `time` axis, or `plot`, and the pane."""
        if at.y() >= layout.plot_bottom:
            return "time", PRICE
        reach = 3 * self._chart.ink().ratio
        for upper, lower in zip(layout.panes, layout.panes[1:], strict=False):
            if abs(at.y() - upper.bottom) <= reach:
                return "border", lower.name
        pane = layout.pane_at(at.y()) or layout.panes[0]
        return ("value" if at.x() >= layout.plot_width else "plot"), pane.name

    def _mark(self, at: QPointF) -> tuple[str, int] | None:
        return self._chart.hits().nearest(at.x(), at.y(), 9 * self._chart.ink().ratio)

    def _line(self, at: QPointF) -> OrderLine | None:
        picture = self._chart.picture()
        return None if picture is None else line_at(picture.orders, at.y(), _CLICK_REACH * self._chart.ink().ratio)

    def _take(self, drag: _Drag, y: float) -> None:
        """Take an order's line to a row, on the decimals of its prices."""
        chart, picture = self._chart, self._chart.picture()
        scale = None if picture is None else picture.frame.scales.get(PRICE)
        pane = chart.chart_layout().pane(PRICE)
        if scale is None or pane is None:
            return
        drag.price = round(scale.value(min(max(y, pane.top), pane.bottom - 1)), chart.scene.decimals)
        chart.take_order_line(drag.order_id, drag.price)
        chart.point_at(None, None)

    def _hover(self, at: QPointF) -> None:
        chart, layout = self._chart, self._chart.chart_layout()
        kind, pane = self._area(at, layout)
        if kind == "plot" and pane == PRICE and self._line(at) is not None:
            kind = "line"
        shapes = {
            "plot": Qt.CursorShape.CrossCursor,
            "value": Qt.CursorShape.SizeVerCursor,
            "line": Qt.CursorShape.SizeVerCursor,
            "time": Qt.CursorShape.SizeHorCursor,
            "border": Qt.CursorShape.SplitVCursor,
        }
        if chart.cursor().shape() != shapes[kind]:
            chart.setCursor(shapes[kind])
        data = chart.scene.data
        if data is None or kind in {"value", "time"} or at.x() < 0 or at.y() < 0:
            chart.point_at(None, None)
            return
        chart.point_at(data.timeline.bar_at(chart.scene.view.slot(at.x())), at.y(), self._mark(at))

    def _slide(self, drag: _Drag, pixels: float) -> None:
        """A value axis that the reader stretched moves with the view."""
        pane = self._chart.chart_layout().pane(drag.pane)
        picture = self._chart.picture()
        if drag.values is None or pane is None or picture is None or pane.name not in picture.frame.scales:
            return
        scale = picture.frame.scales[pane.name]
        share = pixels / (scale.bottom - scale.top)
        low, high = drag.values
        if scale.log:
            ratio = (high / low) ** share
            self._chart.scene.manual[pane.name] = low * ratio, high * ratio
        else:
            self._chart.scene.manual[pane.name] = low + (high - low) * share, high + (high - low) * share
        self._chart.redraw()

    def _stretch(self, drag: _Drag, factor: float) -> None:
        """Give a value axis `factor` times its range, around its middle."""
        if drag.values is None:
            return
        low, high = drag.values
        picture = self._chart.picture()
        if picture is not None and drag.pane in picture.frame.scales and picture.frame.scales[drag.pane].log:
            middle, half = math.sqrt(low * high), math.sqrt(high / low) ** factor
            self._chart.scene.manual[drag.pane] = middle / half, middle * half
        else:
            middle, room = (low + high) / 2, (high - low) / 2 * factor
            self._chart.scene.manual[drag.pane] = middle - room, middle + room
        self._chart.redraw()

    def _split(self, lower: str, y: float) -> None:
        """Move the border above the pane `lower` to a row; the other panes keep their height."""
        chart, layout = self._chart, self._chart.chart_layout()
        names = [pane.name for pane in layout.panes]
        at = names.index(lower)
        above, below = layout.panes[at - 1], layout.panes[at]
        least = max(_LEAST_PANE * layout.plot_bottom, 2.2 * chart.ink().row + 2 * chart.ink().step)
        y = min(max(y, above.top + least), below.bottom - least)
        if above.top + least > below.bottom - least:
            return
        for pane in layout.panes:
            chart.scene.weights[pane.name] = float(pane.height)
        chart.scene.weights[above.name] = y - above.top
        chart.scene.weights[lower] = below.bottom - y
        chart.relayout()
