import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from core.errors import BugError
from core.model.market import BarSeries, Timeframe
from tests.gui.charts.conftest import make_series, make_trades
from ui.charts.data import ChartData, FillMarks, Line, OrderLine
from ui.charts.figures import figure
from ui.charts.widget import ChartWidget
from ui.theme import DARK, LIGHT, Sizes


def colours_of(chart: ChartWidget) -> set[int]:
    image = chart.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return set(np.frombuffer(image.constBits(), np.uint32).tolist())


def has(chart: ChartWidget, colour: str) -> bool:
    return QColor(colour).rgb() in colours_of(chart)


def test_empty_chart_says_what_to_do(chart: ChartWidget) -> None:
    assert chart.picture() is None
    chart.clear("No bars yet.")
    assert chart.accessibleDescription() == "No bars yet."
    assert len(colours_of(chart)) > 1
    assert chart.visible_ns() is None
    assert chart.readout_text() == ""


def test_names_for_people_and_programs(chart: ChartWidget) -> None:
    assert (chart.objectName(), chart.accessibleName()) == ("chart", "Price chart")


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("bars", [0, 1, 2, 3])
def test_few_bars(chart: ChartWidget, bars: int, *, compress: bool) -> None:
    series = make_series(bars) if bars else BarSeries.empty("SIM", Timeframe.parse("1m"))
    chart.set_bars(series, title="SIM", compress_gaps=compress, price_decimals=2)
    chart.set_lines([Line(name="A", values=series.close), Line(name="B", values=series.close, pane="own")])
    chart.set_trades(make_trades(series, 2))
    chart.set_equity(series.start_ns, series.close, 100.0)
    chart.grab()
    chart.fit()
    assert has(chart, DARK.up) is bool(bars)


@pytest.mark.parametrize(
    "prices",
    [
        np.full(50, 42.0),
        np.linspace(1e-8, 9e-8, 50),
        np.linspace(1e6, 1.1e6, 50),
        np.full(50, 1e-8),
        np.linspace(-5.0, 5.0, 50),
        np.concatenate((np.full(49, 1.0), [1e9])),
        np.concatenate(([np.nan], np.linspace(1, 2, 49))),
    ],
    ids=["constant", "tiny", "huge", "tiny-constant", "negative", "spike", "nan"],
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_prices_are_drawn(chart: ChartWidget, prices: np.ndarray, *, log: bool) -> None:
    series = make_series(50, prices=prices, volume=0.0)
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=8)
    chart.set_log_scale(log)
    chart.fit()
    picture = chart.picture()
    assert picture is not None
    scale = picture.frame.scales["price"]
    assert scale.low < scale.high
    assert not picture.frame.has_volume
    if not log and np.isfinite(prices).all():
        rows = scale.ys(np.concatenate((series.low, series.high)))
        pane = chart.chart_layout().panes[0]
        assert pane.top <= rows.min()
        assert rows.max() <= pane.bottom
    assert has(chart, DARK.up)


def test_lines_with_holes_and_without_any_value(chart: ChartWidget) -> None:
    series = make_series(200)
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=2)
    holes = series.close.copy()
    holes[::3] = np.nan
    dots = np.full(200, np.nan)
    dots[::2] = series.close[::2]
    nothing = np.full(200, np.nan)
    chart.set_lines(
        [
            Line(name="Holes", values=holes),
            Line(name="Dots", values=dots),
            Line(name="None", values=nothing),
            Line(name="None below", values=nothing, pane="below"),
        ]
    )
    chart.fit()
    chart.grab()
    assert "None –" in chart.readout_text()


def test_a_line_of_another_length_is_refused(filled: ChartWidget) -> None:
    with pytest.raises(BugError):
        filled.set_lines([Line(name="Short", values=np.ones(3))])


