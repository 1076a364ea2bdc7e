"""The API against the real simulator: when larger bars are seen, warm-up, plots, own costs, orders from anywhere."""

from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from core.clock.resample import resampled
from core.errors import NonsenseAction
from core.model.cost_models import Part
from core.model.instants import HOUR_NS, iso
from core.model.market import AssetClass, Bar, BarSeries, Timeframe
from core.model.order import OrderSide, OrderStatus, OrderType
from core.strategy.api import (
    Actions,
    BarStrategy,
    FetchWindow,
    Strategy,
    StrategyConfig,
    Tick,
    Window,
    buy,
    cash,
    equity_share,
    leg,
    sell,
    sma,
)
from tests.backtests import backtest, minutes
from tests.unit.strategy.prices import hours, sessions

HOURS = hours(days=12)


# --- larger timeframes ---


class Watches(BarStrategy):
    """Writes down what it sees of the larger timeframes."""

    timeframes = ("1d",)

    def setup(self) -> None:
        self.four = self.indicator(sma, self.column("close", timeframe="4h"), 2)
        self.twice = self.indicator(sma, self.four, 2)
        self.own = self.indicator(sma, self.close, 3)
        self.heard: list[tuple[int, str, int]] = []
        self.seen: list[tuple[int, float, float, float]] = []

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.heard.append((bar.end_ns, timeframe, bar.start_ns))

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((bar.end_ns, self.four.value, self.twice.value, self.own.value))


@pytest.mark.parametrize(
    ("series", "asset_class"),
    [(HOURS, AssetClass.CRYPTO), (sessions(days=9, timeframe="15m"), AssetClass.EQUITY)],
    ids=["crypto", "equity"],
)
def test_larger_bars_are_seen_when_they_have_ended_and_not_before(series: BarSeries, asset_class: AssetClass) -> None:
    strategy = Watches()
    backtest(strategy, series)
    expected: list[tuple[int, str, int]] = []
    four, four_ends = resampled(series, Timeframe.parse("4h"), asset_class)
    for timeframe, (bars, ends) in (("4h", (four, four_ends)), ("1d", resampled(series, Timeframe.parse("1d"), asset_class))):
        expected += [(end, timeframe, start) for end, start in zip(ends.tolist(), bars.start_ns.tolist(), strict=True)]
    assert sorted(strategy.heard) == sorted(expected)
    assert [end for end, _, _ in strategy.heard] == sorted(end for end, _, _ in expected)
    values = sma(four.close, 2)
    twice, own = sma(values, 2), sma(series.close, 3)
    for row, (now, *shown) in enumerate(strategy.seen):
        known = int((four_ends <= now).sum()) - 1
        truth = [values[known] if known >= 0 else np.nan, twice[known] if known >= 0 else np.nan, own[row]]
        np.testing.assert_array_equal(shown, truth, err_msg=iso(now))


def test_a_larger_bar_that_ends_in_a_gap_is_a_decision_of_its_own() -> None:
    keep = np.ones(len(HOURS), bool)
    keep[[7, 8, 9]] = False  # the four hours from 04:00 end at 08:00, when no hour ends
    gapped = BarSeries.from_columns("BTC/USD", HOURS.timeframe, HOURS.start_ns[keep], *(column[keep] for column in HOURS.columns()))

    class Hears(Strategy):
        timeframes = ("4h",)
        ticks: ClassVar[list[Tick]] = []

        def on_tick(self, tick: Tick) -> Actions:
            self.ticks.append(tick)
            return None

    backtest(Hears(), gapped)
    at = int(HOURS.start_ns[0]) + 8 * HOUR_NS
    (tick,) = [tick for tick in Hears.ticks if tick.time_ns == at]
    assert (tick.symbols, tick.ended) == ((), (("BTC/USD", "4h"),))
    assert Tick(at + 4 * HOUR_NS, ("BTC/USD",), (("BTC/USD", "1h"), ("BTC/USD", "4h"))) in Hears.ticks


