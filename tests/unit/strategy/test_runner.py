"""The runner: what it refuses, in words; larger bars, warm-up, state, own costs."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidValue, NonsenseAction, StrategyError, StrategyFailed
from core.model.cost_models import FeeModel, Part, SlippageModel
from core.model.market import AssetClass, Bar, BarSeries, Floats, Timeframe
from core.model.order import OrderSide
from core.strategy.api import Actions, BarStrategy, FetchWindow, Note, Strategy, StrategyConfig, Tick, Window, buy, oco, sma
from core.strategy.runner import StrategyRunner, compute_indicators, make_strategy
from core.strategy.windows import Cursor
from tests.unit.strategy.desk import minutes

BAR = Bar("SPY", 0, 60, 1.0, 2.0, 0.5, 1.5, 10.0)


def no_window(asked: FetchWindow) -> Window:
    raise AssertionError(asked)


def runner(
    strategy: Strategy, *, symbols: Sequence[str] = ("SPY",), timeframe: str = "1m", fetch: Callable[[FetchWindow], Window] = no_window
) -> StrategyRunner:
    config = StrategyConfig(symbols=tuple(symbols), timeframe=timeframe, params={}, cash=Decimal(1_000))
    return StrategyRunner(strategy, config, fetch)


def made(**attributes: Any) -> Strategy:
    strategy: Strategy = type("Made", (Strategy,), attributes)()
    return strategy


def answering(answer: Any) -> Strategy:
    return made(on_tick=lambda self, tick: answer)


# --- what is no action ---


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (3, "returned int 3 at 1970"),
        ("buy", "returned str 'buy'"),
        ({"buy": 1}, "returned dict"),
        ([buy("SPY", 1), None], "returned NoneType None"),
        ([[buy("SPY", 1)]], "returned list"),
        (buy("QQQ", 1), "asked for 'QQQ' at 1970.*no symbol of this run"),
        (oco("QQQ", "sell", 1, limit=5, stop=4), "asked for 'QQQ'"),
        (FetchWindow("QQQ", 1), "asked for 'QQQ'"),
        (FetchWindow("SPY", 0), "a window of 0 bars"),
        (FetchWindow("SPY", 2.5), "a window of 2.5 bars"),  # type: ignore[arg-type]
        (FetchWindow("SPY", 1, "5m"), r"5m bars.*does not declare.*timeframes = \(\"5m\",\)"),
        (FetchWindow("SPY", 1, "soon"), "write it like"),
    ],
)
def test_what_is_no_action_is_refused_in_words(answer: Any, said: str) -> None:
    with pytest.raises(NonsenseAction, match=said):
        runner(answering(answer)).decide(60, {"SPY": BAR})


def broken() -> Any:
    yield buy("SPY", 1)
    raise ZeroDivisionError("by nothing")


def test_an_answer_that_breaks_while_it_is_read_names_the_error() -> None:
    with pytest.raises(StrategyFailed, match="answer raised ZeroDivisionError"):
        runner(answering(broken())).decide(60, {"SPY": BAR})


def test_every_way_to_answer_is_taken() -> None:
    order = buy("SPY", 1)
    for answer in (order, [order], (order,), iter([order])):
        assert runner(answering(answer)).decide(60, {"SPY": BAR}) == [order]
    nothings: list[Any] = [None, [], ()]
    for nothing in nothings:
        assert runner(answering(nothing)).decide(60, {"SPY": BAR}) == []


def test_the_list_a_strategy_returned_stays_its_own() -> None:
    kept = [buy("SPY", 1)]
    runner(answering(kept)).decide(60, {"SPY": BAR}).clear()
    assert len(kept) == 1


def test_a_window_at_the_start_is_refused() -> None:
    with pytest.raises(NonsenseAction, match="at the start, when no bar has ended"):
        runner(made(initialize=lambda self, config: FetchWindow("SPY", 1))).initialize()


def test_a_contradiction_inside_a_method_names_the_method() -> None:
    def on_tick(self: Strategy, tick: Tick) -> Actions:
        return buy("SPY", 1, stop=5, trail=1)

    with pytest.raises(NonsenseAction, match=r"on_tick asked for something impossible.*stop_price"):
        runner(made(on_tick=on_tick)).decide(60, {"SPY": BAR})


def test_windows_asked_for_inside_on_data_come_in_order() -> None:
    heard: list[str] = []

    class Asks(Strategy):
        timeframes = ("5m",)

        def on_tick(self, tick: Tick) -> Actions:
            return [Note("first"), FetchWindow("SPY", 1), FetchWindow("SPY", 3, "300s"), Note("last")]

        def on_data(self, window: Any) -> Actions:
            heard.append(window)
            return [FetchWindow("SPY", 2, "60s"), Note("between")] if len(heard) == 1 else None

    asked: list[FetchWindow] = []

    def fetch(wish: FetchWindow) -> Any:
        asked.append(wish)
        return f"window {len(asked)}"

    done = runner(Asks(), fetch=fetch).decide(60, {"SPY": BAR})
    # The run's own timeframe by any name is None, a larger one is written in its largest unit.
    assert asked == [FetchWindow("SPY", 1), FetchWindow("SPY", 2), FetchWindow("SPY", 3, "5m")]
    assert done == [Note("first"), Note("between"), Note("last")]
    assert heard == ["window 1", "window 2", "window 3"]


def test_windows_without_end_are_a_loop() -> None:
    class Loops(Strategy):
        def on_tick(self, tick: Tick) -> Actions:
            return FetchWindow("SPY", 1)

        def on_data(self, window: Window) -> Actions:
            return FetchWindow("SPY", 1)

    with pytest.raises(NonsenseAction, match="more than 1000 windows"):
        runner(Loops(), fetch=lambda asked: asked).decide(60, {"SPY": BAR})  # type: ignore[arg-type, return-value]


# --- larger timeframes ---


class Larger(BarStrategy):
    timeframes = ("1d", "5m")

    def setup(self) -> None:
        self.seen: list[str] = []
        self.average = self.indicator(sma, self.column("close", timeframe="1h"), 2)

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.seen.append(f"{timeframe} {bar.symbol}")
        self.buy(1)

    def on_bar(self, bar: Bar) -> None:
        self.seen.append(bar.symbol)


def test_declared_timeframes_and_those_of_columns_are_told_shortest_first() -> None:
    strategy = Larger()
    ran = runner(strategy)
    assert ran.initialize() == []
    assert ran.timeframes == ("5m", "1h", "1d")
    done = ran.decide(60, {"SPY": BAR}, [("5m", BAR), ("1h", BAR)])
    assert strategy.seen == ["5m SPY", "1h SPY", "SPY"]
    assert len(done) == 2
    assert len(ran.decide(120, {}, [("1h", BAR)])) == 1
    assert strategy.seen[3:] == ["1h SPY"]


def test_the_base_contract_is_told_all_that_ended() -> None:
    ticks: list[Tick] = []
    strategy = made(timeframes=("1h", "60s"), on_tick=lambda self, tick: ticks.append(tick))
    ran = runner(strategy, symbols=("SPY", "QQQ"))
    ran.initialize()
    assert ran.timeframes == ("1h",)
    for bars, larger in (({"SPY": BAR}, []), ({"SPY": BAR}, [("1h", BAR)]), ({}, [("1h", BAR)])):
        ran.decide(60, bars, larger)
    assert ticks == [
        Tick(60, ("SPY",), (("SPY", "1m"),)),
        Tick(60, ("SPY",), (("SPY", "1m"), ("SPY", "1h"))),
        Tick(60, (), (("SPY", "1h"),)),
    ]


def test_who_only_reads_indicators_is_not_told_of_larger_bars() -> None:
    class Reads(BarStrategy):
        def setup(self) -> None:
            self.average = self.indicator(sma, self.column("close", timeframe="1h"), 2)

    ran = runner(Reads())
    ran.initialize()
    assert ran.timeframes == ("1h",)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (("7m",), "cannot be built.*not a multiple"),
        (("1m",), "smaller"),
        ("1h", "tuple of texts"),
        (5, "tuple of texts"),
        ((5,), "write it"),
    ],
)
def test_timeframes_that_cannot_be_built_are_refused(declared: Any, said: str) -> None:
    with pytest.raises(NonsenseAction, match=said):
        runner(made(timeframes=declared), timeframe="5m")


def test_an_indicator_over_a_larger_timeframe_is_revealed_by_its_own_cursor() -> None:
    strategy = Larger()
    ran = runner(strategy)
    ran.initialize()
    hours = BarSeries.from_columns("SPY", Timeframe.parse("1h"), np.arange(3), *(np.array([1.0, 2.0, 4.0]) for _ in range(5)))
    own, cursor = minutes("SPY", [1.0] * 200), Cursor(3)
    compute_indicators(ran.indicators, {("SPY", "1m"): own, ("SPY", "1h"): hours}, {("SPY", "1m"): Cursor(200), ("SPY", "1h"): cursor})
    strategy.average.load_block(0, 3)
    seen = []
    for at in (-1, 0, 1, 2):
        cursor.in_block = at
        seen.append(strategy.average.value)
    np.testing.assert_array_equal(seen, [np.nan, np.nan, 1.5, 3.0])


# --- indicators that misbehave ---


def half(column: Floats) -> Floats:
    return column[: len(column) // 2]


def raising(column: Floats) -> Floats:
    raise KeyError("nothing there")


def refusing(column: Floats) -> Floats:
    raise InvalidValue("period", 0, "it must be at least 1.")


def writing(column: Floats) -> Floats:
    column[0] = 0.0
    return column


def words(column: Floats) -> Any:
    return ["up"] * len(column)


@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        (half, StrategyFailed, r"returned shape \(5,\) for 10 bars"),
        (raising, StrategyFailed, "raised KeyError"),
        (refusing, NonsenseAction, "period"),
        (writing, StrategyFailed, "read-only"),
        (words, StrategyFailed, "raised ValueError"),
    ],
)
def test_an_indicator_that_misbehaves_ends_the_run_in_words(function: Any, error: type[Exception], said: str) -> None:
    class Uses(BarStrategy):
        def setup(self) -> None:
            self.line = self.indicator(function, self.close, name="line")

    ran = runner(Uses())
    ran.initialize()
    bars = minutes("SPY", np.arange(1.0, 11.0))
    with pytest.raises(error, match=f"Indicator line.*{said}"):
        compute_indicators(ran.indicators, {("SPY", "1m"): bars}, {("SPY", "1m"): Cursor(10)})


def test_an_indicator_longer_than_the_data_never_has_a_value() -> None:
    class Long(BarStrategy):
        def setup(self) -> None:
            self.line = self.indicator(sma, self.close, 500)
            self.nans = self.indicator(lambda column: np.full(len(column), np.nan), self.close)

    strategy = Long()
    ran = runner(strategy)
    ran.initialize()
    cursor = Cursor(10)
    compute_indicators(ran.indicators, {("SPY", "1m"): minutes("SPY", np.arange(1.0, 11.0))}, {("SPY", "1m"): cursor})
    for item in ran.indicators:
        item.load_block(0, 10)
        cursor.in_block = 9
        assert np.isnan([item.value, item[-3]]).all()
        assert not item.value > 0
        assert not item.value <= 0


def attached(ran: StrategyRunner) -> None:
    compute_indicators(ran.indicators, {("SPY", "1m"): minutes("SPY", [1.0])}, {("SPY", "1m"): Cursor(1)})
    ran.attach_plots({"SPY": Cursor(1)})


@pytest.mark.parametrize("declare", ["indicator", "plot"])
def test_what_is_over_a_symbol_that_the_run_has_not_is_named(declare: str) -> None:
    class Elsewhere(BarStrategy):
        def setup(self) -> None:
            if declare == "plot":
                self.plot("line", symbol="QQQ")
            else:
                self.indicator(sma, self.column("close", "QQQ"), 2, name="line")

    ran = runner(Elsewhere())
    ran.initialize()
    with pytest.raises(NonsenseAction, match=r"line is over 'QQQ'.*SPY"):
        attached(ran)


# --- warm-up ---


def test_the_warm_up_may_depend_on_parameters() -> None:
    class Warm(Strategy):
        bars = 20

        def warmup_bars(self) -> int:
            return 3 * self.bars

    config = StrategyConfig(symbols=("SPY",), timeframe="1m", params={"bars": 7}, cash=Decimal(1))
    assert StrategyRunner(Warm(), config, no_window).warmup == 21
    assert runner(made(warmup=5)).warmup == 5
    assert runner(made()).warmup == 0


@pytest.mark.parametrize("bars", [-1, 2.0, "5", True, None, 10**7])
def test_a_warm_up_is_a_whole_number(bars: Any) -> None:
    with pytest.raises(NonsenseAction, match=r"warm-up is.*whole number from 0 to 1,000,000"):
        runner(made(warmup=bars))


def test_a_warm_up_that_raises_names_the_method() -> None:
    def warmup_bars(self: Strategy) -> int:
        raise AttributeError("no such thing")

    with pytest.raises(StrategyFailed, match="warmup_bars raised AttributeError"):
        runner(made(warmup_bars=warmup_bars))


# --- state ---


def test_a_state_is_copied_in_the_types_of_json() -> None:
    kept: dict[str, Any] = {"held": ["1.5", 2, 0.5, None, True], "by symbol": {"SPY": (1, np.float64(2.5))}}
    saved = runner(made(save_state=lambda self: kept)).saved_state()
    assert saved == {"held": ["1.5", 2, 0.5, None, True], "by symbol": {"SPY": [1, 2.5]}}
    assert saved is not None
    assert type(saved["by symbol"]["SPY"][1]) is float
    kept["held"].clear()
    assert len(saved["held"]) == 5
    loaded: list[Any] = []
    runner(made(load_state=lambda self, state: loaded.append(state))).load_state(saved)
    assert loaded == [saved]


def test_there_need_not_be_a_state() -> None:
    assert runner(made()).saved_state() is None


def deep() -> list[Any]:
    nested: list[Any] = []
    nested.append(nested)
    return nested


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([1], "returned list"),
        ({"a": {"b": [0, Decimal(1)]}}, r"a Decimal as state\['a'\]\['b'\]\[1\]"),
        ({"a": np.zeros(2)}, "ndarray"),
        ({"a": {1, 2}}, "set"),
        ({"a": float("nan")}, "nan.*JSON cannot say"),
        ({"a": {1: 2}}, "the key 1"),
        ({"a": deep()}, "nested deeper"),
        ({"a": OrderSide.BUY}, "OrderSide"),
    ],
)
def test_a_state_that_json_cannot_say_is_refused_at_its_place(state: Any, said: str) -> None:
    with pytest.raises(NonsenseAction, match=said):
        runner(made(save_state=lambda self: state)).saved_state()


def test_a_state_method_that_raises_is_named() -> None:
    def load_state(self: Strategy, state: dict[str, Any]) -> None:
        raise KeyError("target")

    with pytest.raises(StrategyFailed, match="load_state raised KeyError"):
        runner(made(load_state=load_state)).load_state({})


# --- own costs ---

PART = Part(symbol="SPY", asset_class=AssetClass.EQUITY, side=OrderSide.BUY, qty=Decimal(2), price=Decimal(10))


def charging(answer: Any) -> Any:
    def called(self: object, *question: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Costs", (), {"fee": called, "distance": called})()


def test_own_models_answer_as_they_are() -> None:
    ran = runner(made(fee_model=charging(Decimal("0.25")), slippage_model=charging(1)))
    assert isinstance(ran.fee_model, FeeModel)
    assert isinstance(ran.slippage_model, SlippageModel)
    assert ran.fee_model.fee(PART) == Decimal("0.25")
    slip = ran.slippage_model.distance(Decimal(10), Decimal(1), Decimal(5))
    assert (slip, type(slip)) == (Decimal(1), Decimal)
    assert (runner(made()).fee_model, runner(made()).slippage_model) == (None, None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (0.5, "the float 0.5.*return a Decimal"),
        (None, "NoneType"),
        (Decimal(-1), "returned -1.*at least 0"),
        (Decimal("NaN"), "returned NaN"),
        (True, "the bool True"),
        (KeyError("x"), "raised KeyError"),
    ],
)
def test_own_models_that_misbehave_end_the_run_in_words(answer: Any, said: str) -> None:
    ran = runner(made(fee_model=charging(answer), slippage_model=charging(answer)))
    assert ran.fee_model is not None
    assert ran.slippage_model is not None
    with pytest.raises(StrategyError, match=f"(?i)fee_model.fee.*{said}"):
        ran.fee_model.fee(PART)
    with pytest.raises(StrategyError, match=f"(?i)slippage_model.distance.*{said}"):
        ran.slippage_model.distance(Decimal(1), Decimal(1), Decimal(1))


@pytest.mark.parametrize("model", [5, type("Costs", (), {"fee": lambda self, part: 0, "distance": lambda self, *question: 0})])
def test_what_is_no_model_is_refused(model: Any) -> None:
    for field in ("fee_model", "slippage_model"):
        with pytest.raises(NonsenseAction, match=f"{field} is .*an instance of a class"):
            runner(made(**{field: model}))


def test_a_constructor_that_raises_is_told() -> None:
    class Raises(Strategy):
        def __init__(self) -> None:
            raise RuntimeError("not today")

    with pytest.raises(StrategyFailed, match="__init__ raised RuntimeError: not today"):
        make_strategy(Raises)