def test_read_out_tells_the_bar_under_the_crosshair(filled: ChartWidget) -> None:
    series = make_series(1000)
    filled.set_lines([Line(name="SMA 10", values=series.close - 1)])
    filled.set_crosshair(int(series.start_ns[777]))
    text = filled.readout_text()
    for letter, column in (("O", series.open), ("H", series.high), ("L", series.low), ("C", series.close)):
        assert f"{letter} {figure(float(column[777]), 2)}" in text
    assert "V 10" in text
    assert f"SMA 10 {figure(float(series.close[777]) - 1, 2)}" in text
    change = series.close[777] / series.close[776] - 1
    assert figure(abs(change) * 100, 2) in text
    filled.set_crosshair(None)
    assert figure(float(series.close[999]), 2) in filled.readout_text()


def test_a_linked_crosshair_does_not_answer(filled: ChartWidget, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(filled.crosshair_moved):
        filled.set_crosshair(int(make_series(1000).start_ns[5]))


@pytest.mark.parametrize("compress", [True, False])
def test_go_to_puts_the_instant_into_the_middle(chart: ChartWidget, qtbot: QtBot, *, compress: bool) -> None:
    series = make_series(1000, step=3)
    chart.set_bars(series, title="SIM", compress_gaps=compress, price_decimals=2)
    with qtbot.waitSignal(chart.view_changed) as changed:
        chart.go_to(int(series.start_ns[400]))
    first, last = changed.args or (0, 0)
    assert first < int(series.start_ns[400]) < last
    view, data = chart.scene.view, chart.scene.data
    assert data is not None
    assert view.left + view.span / 2 == pytest.approx(data.timeline.slots[400] + 0.5)


def test_show_trade_holds_all_of_it_and_points_it_out(filled: ChartWidget) -> None:
    series = make_series(1000)
    filled.show_trade(int(series.start_ns[100]), int(series.start_ns[500]))
    view = filled.scene.view
    assert view.left < 100
    assert view.right > 501
    assert view.left + view.span / 2 == pytest.approx(301, abs=1)
    assert filled.scene.highlight == (100, 500)
    assert filled.ink().band.rgb() in colours_of(filled)
    filled.fit()
    filled.show_trade(int(series.start_ns[100]), int(series.start_ns[103]))
    assert filled.scene.view.span < 200


def test_a_view_that_was_asked_for_survives_a_resize(filled: ChartWidget) -> None:
    filled.go_to(int(make_series(1000).start_ns[400]))
    filled.resize(500, 400)
    filled.grab()
    assert filled.scene.view.left + filled.scene.view.span / 2 == pytest.approx(400.5)
    filled.fit()
    filled.resize(1000, 600)
    filled.grab()
    assert filled.scene.view.left < 0
    assert filled.scene.view.right > 1000


def test_a_view_of_the_readers_keeps_the_width_of_bars(filled: ChartWidget) -> None:
    filled.set_view(filled.scene.view.panned(500))
    before = filled.scene.view
    filled.resize(1200, 500)
    filled.grab()
    assert filled.scene.view.pixels_per_slot == pytest.approx(before.pixels_per_slot)
    assert filled.scene.view.right == pytest.approx(before.right)


def test_theme_switch_changes_every_colour(filled: ChartWidget) -> None:
    dark = colours_of(filled)
    assert QColor(DARK.panel).rgb() in dark
    filled.set_theme(LIGHT, Sizes().scaled(125))
    light = colours_of(filled)
    assert QColor(LIGHT.panel).rgb() in light
    assert QColor(LIGHT.up).rgb() in light
    assert QColor(DARK.panel).rgb() not in light


def test_another_screen_is_drawn_in_its_own_pixels(filled: ChartWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.go_to(int(make_series(1000).start_ns[400]))
    filled.grab()
    monkeypatch.setattr(filled, "devicePixelRatioF", lambda: 2.0)
    filled.grab()
    layout, view = filled.chart_layout(), filled.scene.view
    assert (layout.width, layout.height) == (filled.width() * 2, filled.height() * 2)
    assert view.width == layout.plot_width
    assert view.left + view.span / 2 == pytest.approx(400.5)


def test_the_still_picture_is_kept_while_the_crosshair_moves(filled: ChartWidget) -> None:
    filled.grab()
    before = filled.picture()
    filled.point_at(990, 100.0)
    filled.grab()
    assert filled.picture() is before
    filled.set_view(filled.scene.view.panned(10))
    assert filled.picture() is not before


def test_highs_and_lows_are_painted_where_bars_are_merged(chart: ChartWidget) -> None:
    prices = np.full(100_000, 100.0)
    prices[54_321] = 200.0
    prices[67_890] = 50.0
    series = make_series(100_000, prices=prices)
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=2)
    chart.fit()
    picture = chart.picture()
    assert picture is not None
    assert picture.frame.group > 50
    assert picture.frame.bars.high.max() == series.high.max()
    assert picture.frame.bars.low.min() == series.low.min()
    image = chart.grab().toImage()
    scale, view = picture.frame.scales["price"], chart.scene.view
    for bar, price in ((54_321, series.high[54_321]), (67_890, series.low[67_890])):
        x, y = round(view.x(bar)), round(scale.y(price))
        near = {image.pixelColor(x + dx, y + dy).name() for dx in (-2, -1, 0, 1, 2) for dy in (-2, -1, 0, 1, 2)}
        assert near & {DARK.up, DARK.down}


def test_marks_clear_the_candles(chart: ChartWidget) -> None:
    # Level prices: on a slope a mark that stands wrong could clear its bar by keeping clear of the neighbour.
    series = make_series(1000, prices=np.full(1000, 100.0))
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=2)
    chart.set_trades(make_trades(series, 40))
    picture = chart.picture()
    assert picture is not None
    scale = picture.frame.scales["price"]
    data = chart.scene.data
    assert data is not None
    # Entries that buy, entries that sell, exits that buy, exits that sell: buys stand below, sells above.
    assert picture.hits.kinds == ["trade"] * 4
    for number, (xs, ys) in enumerate(zip(picture.hits.x, picture.hits.y, strict=True)):
        assert len(xs)
        for x, y in zip(xs, ys, strict=True):
            bar = data.timeline.bar_at(chart.scene.view.slot(float(x)))
            assert bar is not None
            if number % 2 == 0:
                assert y > scale.y(series.low[bar])
            else:
                assert y < scale.y(series.high[bar])