def test_windows_of_a_larger_timeframe_hold_what_has_ended() -> None:
    class Asks(Strategy):
        timeframes = ("4h",)
        newest: ClassVar[list[tuple[int, int]]] = []

        def on_tick(self, tick: Tick) -> Actions:
            self.now = tick.time_ns
            return FetchWindow("BTC/USD", 3, "240m")

        def on_data(self, window: Window) -> Actions:
            assert window.timeframe == "4h"
            if len(window):
                self.newest.append((self.now, window.newest().end_ns))
                assert window.is_full == (len(window) == 3)
            return None

    backtest(Asks(), HOURS)
    assert len(Asks.newest) == len(HOURS) - 3
    for now, end in Asks.newest:
        assert end == now // (4 * HOUR_NS) * (4 * HOUR_NS)


def test_orders_from_a_larger_bar_are_decided_when_it_ended() -> None:
    class Trades(BarStrategy):
        timeframes = ("1d",)

        def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
            if self.held() == 0:
                self.buy(1, note=timeframe)

    ran = backtest(Trades(), HOURS)
    (fill,) = ran.fills
    assert fill.time_ns == int(HOURS.start_ns[24])
    assert fill.price == Decimal(repr(float(HOURS.open[24])))


def test_a_strategy_sees_the_same_with_one_symbol_and_with_two() -> None:
    alone, both = Watches(), Watches()
    backtest(alone, HOURS)
    backtest(both, [HOURS, hours("ETH/USD", days=12, seed=9)])
    assert [now for now, _, _ in alone.heard] == [now for now, _, _ in both.heard[::2]]
    own = [seen for seen in both.seen if seen[0] in {now for now, *_ in alone.seen}][::2]
    np.testing.assert_array_equal(alone.seen, own)


# --- warm-up ---


@pytest.mark.parametrize("warmup", [1, 5, 30])
def test_the_first_call_comes_when_the_warm_up_is_known(warmup: int) -> None:
    class Warm(BarStrategy):
        def warmup_bars(self) -> int:
            return warmup

        def setup(self) -> None:
            self.average = self.indicator(sma, self.close, warmup)
            self.seen: list[tuple[int, float]] = []

        def on_bar(self, bar: Bar) -> None:
            self.seen.append((bar.start_ns, self.average.value))

    averages = sma(HOURS.close, warmup)
    early = Warm()
    backtest(early, HOURS)
    assert early.seen == [(int(HOURS.start_ns[row]), averages[row]) for row in range(warmup - 1, len(HOURS))]
    # With history before the start, the first bar of the run is the first one it decides on.
    later = Warm()
    backtest(later, HOURS, start_ns=int(HOURS.start_ns[100]))
    assert later.seen == [(int(HOURS.start_ns[row]), averages[row]) for row in range(100, len(HOURS))]


# --- plots ---


def test_a_plot_lies_on_the_bars_it_was_set_at() -> None:
    class Draws(BarStrategy):
        def setup(self) -> None:
            self.line = self.plot("every third")
            self.at = 0

        def on_bar(self, bar: Bar) -> None:
            if self.at % 3 == 0:
                self.line.set(bar.close)
            self.at += 1

    strategy = Draws()
    backtest(strategy, HOURS)
    expected = np.where(np.arange(len(HOURS)) % 3 == 0, HOURS.close, np.nan)
    np.testing.assert_array_equal(strategy.line.values, expected)


def test_a_plot_of_a_symbol_without_bars_yet_says_so() -> None:
    class Draws(BarStrategy):
        def setup(self) -> None:
            self.line = self.plot("early", symbol="B/C")

        def on_bar(self, bar: Bar) -> None:
            self.line.set(1.0)

    first, second = minutes([[1, 1, 1, 1]] * 5, symbol="A/B"), minutes([[1, 1, 1, 1]] * 2, symbol="B/C", at=[3, 4])
    with pytest.raises(NonsenseAction, match=r"on_bar asked for something impossible.*B/C has none yet"):
        backtest(Draws(), [first, second])


# --- own costs ---


class DollarAUnit:
    def fee(self, part: Part) -> Decimal:
        return part.qty


class HalfOfIt:
    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        return Decimal("0.5")


class Once(BarStrategy):
    def on_bar(self, bar: Bar) -> None:
        if self.held() == 0:
            self.buy(3, note="once")


