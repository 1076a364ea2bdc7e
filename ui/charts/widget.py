"""The chart: a bare widget painted by QPainter (docs/adr/0006-chart-on-a-bare-widget.md). Data in, signals out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Final
from zoneinfo import ZoneInfo

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.model.market import BarSeries, Floats, Instants
from ui.charts.axes import paint_empty
from ui.charts.crosshair import Crosshair, paint_crosshair
from ui.charts.curve import EquityCurve
from ui.charts.data import ChartData, DrawnLine, FillMarks, Line, OrderLine, TradeMarks
from ui.charts.gestures import Gestures
from ui.charts.ink import Ink
from ui.charts.layout import PRICE, Layout, Pane
from ui.charts.markers import Glyphs, Hits, bucket_text, fill_text, trade_text
from ui.charts.menu import ChartMenu
from ui.charts.picture import Picture, layout_of, paint_picture, readout_rows
from ui.charts.readout import plain_text, readout
from ui.charts.scene import Scene
from ui.charts.viewport import TimeView
from ui.theme import Sizes, Theme

EMPTY_TEXT: Final = "Bars will be shown here. Import a price file, or start a run, to see them."
_USUAL_BAR_WIDTH: Final = 7
"""Device-independent pixels a bar takes when a chart is first shown."""

Goal = Callable[[TimeView], TimeView]


class ChartWidget(QWidget):
    """Candles, volume, lines, trades, equity and drawdown on one time axis.

    A picture of all of it is kept and drawn anew only when the data or the view changed; the crosshair is drawn upon it.
    """

    crosshair_moved = Signal(object)
    """The start of the bar under the crosshair, UTC ns, or None when there is none. Only when the reader moved it."""
    trade_clicked = Signal(int)
    """The number of a trade, in the order it was given."""
    order_moved = Signal(str, float)
    """The id of an order whose line a hand took to another price, and that price."""
    log_scale_changed = Signal(bool)
    """Whether prices are logarithmic now."""
    view_changed = Signal(object, object)
    """First and last instant in view, UTC ns."""

    def __init__(self, parent: QWidget | None, theme: Theme, sizes: Sizes) -> None:
        self._gestures = Gestures(self)
        super().__init__(parent)
        self.setObjectName("chart")
        self.setAccessibleName("Price chart")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 100)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.scene = Scene()
        self._theme = theme
        self._sizes = sizes
        self._empty_text = EMPTY_TEXT
        self._ink: Ink | None = None
        self._glyphs: Glyphs | None = None
        self._layout: Layout | None = None
        self._readout_rows = 1
        self._still = QPixmap()
        self._is_stale = True
        self._picture: Picture | None = None
        self._crosshair: Crosshair | None = None
        self._mark: tuple[str, int] | None = None
        self._goal: Goal | None = None
        self._order_lines: tuple[OrderLine, ...] = ()
        self._taken_line = "", 0.0
        """The id of the order whose line a hand has, and where; empty while none."""
        self._focus_by_key = False
        self._menu = ChartMenu(self)

    # Data in

    def set_bars(self, series: BarSeries, *, title: str, compress_gaps: bool, price_decimals: int) -> None:
        """Show these bars and nothing else. For a million of them, build the data in a thread and call `set_data`."""
        data = ChartData.build(series, compress_gaps=compress_gaps)
        self.set_data(data, title=title, price_decimals=price_decimals)

    def set_data(self, data: ChartData, *, title: str, price_decimals: int, keep_view: bool = False) -> None:
        """Show built bars; lines, trades, fills and equity of the bars before are dropped.

        The view goes to the newest bars, unless `keep_view`.
        """
        kept = self.scene
        self.scene = Scene(
            data=data, title=title, decimals=price_decimals, log=kept.log, zone=kept.zone, weights=kept.weights, view=kept.view
        )
        self._crosshair = None
        self._mark = None
        self._order_lines = ()
        self.setAccessibleDescription(title)
        self._relayout()
        if keep_view and not kept.is_empty():
            self.set_view(self.scene.view)
        else:
            self.show_latest()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines instead of those before. Each is aligned to the bars. Raises BugError where its length differs."""
        data = self.scene.data
        self.set_drawn_lines([DrawnLine(line, data.grid) for line in lines] if data is not None else [])

    def set_drawn_lines(self, lines: Sequence[DrawnLine]) -> None:
        """Show lines that were built elsewhere, on the grid of these bars."""
        self.scene.lines = list(lines)
        self._relayout()

    def set_trades(self, trades: TradeMarks) -> None:
        """Show these round trips instead of those before."""
        self.scene.set_trades(trades)
        self._mark = None
        self.redraw()

    def set_fills(self, fills: FillMarks) -> None:
        """Show these single fills instead of those before."""
        self.scene.set_fills(fills)
        self._mark = None
        self.redraw()

    def set_by_hand(self, fills: FillMarks) -> None:
        """Show these fills of a person's own orders instead of those before."""
        self.scene.set_by_hand(fills)
        self._mark = None
        self.redraw()

    def set_order_lines(self, lines: Sequence[OrderLine]) -> None:
        """Show these working orders instead of those before."""
        self._order_lines = tuple(lines)
        self._show_order_lines()

    def take_order_line(self, order_id: str, price: float) -> None:
        """Show an order's line at another price, while a hand has it."""
        self._taken_line = order_id, price
        self._show_order_lines()

    def leave_order_line(self) -> None:
        """Show it where its order is."""
        self._taken_line = "", 0.0
        self._show_order_lines()

    def _show_order_lines(self) -> None:
        taken, price = self._taken_line
        lines = tuple(replace(line, price=price) if taken and line.order_id == taken else line for line in self._order_lines)
        if lines != self.scene.orders:
            self.scene.orders = lines
            self.redraw()

    def set_equity(self, time_ns: Instants, values: Floats, start_equity: float) -> None:
        """Show equity and drawdown below the price. `time_ns`: when each value was known (the end of a bar), ascending."""
        data = self.scene.data
        if data is not None:
            self.set_curve(EquityCurve(data.timeline, time_ns, values, start_equity))

    def set_curve(self, curve: EquityCurve | None) -> None:
        """Show a curve that was built elsewhere, on the timeline of these bars; None shows none."""
        self.scene.equity = curve
        self._relayout()

    def update_equity(self, time_ns: Instants, values: Floats) -> None:
        """Add later points while a run goes on; cheap. `set_equity` comes first."""
        if self.scene.equity is not None:
            self.scene.equity.append(time_ns, values)
            self.redraw()

    def clear(self, empty_text: str = EMPTY_TEXT) -> None:
        """Show nothing but a text that says what will be here and how to fill it."""
        self.scene = Scene(log=self.scene.log, zone=self.scene.zone, weights=self.scene.weights)
        self._empty_text = empty_text
        self._crosshair = self._mark = self._goal = None
        self._order_lines = ()
        self.setAccessibleDescription(empty_text)
        self._relayout()

    # Appearance

    def set_theme(self, theme: Theme, sizes: Sizes | None = None) -> None:
        """Draw with other colours, and other sizes where given."""
        self._theme, self._sizes = theme, sizes or self._sizes
        self._ink = None
        self._relayout()

    def set_time_zone(self, name: str | None) -> None:
        """Write times in this zone (`America/New_York`); None is UTC. Day bars keep the date they are stamped with."""
        self.scene.zone = UTC if name is None else ZoneInfo(name)
        self.redraw()

    def set_log_scale(self, on: bool) -> None:
        """Draw equal ratios of price equally far apart."""
        if on == self.scene.log:
            return
        self.scene.log = on
        self.scene.manual.pop(PRICE, None)
        self.redraw()
        self.log_scale_changed.emit(on)

    # View

    def fit(self) -> None:
        """Show every bar, and let every value axis fit what is in view."""
        self.scene.manual.clear()
        total = self._total()
        self._aim(lambda view: view.fitted(0, total))

    def show_latest(self) -> None:
        """Show the newest bars at their usual width; all of them where they are few."""
        total = self._total()
        ratio = self.ink().ratio

        def latest(view: TimeView) -> TimeView:
            fitting = view.width / (_USUAL_BAR_WIDTH * ratio)
            if total <= fitting:
                return view.fitted(0, max(total, 24) if total else 0)  # a run that begins gets room for what comes
            return view.fitted(total - fitting * 0.95, total, 0.025)

        self._aim(latest)

    def go_to(self, time_ns: int) -> None:
        """Put this instant into the middle of the view; bars keep their width."""
        if self.scene.data is not None:
            middle = self.scene.data.timeline.slot_of(time_ns) + 0.5
            self._aim(lambda view: TimeView(middle - view.span / 2, view.span, view.width))

    def show_trade(self, entry_ns: int, exit_ns: int) -> None:
        """Put a trade into the middle of the view, wide enough to be read, and point it out."""
        if self.scene.data is None:
            return
        timeline = self.scene.data.timeline
        first, last = timeline.slot_of(entry_ns), timeline.slot_of(exit_ns)
        self.scene.highlight = int(first), int(last)
        duration = last - first + 1

        def around(view: TimeView) -> TimeView:
            span = min(max(view.span, duration * 1.6), max(duration * 4, view.width / (_USUAL_BAR_WIDTH * self.ink().ratio)))
            return TimeView((first + last + 1) / 2 - span / 2, span, view.width)

        self._aim(around)

    def set_view(self, view: TimeView) -> None:
        """Look at another part; some bars always stay in view."""
        self._goal = None
        self._apply(view)

    def visible_ns(self) -> tuple[int, int] | None:
        """Return the first and the last instant in view, or None without bars."""
        if self.scene.data is None or self.scene.is_empty():
            return None
        timeline, view = self.scene.data.timeline, self.scene.view
        return timeline.time_at(view.left), timeline.time_at(view.right)

    def set_crosshair(self, time_ns: int | None) -> None:
        """Put the crosshair on the bar of an instant, for a chart linked to another; emits nothing."""
        data = self.scene.data
        if data is None or time_ns is None or self.scene.is_empty():
            self._crosshair = None
        else:
            bar = data.timeline.bar_at(data.timeline.slot_of(time_ns))
            self._crosshair = Crosshair(bar) if bar is not None else None
        self.update()

    # For the gestures

    @property
    def crosshair(self) -> Crosshair | None:
        """Where the crosshair stands."""
        return self._crosshair

    def ink(self) -> Ink:
        """Return what to draw with on the present screen."""
        ratio = self.devicePixelRatioF()
        if self._ink is None or self._ink.ratio != ratio:
            self._ink = Ink(self._theme, self._sizes, ratio, self.font().family())
            self._glyphs = Glyphs(self._ink)
            # Another screen may have other pixels.
            self._layout = None
            self._is_stale = True
        return self._ink

    def chart_layout(self) -> Layout:
        """Return where the panes lie, in device pixels."""
        if self._layout is None:
            ink = self.ink()
            self._layout = layout_of(self.scene, ink, max(1, round(self.width() * ink.ratio)), max(1, round(self.height() * ink.ratio)))
            self._readout_rows = readout_rows(ink, self.scene, self._layout)
        return self._layout

    def picture(self) -> Picture | None:
        """Return what was drawn last, drawing it first where something changed; None without bars."""
        if self._is_stale:
            self._draw_still()
        return self._picture

    def point_at(self, bar: int | None, y: float | None, mark: tuple[str, int] | None = None) -> None:
        """Move the crosshair for the reader; None takes it away."""
        before = self._crosshair
        self._crosshair = None if bar is None else Crosshair(bar, y)
        self._mark = mark
        self.update()
        if (before.bar if before else None) != bar:
            data = self.scene.data
            self.crosshair_moved.emit(None if bar is None or data is None else int(data.timeline.start_ns[bar]))

    def scale_of(self, pane: Pane) -> tuple[float, float] | None:
        """Return the value range of a pane as drawn."""
        picture = self.picture()
        scale = picture.frame.scales.get(pane.name) if picture is not None else None
        return (scale.low, scale.high) if scale is not None else None

    def readout_text(self) -> str:
        """Return the read-out of the bar under the crosshair, or of the last one."""
        data = self.scene.data
        if data is None or not len(data):
            return ""
        return plain_text(readout(self.scene, self._crosshair.bar if self._crosshair else len(data) - 1))

    def mark_label(self) -> str:
        """Return the label of the mark under the pointer; empty without one."""
        if self._mark is None or self._picture is None:
            return ""
        kind, number = self._mark
        if kind == "trade":
            return trade_text(self.scene, number)
        if kind == "fill":
            return fill_text(self.scene.fills, self.scene.decimals, number)
        if kind == "by hand":
            return f"By hand: {fill_text(self.scene.by_hand, self.scene.decimals, number)}"
        return bucket_text(self._picture.hits, number)

    def hits(self) -> Hits:
        """Return the marks as drawn."""
        picture = self.picture()
        return picture.hits if picture is not None else Hits()

    def redraw(self) -> None:
        """Draw everything anew at the next turn."""
        self._is_stale = True
        self.update()

    def relayout(self) -> None:
        """Give the panes their places anew."""
        self._relayout()

    def copy_picture(self) -> None:
        """Put a picture of the chart on the clipboard."""
        QGuiApplication.clipboard().setPixmap(self.grab())

    # Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        ink = self.ink()
        if self._is_stale or self._still.size() != self._device_size():
            self._draw_still()
        painter = QPainter(self)
        painter.drawPixmap(QPoint(0, 0), self._still)
        painter.scale(1 / ink.ratio, 1 / ink.ratio)
        if self._picture is not None:
            paint_crosshair(painter, ink, self.scene, self._picture, self._crosshair, self.mark_label())
        if self.hasFocus() and self._focus_by_key:
            layout = self.chart_layout()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(ink.accent)
            for inset in range(ink.line):
                painter.drawRect(inset, inset, layout.width - 1 - 2 * inset, layout.height - 1 - 2 * inset)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._relayout()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._ink = None
            self._relayout()
        super().changeEvent(event)

    def event(self, event: QEvent) -> bool:
        if self._gestures.native(event):
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._focus_by_key = False
        self._gestures.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._gestures.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._gestures.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._gestures.double_click(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._gestures.wheel(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._gestures.key(event):
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.point_at(None, None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._focus_by_key = event.reason() in {Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason}
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.open_at(event.globalPos())

    # Inside

    def _total(self) -> int:
        return self.scene.data.timeline.total if self.scene.data is not None else 0

    def _device_size(self) -> QSize:
        layout = self.chart_layout()
        return QSize(layout.width, layout.height)

    def _relayout(self) -> None:
        self._layout = None
        self._sync_view()
        self.redraw()

    def _sync_view(self) -> None:
        width = self.chart_layout().plot_width
        if self.scene.view.width != width:
            if self._goal is not None:
                self.scene.view = self._goal(TimeView(self.scene.view.left, self.scene.view.span, width)).clamped(self._total())
            else:
                self.scene.view = self.scene.view.resized(width).clamped(self._total())

    def _aim(self, goal: Goal) -> None:
        """Look where `goal` says, again after each resize, until the reader moves the view."""
        self._goal = goal
        self._sync_view()
        self._apply(goal(self.scene.view))

    def _apply(self, view: TimeView) -> None:
        self.scene.view = view.clamped(self._total()) if not self.scene.is_empty() else view
        self.redraw()
        seen = self.visible_ns()
        if seen is not None:
            self.view_changed.emit(*seen)

    def _draw_still(self) -> None:
        self._sync_view()
        ink, layout = self.ink(), self.chart_layout()
        # A new pixmap for each frame would cost as much as the candles: its memory is fresh.
        if self._still.size() != self._device_size():
            self._still = QPixmap(layout.width, layout.height)
        self._still.setDevicePixelRatio(1.0)
        self._is_stale = False
        painter = QPainter(self._still)
        if self.scene.is_empty() or self._glyphs is None:
            self._picture = None
            painter.fillRect(0, 0, layout.width, layout.height, ink.background)
            paint_empty(painter, ink, layout.width, layout.height, self._empty_text)
        else:
            self._picture = paint_picture(painter, ink, self._glyphs, self.scene, layout, self._readout_rows)
        painter.end()
        self._still.setDevicePixelRatio(ink.ratio)