def test_crowded_marks_are_merged_and_say_how_many(chart: ChartWidget) -> None:
    series = make_series(20_000)
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=2)
    chart.set_trades(make_trades(series, 8))
    chart.fit()
    hits = chart.hits()
    assert set(hits.kinds) == {"bucket"}
    assert sum(len(x) for x in hits.x) < 200
    chart.point_at(100, float(hits.y[0][3]), ("bucket", int(hits.number[0][3])))
    assert "bought" in chart.mark_label()


def test_single_fills_are_marked(filled: ChartWidget) -> None:
    series = make_series(1000)
    fills = FillMarks(time_ns=series.start_ns[[980, 990]], price=series.close[[980, 990]], side=np.array([1, -1]), qty=np.array([1.5, 2.0]))
    filled.set_fills(fills)
    hits = filled.hits()
    assert hits.kinds == ["fill", "fill"]
    filled.point_at(980, float(hits.y[0][0]), ("fill", 0))
    assert filled.mark_label() == f"Bought 1.5 at {figure(float(series.close[980]), 2)}"


def test_a_persons_own_fills_have_a_mark_of_their_own_beyond_that_of_a_run(filled: ChartWidget) -> None:
    series = make_series(1000)
    fills = FillMarks(time_ns=series.start_ns[[980, 990]], price=series.close[[980, 990]], side=np.array([1, -1]), qty=np.array([1.5, 2.0]))
    filled.set_fills(fills)
    filled.set_by_hand(fills)
    hits = filled.hits()
    assert hits.kinds == ["fill", "fill", "by hand", "by hand"]
    assert hits.x[0].tolist() == hits.x[2].tolist()
    step = filled.ink().step
    assert float(hits.y[2][0] - hits.y[0][0]) >= step  # a buy stands below
    assert float(hits.y[1][0] - hits.y[3][0]) >= step
    filled.point_at(980, float(hits.y[2][0]), ("by hand", 0))
    assert filled.mark_label() == f"By hand: Bought 1.5 at {figure(float(series.close[980]), 2)}"


