"""When orders meet bars: decisions at ends, fills at later starts, gaps, sessions, several symbols."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from core.errors import NonsenseAction, StrategyFailed
from core.model.instants import DAY_NS, MINUTE_NS, to_ns
from core.model.market import AssetClass, Bar, BarSeries, Instrument, Timeframe
from core.model.order import OrderStatus, RejectCode
from core.strategy.api import Actions, BarStrategy, FetchWindow, Note, Strategy, StrategyConfig, Tick, Window, buy, ema, sell, sma
from core.strategy.indicators import rolling_high
from tests.backtests import backtest, minutes

FLAT = (100.0, 101.0, 99.0, 100.0)


Script = Mapping[int, Sequence[tuple[str, Mapping[str, object]]]]


class At(BarStrategy):
    """Does what a script says at the end of the n-th bar."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script
        self.seen: list[Bar] = []

    def on_bar(self, bar: Bar) -> None:
        self.seen.append(bar)
        for method, arguments in self.script.get(len(self.seen), []):
            getattr(self, method)(**arguments)


def test_a_market_order_fills_at_the_next_open_and_is_stamped_with_its_start() -> None:
    run = backtest(At({1: [("buy", {"qty": 2})]}), minutes([FLAT, (103, 104, 102, 103), FLAT]))
    (fill,) = run.fills
    assert (fill.time_ns, fill.price, fill.qty) == (MINUTE_NS, Decimal("103.0"), Decimal(2))
    assert run.venue.cash == Decimal("99794.0")
    assert run.equity.tolist() == [100_000, 100_000, 100_000, 99_794 + 200]
    assert run.times_ns.tolist() == [0, MINUTE_NS, 2 * MINUTE_NS, 3 * MINUTE_NS]


def test_a_gap_never_lets_an_order_fill_in_the_past() -> None:
    # Decided at the close of minute 0; minutes 1 to 4 are missing: the next bar there is, is minute 5.
    run = backtest(At({1: [("buy", {"qty": 1})]}), minutes([(100, 120, 100, 120), (90, 91, 89, 90)], at=[0, 5]))
    (fill,) = run.fills
    assert (fill.time_ns, fill.price) == (5 * MINUTE_NS, Decimal("90.0"))


def test_an_order_decided_on_the_last_bar_never_fills_and_ends_cancelled() -> None:
    run = backtest(At({2: [("buy", {"qty": 1})]}), minutes([FLAT, FLAT]))
    assert run.fills == []
    assert [order.status for order in run.orders.values()] == [OrderStatus.CANCELLED]


def test_orders_of_initialize_meet_the_first_bar() -> None:
    class First(Strategy):
        def initialize(self, config: StrategyConfig) -> Actions:
            return buy("X/Y", 1)

    run = backtest(First(), minutes([FLAT, FLAT]))
    assert [fill.time_ns for fill in run.fills] == [0]


def test_a_stop_gaps_through_at_the_open() -> None:
    run = backtest(At({1: [("buy", {"qty": 1})], 2: [("sell", {"qty": 1, "stop": 95})]}), minutes([FLAT, FLAT, (90, 91, 89, 90)]))
    assert [str(fill.price) for fill in run.fills] == ["100.0", "90.0"]


def test_a_buy_limit_is_never_worse_than_its_limit_whatever_the_slippage() -> None:
    run = backtest(At({1: [("buy", {"qty": 1, "limit": 99.5})]}), minutes([FLAT, FLAT]), slippage="bps:100")
    assert [str(fill.price) for fill in run.fills] == ["99.5"]


