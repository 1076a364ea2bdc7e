"""BarStrategy: what its methods ask for, and what it declares."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidValue
from core.model.market import Bar, Timeframe
from core.model.order import OrderSide, OrderType
from core.strategy.actions import CancelOrder, PlaceOneCancelsOther, PlaceOrder, ReplaceOrder
from core.strategy.api import BarStrategy, FetchWindow, StrategyConfig, Tick, cash, leg, sma
from core.strategy.plots import Plot
from core.strategy.windows import Column, Cursor


class Account:
    cash = equity = Decimal(1_000)

    def __init__(self, **held: int) -> None:
        self._held = held

    def held(self, symbol: str) -> Decimal:
        return Decimal(self._held.get(symbol, 0))

    def working(self) -> tuple[str, ...]:
        return ("a", "b.stop")


def ready(strategy: BarStrategy | None = None, *, timeframe: str = "5m", **held: int) -> BarStrategy:
    made = strategy or BarStrategy()
    made.account = Account(**held)  # type: ignore[assignment]
    made.initialize(StrategyConfig(symbols=("SPY", "QQQ"), timeframe=timeframe, params={}, cash=Decimal(1_000)))
    return made


def test_orders_go_to_the_first_symbol_unless_another_is_named() -> None:
    strategy = ready()
    refs = [strategy.buy(1), strategy.sell(2.0, symbol="QQQ", note="why"), strategy.buy(cash(50), limit=9, ref="mine")]
    placed = strategy.take_actions()
    assert refs == ["o1", "o2", "mine"]
    assert [action.ref for action in placed if isinstance(action, PlaceOrder)] == refs
    assert [(action.request.symbol, action.request.side) for action in placed if isinstance(action, PlaceOrder)] == [
        ("SPY", OrderSide.BUY),
        ("QQQ", OrderSide.SELL),
        ("SPY", OrderSide.BUY),
    ]
    assert strategy.take_actions() == []


@pytest.mark.parametrize(("held", "side", "qty"), [(3, OrderSide.SELL, 3), (-4, OrderSide.BUY, 4)])
def test_closing_trades_what_is_held_and_no_more(held: int, side: OrderSide, qty: int) -> None:
    strategy = ready(QQQ=held)
    assert strategy.close_position() is None
    ref = strategy.close_position("QQQ", note="over")
    (action,) = strategy.take_actions()
    assert isinstance(action, PlaceOrder)
    request = action.request
    assert (action.ref, request.symbol, request.side, request.note) == (ref, "QQQ", side, "over")
    assert (request.type, request.reduce_only) == (OrderType.MARKET, True)
    assert request.qty == qty


def test_a_pair_has_a_ref_for_each() -> None:
    strategy = ready()
    refs = strategy.oco("sell", 1, limit=110, stop=leg(trail=2), reduce_only=True, note="out")
    (pair,) = strategy.take_actions()
    assert isinstance(pair, PlaceOneCancelsOther)
    assert (pair.first_ref, pair.second_ref) == refs == ("o1", "o2")
    assert (pair.first.symbol, pair.second.type) == ("SPY", OrderType.TRAILING_STOP)


def test_changes_and_cancels() -> None:
    strategy = ready()
    strategy.replace("o1.stop", stop=99.5, note="closer")
    strategy.cancel("o1", note="no longer")
    strategy.cancel_all("the day is over")
    assert strategy.take_actions() == [
        ReplaceOrder("o1.stop", stop_price=Decimal("99.5"), note="closer"),
        CancelOrder("o1", "no longer"),
        CancelOrder("a", "the day is over"),
        CancelOrder("b.stop", "the day is over"),
    ]


# --- declaring ---


class Declares(BarStrategy):
    def setup(self) -> None:
        self.own = self.indicator(sma, self.close, 2)
        self.hourly = self.indicator(sma, self.column("close", timeframe="60m"), 3)
        self.over = self.indicator(sma, self.hourly, 2, name="twice")
        self.line = self.plot("risk", pane="risk", symbol="QQQ")


def test_columns_carry_their_timeframe() -> None:
    strategy = Declares()
    ready(strategy)
    assert [(item.name, item.timeframe) for item in strategy.indicators] == [("sma 2", "5m"), ("sma 3 1h", "1h"), ("twice", "1h")]
    assert strategy.hourly.arguments[0] == Column("SPY", "close", "1h")
    assert strategy.larger_timeframes() == {Timeframe.parse("1h")}
    assert [(line.name, line.pane, line.symbol) for line in strategy.plots] == [("risk", "risk", "QQQ")]


def test_the_runs_own_timeframe_by_another_name_is_no_larger_one() -> None:
    strategy = ready(timeframe="60m")
    assert strategy.column("high", timeframe="1h") == Column("SPY", "high", "1h")
    assert strategy.larger_timeframes() == set()


@pytest.mark.parametrize(
    ("timeframe", "said"), [("1m", "smaller than the run's own, 5m"), ("7m", "not a multiple"), ("soon", "write it like")]
)
def test_a_timeframe_that_cannot_be_built_is_refused(timeframe: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        ready().column("close", timeframe=timeframe)


def mixed(strategy: BarStrategy) -> Any:
    return strategy.indicator(np.add, strategy.close, strategy.column("close", timeframe="1h"))


def two_symbols(strategy: BarStrategy) -> Any:
    return strategy.indicator(np.add, strategy.close, strategy.column("close", "QQQ"))


@pytest.mark.parametrize(("declare", "said"), [(mixed, "of one timeframe"), (two_symbols, "of one symbol")])
def test_an_indicator_has_one_symbol_and_one_timeframe(declare: Any, said: str) -> None:
    class Declaring(BarStrategy):
        def setup(self) -> None:
            declare(self)

    with pytest.raises(InvalidValue, match=said):
        ready(Declaring())


def test_what_is_declared_too_late_is_refused() -> None:
    strategy = ready()
    with pytest.raises(InvalidValue, match="declare it in setup"):
        strategy.indicator(sma, strategy.close, 2)
    with pytest.raises(InvalidValue, match="declare it in setup"):
        strategy.plot("late")


# --- plots ---


def test_a_plot_holds_the_last_value_set_at_each_bar() -> None:
    plot, cursor = Plot("line", "SPY", "price"), Cursor(6)
    plot.attach(cursor)
    for block, in_block, values in ((0, 0, [1.0, 2.0]), (0, 2, [Decimal("2.5")]), (3, 1, [float("nan"), 7])):
        cursor.block, cursor.in_block = block, in_block
        for value in values:
            plot.set(value)  # type: ignore[arg-type]
    nan = float("nan")
    np.testing.assert_array_equal(plot.values, [2.0, nan, 2.5, nan, 7.0, nan])
    assert plot.values.dtype == np.float64


def test_a_point_before_the_first_bar_is_refused() -> None:
    plot = Plot("line", "SPY", "price")
    assert plot.values.shape == (0,)
    for cursor in (None, Cursor(3)):
        if cursor is not None:
            plot.attach(cursor)
        with pytest.raises(InvalidValue, match="SPY has none yet"):
            plot.set(1.0)


# --- the base contract, carried out ---


class Sees(BarStrategy):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.seen.append(f"{timeframe} {bar.symbol}")
        self.buy(1, note=timeframe)

    def on_bar(self, bar: Bar) -> None:
        self.seen.append(bar.symbol)
        self.buy(2)


class FakeWindow:
    def __init__(self, symbol: str, timeframe: str) -> None:
        self.symbol, self.timeframe = symbol, timeframe

    def newest(self) -> Bar:
        return Bar(self.symbol, 0, 1, *[1.0] * 5)


def handed(strategy: BarStrategy, tick: Tick) -> list[Any]:
    """Hand the strategy the windows it asks for, and return what it wants done."""
    done: list[Any] = []
    for asked in list(strategy.on_tick(tick)):  # type: ignore[arg-type]
        assert isinstance(asked, FetchWindow)
        done += strategy.on_data(FakeWindow(asked.symbol, asked.timeframe or "5m")) or []  # type: ignore[arg-type]
    return done


def test_larger_bars_come_first() -> None:
    strategy = Sees()
    ready(strategy)
    done = handed(strategy, Tick(1, ("SPY", "QQQ"), (("SPY", "5m"), ("QQQ", "5m"), ("SPY", "1h"))))
    assert strategy.seen == ["1h SPY", "SPY", "QQQ"]
    assert [action.request.qty for action in done] == [1, 2, 2]
    assert [action.request.qty for action in handed(strategy, Tick(2, (), (("QQQ", "1d"),)))] == [1]