def test_working_orders_are_lines_at_their_price(filled: ChartWidget) -> None:
    picture = filled.picture()
    assert picture is not None
    scale = picture.frame.scales["price"]
    price = scale.low + (scale.high - scale.low) / 2
    row = round(scale.y(price))

    def dashes() -> int:
        image = filled.grab().toImage()
        ratio = image.devicePixelRatio()
        return sum(image.pixelColor(x, round(row * ratio / filled.ink().ratio)).name() == DARK.down for x in range(600))

    before = dashes()
    filled.set_order_lines(
        [OrderLine(price=price, text="Sell 10 limit", side=-1), OrderLine(price=price * 9, text="Sell 1 limit", side=-1)]
    )
    assert dashes() > before + 300
    filled.set_order_lines([])
    assert dashes() == before


def test_a_run_that_begins_gets_room_for_what_comes(chart: ChartWidget) -> None:
    chart.set_bars(make_series(1), title="SIM", compress_gaps=True, price_decimals=2)
    assert chart.scene.view.span >= 24


def test_equity_grows_without_moving_the_view(filled: ChartWidget) -> None:
    series = make_series(1000)
    ends = series.start_ns + series.timeframe.ns
    filled.set_equity(ends[:500], np.linspace(100, 110, 500), 100.0)
    assert [pane.name for pane in filled.chart_layout().panes] == ["price", "equity", "drawdown"]
    view = filled.scene.view
    filled.update_equity(ends[500:], np.linspace(110, 99, 500))
    assert filled.scene.view == view
    assert filled.scene.equity is not None
    assert filled.scene.equity.at(999) == pytest.approx((99.0, -0.1))
    filled.grab()


def test_panes_without_room_are_left_out(filled: ChartWidget) -> None:
    series = make_series(1000)
    filled.set_equity(series.start_ns + series.timeframe.ns, series.close, 100.0)
    filled.resize(400, 170)
    filled.grab()
    assert [pane.name for pane in filled.chart_layout().panes] == ["price"]


def test_new_bars_may_keep_the_view(filled: ChartWidget) -> None:
    filled.go_to(int(make_series(1000).start_ns[300]))
    view = filled.scene.view
    filled.set_data(ChartData.build(make_series(1010), compress_gaps=True), title="SIM", price_decimals=2, keep_view=True)
    assert filled.scene.view == view


def test_time_zone_is_that_of_the_reader(filled: ChartWidget) -> None:
    before = filled.grab().toImage()
    filled.set_time_zone("Asia/Tokyo")
    assert filled.grab().toImage() != before
    filled.set_time_zone(None)
    assert filled.grab().toImage() == before


@pytest.mark.parametrize("size", [QSize(160, 100), QSize(400, 200), QSize(2000, 1200)])
def test_any_size(filled: ChartWidget, size: QSize) -> None:
    filled.set_trades(make_trades(make_series(1000), 10))
    filled.resize(size)
    filled.set_crosshair(int(make_series(1000).start_ns[995]))
    filled.fit()
    picture = filled.grab()
    assert picture.size() == size * filled.devicePixelRatioF()


def test_a_drawdown_of_nothing_worth_writing_does_not_fill_its_pane(chart: ChartWidget) -> None:
    series = make_series(50)
    chart.set_bars(series, title="SIM", compress_gaps=True, price_decimals=2)
    equity = np.full(50, 99_999.9)
    chart.set_equity(series.start_ns, equity, 100_000.0)
    chart.fit()
    picture = chart.picture()
    assert picture is not None
    scale = picture.frame.scales["drawdown"]
    assert scale.y(-1e-6) - scale.y(0.0) < 0.05 * (scale.y(-0.0005) - scale.y(0.0))
    assert scale.y(-0.0005) <= scale.bottom