def test_a_stop_limit_waits_at_its_limit_over_later_bars() -> None:
    # The last bar opens and stays under the stop: only an order triggered for good fills in it.
    rows = [FLAT, (100, 105, 100, 105), (105, 106, 104, 105), (103, 103, 100.5, 101)]
    run = backtest(At({1: [("buy", {"qty": 1, "stop": 104, "limit": 101})]}), minutes(rows))
    assert [(fill.time_ns // MINUTE_NS, str(fill.price)) for fill in run.fills] == [(3, "101")]


@pytest.mark.parametrize(
    ("side", "level", "price"),
    [("buy", {"limit": 99}, "99"), ("sell", {"limit": 101}, "101"), ("buy", {"stop": 101}, "101"), ("sell", {"stop": 99}, "99")],
)
def test_a_touch_of_the_extreme_is_enough(side: str, level: dict[str, object], price: str) -> None:
    script: Script = {1: [("buy", {"qty": 5})], 2: [(side, {"qty": 1, **level})]}
    run = backtest(At(script), minutes([FLAT, FLAT, FLAT]))
    assert [(fill.time_ns // MINUTE_NS, str(fill.price)) for fill in run.fills[1:]] == [(2, price)]


def test_an_order_does_not_fill_in_a_bar_that_had_begun_before_its_decision() -> None:
    class Other(BarStrategy):
        """Buys B when the first bar of A ends, in the middle of a bar of B."""

        symbols = 2

        def on_bar(self, bar: Bar) -> None:
            if bar.symbol == "A/Y" and bar.start_ns == 0:
                self.buy(1, symbol="B/Y")

    a = minutes([FLAT] * 4, symbol="A/Y")
    half = minutes([(50, 51, 49, 50), (60, 61, 59, 60), (70, 71, 69, 70)], symbol="B/Y")
    b = BarSeries.from_columns("B/Y", half.timeframe, half.start_ns + MINUTE_NS // 2, *half.columns())
    (fill,) = backtest(Other(), [a, b]).fills
    assert (fill.time_ns, str(fill.price)) == (MINUTE_NS + MINUTE_NS // 2, "60.0")


def test_a_cancelled_order_does_not_fill_any_more() -> None:
    run = backtest(At({1: [("buy", {"qty": 1, "limit": 50})], 2: [("cancel", {"ref": "o1"})]}), minutes([FLAT, FLAT, (50, 51, 40, 50)]))
    assert run.fills == []
    assert [order.status for order in run.orders.values()] == [OrderStatus.CANCELLED]


def test_what_the_account_cannot_pay_is_rejected_with_figures_and_stamped_with_the_bar() -> None:
    run = backtest(At({1: [("buy", {"qty": 1001})]}), minutes([FLAT, FLAT]))
    (rejection,) = run.rejections
    assert (rejection.code, rejection.time_ns) == (RejectCode.INSUFFICIENT_CASH, MINUTE_NS)
    assert "100100" in rejection.reason
    assert run.venue.cash == 100_000


def test_a_sell_without_the_position_is_rejected() -> None:
    run = backtest(At({1: [("sell", {"qty": 1})]}), minutes([FLAT, FLAT]))
    assert [item.code for item in run.rejections] == [RejectCode.INSUFFICIENT_POSITION]


def test_an_order_off_the_tick_or_lot_is_invalid_at_its_decision() -> None:
    grid = {"X/Y": Instrument(symbol="X/Y", asset_class=AssetClass.CRYPTO, tick=Decimal("0.05"), lot=Decimal("0.1"))}
    script: Script = {1: [("buy", {"qty": 1, "limit": 99.52}), ("buy", {"qty": "0.15"}), ("buy", {"qty": "0.2", "limit": "99.55"})]}
    run = backtest(At(script), minutes([FLAT, FLAT]), instruments=grid)
    assert [(item.code, item.time_ns) for item in run.rejections] == [(RejectCode.INVALID_ORDER, MINUTE_NS)] * 2
    assert len(run.fills) == 1


def test_a_day_order_of_crypto_dies_at_midnight_even_if_no_bar_came() -> None:
    last_minute = 24 * 60 - 1
    script: Script = {1: [("buy", {"qty": 1, "limit": 100, "time_in_force": "day"})]}
    bars = minutes([(105, 106, 104, 105), (100, 101, 99, 100)], at=[last_minute - 1, last_minute + 1])
    run = backtest(At(script), bars)
    (order,) = run.orders.values()
    assert (order.status, order.updated_ns, run.fills) == (OrderStatus.EXPIRED, DAY_NS, [])


def test_a_gtc_order_outlives_midnight() -> None:
    script: Script = {1: [("buy", {"qty": 1, "limit": 100, "time_in_force": "gtc"})]}
    bars = minutes([(105, 106, 104, 105), (100, 101, 99, 100)], at=[24 * 60 - 2, 24 * 60])
    assert len(backtest(At(script), bars).fills) == 1


def equity_day_bars(days: list[str]) -> BarSeries:
    starts = np.asarray([to_ns(datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in days], np.int64)
    rows = [np.full(len(days), value) for value in (100.0, 101.0, 99.0, 100.0, 1.0)]
    return BarSeries.from_columns("SPY", Timeframe.parse("1d"), starts, *rows)


def test_a_day_bar_of_an_equity_is_known_at_the_close_and_its_order_lives_the_next_session() -> None:
    # Wednesday to Friday before Thanksgiving's half day: Friday 2019-11-29 closes at 13:00 New York.
    bars = equity_day_bars(["2019-11-27", "2019-11-29", "2019-12-02"])
    run = backtest(At({1: [("buy", {"qty": 1, "limit": 90})]}), bars)
    closes = [datetime(2019, 11, 27, 21, tzinfo=UTC), datetime(2019, 11, 29, 18, tzinfo=UTC), datetime(2019, 12, 2, 21, tzinfo=UTC)]
    assert run.times_ns[1:].tolist() == [to_ns(close) for close in closes]
    (order,) = run.orders.values()
    assert (order.status, order.updated_ns) == (OrderStatus.EXPIRED, to_ns(closes[1]))


def test_bars_outside_regular_hours_mark_equity_and_match_nothing() -> None:
    nine, ten = datetime(2019, 11, 5, 14, 0, tzinfo=UTC), datetime(2019, 11, 5, 14, 30, tzinfo=UTC)
    starts = np.asarray([to_ns(nine), to_ns(nine) + MINUTE_NS, to_ns(ten)], np.int64)
    columns = [np.asarray(values, float) for values in ([100, 100, 100], [101, 101, 101], [99, 99, 99], [100, 100, 100], [1, 1, 1])]
    run = backtest(At({1: [("buy", {"qty": 1})]}), BarSeries.from_columns("SPY", Timeframe.parse("1m"), starts, *columns))
    assert [fill.time_ns for fill in run.fills] == [to_ns(ten)]


class Recorder(BarStrategy):
    """Writes down what it sees of two symbols."""

    symbols = 2

    def setup(self) -> None:
        self.rows: list[tuple[int, dict[str, float], list[float]]] = []
        self.lines = [self.indicator(sma, self.column("close", symbol), 2) for symbol in self.config.symbols]

    def on_bars(self, bars: Mapping[str, Bar]) -> None:
        now = next(iter(bars.values())).end_ns // MINUTE_NS
        self.rows.append((now, {symbol: bar.close for symbol, bar in bars.items()}, [line.value for line in self.lines]))


def test_several_symbols_are_one_decision_per_time_with_all_bars_that_ended() -> None:
    a = minutes([(1, 1, 1, 1), (2, 2, 2, 2), (4, 4, 4, 4)], symbol="A/Y")
    b = minutes([(10, 10, 10, 10), (20, 20, 20, 20)], symbol="B/Y", at=[1, 3])
    strategy = Recorder()
    run = backtest(strategy, [a, b])
    seen = [(now, closes) for now, closes, _ in strategy.rows]
    assert seen == [(1, {"A/Y": 1.0}), (2, {"A/Y": 2.0, "B/Y": 10.0}), (3, {"A/Y": 4.0}), (4, {"B/Y": 20.0})]
    np.testing.assert_equal([line for *_, line in strategy.rows], [[np.nan, np.nan], [1.5, np.nan], [3.0, np.nan], [3.0, 15.0]])
    assert run.times_ns.tolist() == [at * MINUTE_NS for at in (0, 1, 2, 3, 4)]


def test_one_symbol_is_the_same_in_slices_and_at_a_stretch() -> None:
    rng = np.random.default_rng(5)
    close = 100 + np.cumsum(rng.normal(0, 1, 20_000)).round(2) * 0.01
    rows = np.column_stack([close, close + 0.5, close - 0.5, close])
    script: Script = {at: [("buy" if at % 2 else "sell", {"qty": 1})] for at in range(1, 19_000, 7)}
    stretch, sliced = backtest(At(script), minutes(rows.tolist())), backtest(At(script), minutes(rows.tolist()), slices=True)
    assert stretch.fills
    assert stretch.fills == sliced.fills
    np.testing.assert_array_equal(stretch.equity, sliced.equity)


class Averages(BarStrategy):
    """Compares what indicators reveal with what can be known."""

    def setup(self) -> None:
        self.average = self.indicator(ema, self.close, 3)
        self.high = self.indicator(rolling_high, self.average, 2)
        self.seen: list[tuple[float, float, float, int]] = []

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((self.average.value, self.average[-2], self.high[-1], len(self.average.values)))
        with pytest.raises(IndexError):
            self.average[0]


def test_indicators_are_revealed_bar_by_bar_over_block_borders() -> None:
    n = 9_000
    close = np.random.default_rng(1).normal(100, 1, n)
    strategy = Averages()
    backtest(strategy, minutes(np.column_stack([close, close + 1, close - 1, close]).tolist()))
    full = ema(close, 3)
    seen = np.asarray(strategy.seen)
    np.testing.assert_array_equal(seen[:, 0], full)
    np.testing.assert_array_equal(seen[1:, 1], full[:-1])
    np.testing.assert_array_equal(seen[:, 2], rolling_high(full, 2))
    assert seen[:, 3].tolist() == list(range(1, n + 1))


def test_two_symbols_keep_their_place_over_block_borders() -> None:
    n = 9_000
    rng = np.random.default_rng(2)
    closes = {symbol: rng.normal(100, 1, n) for symbol in ("A/Y", "B/Y")}

    class Place(BarStrategy):
        symbols = 2

        def setup(self) -> None:
            self.lines = {symbol: self.indicator(sma, self.column("close", symbol), 2) for symbol in closes}
            self.seen: dict[str, list[tuple[float, float, int]]] = {symbol: [] for symbol in closes}

        def on_bar(self, bar: Bar) -> None:
            line = self.lines[bar.symbol]
            self.seen[bar.symbol].append((line.value, line[-2], len(line.values)))

    strategy = Place()
    # B has bars in the first third only: its newest value must stay readable in later blocks.
    every = [minutes(np.column_stack([close] * 4).tolist(), symbol=symbol) for symbol, close in closes.items()]
    backtest(strategy, [every[0], every[1].slice(0, n // 3)])
    for symbol, count in (("A/Y", n), ("B/Y", n // 3)):
        full, seen = sma(closes[symbol][:count], 2), np.asarray(strategy.seen[symbol])
        np.testing.assert_array_equal(seen[:, 0], full)
        np.testing.assert_array_equal(seen[1:, 1], full[:-1])
        assert seen[:, 2].tolist() == list(range(1, count + 1))


class Windows(Strategy):
    """The base contract: asks for windows and decides on them."""

    def __init__(self) -> None:
        self.lengths: list[tuple[int, bool]] = []

    def on_tick(self, tick: Tick) -> Actions:
        return [FetchWindow("X/Y", 3), Note(f"tick {tick.time_ns // MINUTE_NS}")]

    def on_data(self, window: Window) -> Actions:
        self.lengths.append((len(window), window.is_full))
        if window.close[-1] > 101 and not self.account.held("X/Y"):
            return buy("X/Y", 1, note="above 101")
        return sell("X/Y", 1) if window.close[-1] < 99 and self.account.held("X/Y") else None


def test_the_base_contract_gets_its_windows_at_the_same_decision() -> None:
    rows = [(close, close + 1, close - 1, close) for close in (100.0, 102.0, 101.0, 98.0, 97.0)]
    strategy = Windows()
    run = backtest(strategy, minutes(rows))
    assert strategy.lengths == [(1, False), (2, False), (3, True), (3, True), (3, True)]
    assert [(fill.side, fill.time_ns // MINUTE_NS, str(fill.price)) for fill in run.fills] == [("buy", 2, "101.0"), ("sell", 4, "97.0")]
    assert sum(event.type == "strategy.Noted" for event in run.events) == 5


def test_a_bar_strategy_driven_by_the_base_contract_decides_alike() -> None:
    class Plain(Strategy):
        """The same strategy, reached only through on_tick and on_data."""

        def __init__(self, inner: At) -> None:
            self.inner = inner

        def initialize(self, config: StrategyConfig) -> Actions:
            self.inner.account = self.account
            return self.inner.initialize(config)

        def on_tick(self, tick: Tick) -> Actions:
            return self.inner.on_tick(tick)

        def on_data(self, window: Window) -> Actions:
            return self.inner.on_data(window)

    script: Script = {1: [("buy", {"qty": 1})], 3: [("sell", {"qty": 1})]}
    rows = [(close, close + 1, close - 1, close) for close in (100.0, 102.0, 101.0, 98.0, 97.0)]
    direct, through = At(script), At(script)
    assert backtest(direct, minutes(rows)).fills == backtest(Plain(through), minutes(rows)).fills
    assert direct.seen == through.seen


def test_a_bar_strategy_that_overrides_on_tick_is_driven_by_it() -> None:
    class Ticks(At):
        def on_tick(self, tick: Tick) -> Actions:
            return [*(super().on_tick(tick) or ()), Note("ticked")]  # type: ignore[misc]

    run = backtest(Ticks({1: [("buy", {"qty": 1})]}), minutes([FLAT, FLAT]))
    assert [event.type for event in run.events].count("strategy.Noted") == 2
    assert len(run.fills) == 1


def test_a_window_longer_than_the_data_is_refused_in_a_sentence() -> None:
    class Greedy(Strategy):
        def on_tick(self, tick: Tick) -> Actions:
            return FetchWindow("X/Y", 1_000)

    with pytest.raises(NonsenseAction, match=r"1,000 bars of X/Y, but the run has only 2"):
        backtest(Greedy(), minutes([FLAT, FLAT]))


def test_a_strategy_can_end_the_run() -> None:
    run = backtest(At({2: [("buy", {"qty": 1, "limit": 1}), ("stop_run", {"reason": "enough"})]}), minutes([FLAT] * 5))
    assert run.venue.stopped == "enough"
    assert run.simulator.bars_done == 2
    assert len(run.times_ns) == 3
    assert [order.status for order in run.orders.values()] == [OrderStatus.CANCELLED]


@pytest.mark.parametrize("method", ["initialize", "on_tick", "on_data"])
def test_a_strategy_that_raises_is_named_with_method_and_time(method: str) -> None:
    class Raises(Strategy):
        def initialize(self, config: StrategyConfig) -> Actions:
            return self._maybe("initialize")

        def on_tick(self, tick: Tick) -> Actions:
            self._maybe("on_tick")
            return FetchWindow("X/Y", 1)

        def on_data(self, window: Window) -> Actions:
            return self._maybe("on_data")

        def _maybe(self, name: str) -> Actions:
            if name == method:
                raise ZeroDivisionError("by nothing")
            return None

    with pytest.raises(StrategyFailed, match=rf"{method} raised ZeroDivisionError .*by nothing"):
        backtest(Raises(), minutes([FLAT, FLAT]))


def test_on_bar_that_raises_names_the_bar() -> None:
    class Raises(BarStrategy):
        def on_bar(self, bar: Bar) -> None:
            raise KeyError("nothing")

    with pytest.raises(StrategyFailed, match=r"on_bar raised KeyError .*1970-01-01T00:01:00Z"):
        backtest(Raises(), minutes([FLAT, FLAT]))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("buy", "returned str"),
        (42, "returned int"),
        ([42], "returned int"),
        ({"side": "buy"}, "returned dict"),
        (buy("A/B", 1), "'A/B'"),
        (FetchWindow("X/Y", 0), "window of 0"),
        (FetchWindow("X/Y", -5), "window of -5"),
        (FetchWindow("Z", 1), "'Z'"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(answer: object, sentence: str) -> None:
    class Nonsense(Strategy):
        def on_tick(self, tick: Tick) -> Actions:
            return answer  # type: ignore[return-value]

    with pytest.raises(NonsenseAction, match=sentence):
        backtest(Nonsense(), minutes([FLAT, FLAT]))


@pytest.mark.parametrize(
    "arguments", [{"qty": 0}, {"qty": -1}, {"qty": float("nan")}, {"qty": "x"}, {"qty": 1, "limit": 0}, {"qty": 1, "stop": -2}]
)
def test_an_impossible_order_is_refused_where_it_is_made(arguments: dict[str, object]) -> None:
    with pytest.raises(NonsenseAction, match=r"on_bar asked for something impossible"):
        backtest(At({1: [("buy", arguments)]}), minutes([FLAT, FLAT]))


def test_every_event_names_what_caused_it() -> None:
    run = backtest(At({1: [("buy", {"qty": 1, "note": "because"})]}), minutes([FLAT, FLAT]))
    by_id = {event.id: event for event in run.events}
    event, chain = next(item for item in run.events if item.type == "orders.Filled"), []
    while True:
        chain.append(event.type)
        assert event.trace_id == f"run@{MINUTE_NS}"
        if event.causation_id not in by_id:
            break
        event = by_id[event.causation_id]
    assert chain == ["orders.Filled", "orders.Accepted", "orders.Created", "backtest.PlaceOrder", "strategy.PlaceRequest"]
    assert event.causation_id == event.trace_id