@pytest.mark.parametrize("text", ["none", "plugin"])
def test_a_strategys_own_costs_count_where_the_run_names_none(text: str) -> None:
    class Own(Once):
        fee_model = DollarAUnit()
        slippage_model = HalfOfIt()

    series = minutes([[10, 12, 9, 11]] * 4)
    (own,) = backtest(Own(), series, fees=text, slippage=text).fills
    assert (own.price, own.fee, own.slippage) == (Decimal("10.5"), Decimal(3), Decimal("1.5"))
    (other,) = backtest(Own(), series, fees="bps:10", slippage="bps:10").fills
    assert (other.price, other.fee) == (Decimal("10.01"), Decimal("0.03003"))


def test_an_own_model_that_answers_nonsense_ends_the_run() -> None:
    class Nonsense:
        def fee(self, part: Part) -> Any:
            return -0.5

    class Own(Once):
        fee_model = Nonsense()

    with pytest.raises(NonsenseAction, match=r"fee_model.fee returned the float -0\.5"):
        backtest(Own(), minutes([[10, 12, 9, 11]] * 4))


# --- orders from anywhere ---


def test_orders_of_setup_and_of_initialize_are_decided_at_the_start() -> None:
    class Early(BarStrategy):
        def setup(self) -> None:
            self.buy(1, note="at the start")

    class Earlier(Strategy):
        def initialize(self, config: StrategyConfig) -> Actions:
            return buy("X/Y", 1, note="at the start")

    for strategy in (Early(), Earlier()):
        (fill,) = backtest(strategy, minutes([[10, 12, 9, 11]] * 3)).fills
        assert fill.time_ns == 0


def test_orders_of_on_data_may_be_any_number() -> None:
    class Brackets(Strategy):
        done = False

        def on_tick(self, tick: Tick) -> Actions:
            return FetchWindow("X/Y", 1)

        def on_data(self, window: Window) -> Actions:
            if self.done:
                return None
            self.done = True
            return (
                buy("X/Y", cash(100), target=12, stop_loss=leg(trail_percent=50), note="in", ref="entry"),
                buy("X/Y", equity_share(0.5), limit=9, note="more"),
                sell("X/Y", 1, limit=13, reduce_only=True, note="out"),
            )

    ran = backtest(Brackets(), minutes([[10, 10, 10, 10], [10, 10, 10, 10], [10, 12.5, 10, 12]]))
    filled = {
        (order.request.type, order.request.side, order.filled_qty) for order in ran.orders.values() if order.status is OrderStatus.FILLED
    }
    assert filled == {(OrderType.MARKET, OrderSide.BUY, Decimal(10)), (OrderType.LIMIT, OrderSide.SELL, Decimal(10))}


def test_an_order_after_the_last_bar_never_fills() -> None:
    class Late(BarStrategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.start_ns == 2 * 60 * 10**9:
                self.buy(1, note="too late")

    ran = backtest(Late(), minutes([[10, 12, 9, 11]] * 3))
    assert ran.fills == []
    assert [order.status for order in ran.orders.values()] == [OrderStatus.CANCELLED]


def test_a_bracket_is_followed_by_its_legs_refs() -> None:
    class Follows(BarStrategy):
        def setup(self) -> None:
            self.bars = 0
            self.ref = ""

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            if self.bars == 1:
                self.ref = self.buy(1, target=20, stop_loss=5, note="in")
            elif self.bars == 2:
                assert set(self.account.working()) == {f"{self.ref}.target", f"{self.ref}.stop"}
                self.replace(f"{self.ref}.stop", stop=9.5, note="closer")

    ran = backtest(Follows(), minutes([[10, 10, 10, 10], [10, 10, 10, 10], [10, 10, 9, 9.2]]))
    assert [(fill.side, fill.price) for fill in ran.fills] == [(OrderSide.BUY, Decimal(10)), (OrderSide.SELL, Decimal("9.5"))]


def test_closing_and_cancelling_leave_nothing() -> None:
    class Leaves(BarStrategy):
        def setup(self) -> None:
            self.bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            if self.bars == 1:
                self.buy(2, note="in")
                self.oco("sell", 2, limit=30, stop=leg(trail=9), reduce_only=True, note="out")
            elif self.bars == 3:
                self.cancel_all("over")
                self.close_position(note="over")

    ran = backtest(Leaves(), minutes([[10, 10, 10, 10]] * 6))
    assert ran.venue.held("X/Y") == 0
    assert ran.venue.working() == ()
    assert [order.status for order in ran.orders.values()].count(OrderStatus.FILLED) == 2
