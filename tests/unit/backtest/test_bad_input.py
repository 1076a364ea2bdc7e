"""Orders that no venue would take, bars that are odd, and strategies that do what they should not."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pytest

from core.errors import InvalidValue, KnownError, NonsenseAction, StrategyFailed
from core.events.payloads import StrategyNoted
from core.model.instants import MINUTE_NS
from core.model.market import AssetClass, BarSeries, Floats, Instrument
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.api import Actions, Bar, BarStrategy, CancelOrder, Strategy, Tick, buy, cash, equity_share, leg, sell, sma
from tests.backtests import Backtest, backtest, minutes

FLAT: Final = (100.0, 101.0, 99.0, 100.0)
GRID: Final = {"X/Y": Instrument(symbol="X/Y", asset_class=AssetClass.CRYPTO, tick=Decimal("0.05"), lot=Decimal("0.1"))}


class Calls(BarStrategy):
    """Calls `does` at the close of one bar, counted from 0."""

    def __init__(self, does: Callable[["Calls"], object], at: int = 0) -> None:
        super().__init__()
        self.does = does
        self.left = at

    def on_bar(self, bar: Bar) -> None:
        self.left -= 1
        if self.left == -1:
            self.does(self)


# --- orders that contradict themselves: refused where they are made ---


@pytest.mark.parametrize(
    ("type_", "prices", "field", "rule"),
    [
        (OrderType.STOP_LIMIT, {"stop_price": 100}, "limit_price", "a stop_limit order needs it"),
        (OrderType.STOP_LIMIT, {"limit_price": 100}, "stop_price", "a stop_limit order needs it"),
        (OrderType.LIMIT, {}, "limit_price", "a limit order needs it"),
        (OrderType.STOP, {}, "stop_price", "a stop order needs it"),
        (OrderType.STOP, {"stop_price": 0}, "stop_price", "above zero"),
        (OrderType.MARKET, {"limit_price": 100}, "limit_price", "a market order takes none"),
        (OrderType.LIMIT, {"limit_price": 100, "stop_price": 99}, "stop_price", "a limit order takes none"),
        (OrderType.TRAILING_STOP, {}, "trail_price", "either trail_price or trail_percent"),
        (OrderType.TRAILING_STOP, {"trail_price": 1, "trail_percent": 1}, "trail_price", "either trail_price or trail_percent"),
        (OrderType.TRAILING_STOP, {"trail_price": 0}, "trail_price", "above zero"),
        (OrderType.TRAILING_STOP, {"trail_percent": 100}, "trail_percent", "below 100"),
    ],
)
def test_prices_that_do_not_make_an_order(type_: OrderType, prices: dict[str, int], field: str, rule: str) -> None:
    said: dict[str, Any] = {name: Decimal(price) for name, price in prices.items()}
    with pytest.raises(InvalidValue, match=rf"{field} .*{rule}"):
        OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=type_, **said)
    with pytest.raises(InvalidValue, match="waits for a price" if type_ is OrderType.MARKET else rf"{field} .*{rule}"):
        OrderLeg(type=type_, **said)


@pytest.mark.parametrize("place", [buy, sell])
@pytest.mark.parametrize("qty", [0, -1, "0", float("nan"), float("inf"), "many"])
def test_quantities_that_are_none(place: Callable[..., object], qty: Any) -> None:
    with pytest.raises(InvalidValue, match="qty"):
        place("SPY", qty)


@pytest.mark.parametrize(
    ("place", "terms", "said"),
    [
        (buy, {"target": 95, "stop_loss": 105}, "target cannot be 95: the target must lie above the stop loss of a buy, 105"),
        (sell, {"target": 105, "stop_loss": 95}, "target cannot be 105: the target must lie below the stop loss of a sell, 95"),
        (buy, {"target": 100, "stop_loss": 100}, "target .* above the stop loss"),
        (buy, {"limit": 100, "target": 100}, "target .*above the buy price 100"),
        (buy, {"limit": 100, "stop_loss": 100}, "stop_loss .*below the buy price 100"),
        (sell, {"limit": 100, "target": 101}, "target .*below the sell price 100"),
        (sell, {"limit": 100, "stop_loss": 99}, "stop_loss .*above the sell price 100"),
        (buy, {"stop": 100, "target": 99, "stop_loss": 90}, "target .*above the buy price 100"),
        (buy, {"stop": 100, "limit": 102, "target": 101, "stop_loss": 90}, "target .*above the buy price 102"),
        (buy, {"target": 110, "stop_loss": leg(stop=111, limit=112)}, "target .* above the stop loss"),
    ],
)
def test_a_bracket_with_its_legs_the_wrong_way_round(place: Callable[..., object], terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        place("SPY", 1, **terms)


def test_what_a_strategy_makes_wrong_ends_its_run_with_method_field_and_rule() -> None:
    with pytest.raises(NonsenseAction, match=r"on_bar .*the target must lie above the stop loss of a buy"):
        backtest(Calls(lambda s: s.buy(1, target=90, stop_loss=95)), minutes([FLAT] * 3))


# --- orders that this venue does not take, now or in this instrument: refused at their decision, and the run goes on ---


def refused(does: Callable[[Calls], object], at: int = 0) -> tuple[list[str], Backtest]:
    """Return the reasons of what is refused at the decision of bar `at`, on a tick of 0.05 and a lot of 0.1."""
    run = backtest(Calls(does, at), minutes([FLAT] * 5), instruments=GRID)
    assert run.fills == []
    assert {(item.code, item.time_ns) for item in run.rejections} <= {(RejectCode.INVALID_ORDER, (at + 1) * MINUTE_NS)}
    assert all(order.status in {OrderStatus.REJECTED, OrderStatus.CANCELLED} for order in run.orders.values())
    return [item.reason for item in run.rejections], run


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"qty": "0.05"}, "quantity 0.05 is not a multiple of the lot, 0.1"),
        ({"qty": "0.15"}, "quantity 0.15 is not a multiple of the lot, 0.1"),
        ({"qty": 1, "limit": 99.52}, "limit price 99.52 is not a multiple of the tick, 0.05"),
        ({"qty": 1, "stop": "101.001"}, "stop price 101.001 is not a multiple of the tick, 0.05"),
        ({"qty": 1, "stop": 101, "limit": 101.01}, "limit price 101.01 is not a multiple of the tick"),
        ({"qty": 1, "trail": 0.01}, "trail price 0.01 is not a multiple of the tick"),
        ({"qty": 1, "target": 110.01}, "The target's limit price 110.01 is not a multiple of the tick, 0.05."),
        ({"qty": 1, "target": 110, "stop_loss": 90.01}, "The stop loss's stop price 90.01 is not a multiple of the tick, 0.05."),
        ({"qty": 1, "stop_loss": leg(stop=90, limit=89.99)}, "The stop loss's limit price 89.99 is not a multiple of the tick, 0.05."),
        ({"qty": 1, "stop_loss": leg(trail=0.07)}, "The stop loss's trail price 0.07 is not a multiple of the tick, 0.05."),
        ({"qty": 1, "limit": 99.52, "target": 110.01}, "The limit price 99.52 is not a multiple of the tick, 0.05."),
        ({"qty": 1, "time_in_force": "opg"}, "no auctions"),
        ({"qty": 1, "expires": 3 * MINUTE_NS}, "Its end 1970-01-01T00:03:00Z is not after now, 1970-01-01T00:03:00Z"),
        ({"qty": 1, "limit": 90, "expires": 1}, "is not after now"),
        (
            {"qty": 1, "target": leg(limit=110, expires=MINUTE_NS)},
            "The target's end 1970-01-01T00:01:00Z is not after now, 1970-01-01T00:03:00Z.",
        ),
        ({"qty": 1, "stop_loss": leg(stop=90, expires=MINUTE_NS)}, "The stop loss's end 1970-01-01T00:01:00Z is not after now"),
    ],
)
def test_an_order_off_the_grid_or_over_before_it_began(terms: dict[str, Any], said: str) -> None:
    reasons, run = refused(lambda s: s.buy(**terms), at=2)
    assert len(reasons) == 1
    assert said in reasons[0]
    legs = [order for order in run.orders.values() if order.parent_id]
    assert len(legs) == len({"target", "stop_loss"} & terms.keys())
    assert {order.status for order in legs} <= {OrderStatus.CANCELLED}


def test_a_pair_is_refused_whole() -> None:
    reasons, run = refused(lambda s: s.oco("sell", 1, limit=110, stop="90.01"))
    assert len(reasons) == 2
    assert all("stop price 90.01 is not a multiple of the tick" in reason for reason in reasons)
    assert {order.status for order in run.orders.values()} == {OrderStatus.REJECTED}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limit": 90.01}, "limit price 90.01 is not a multiple of the tick"),
        ({"qty": "0.25"}, "quantity 0.25 is not a multiple of the lot"),
        ({"stop": 95}, "a limit order takes none"),
    ],
)
def test_a_change_that_cannot_be_leaves_the_order_as_it_was(changes: dict[str, Any], said: str) -> None:
    class Changes(BarStrategy):
        ref = ""

        def on_bar(self, bar: Bar) -> None:
            if not self.ref:
                self.ref = self.buy(1, limit=95)
            elif bar.start_ns == MINUTE_NS:
                self.replace(self.ref, **changes)

    run = backtest(Changes(), minutes([FLAT, FLAT, FLAT, (96, 97, 94, 95)]), instruments=GRID)
    refusals = [event.payload for event in run.events if event.type == "orders.ReplaceRefused"]
    assert len(refusals) == 1
    assert said in str(refusals[0])
    assert [(int(fill.qty), fill.price) for fill in run.fills] == [(1, Decimal(95))]


@pytest.mark.parametrize(
    ("leg_name", "changes", "said"),
    [
        ("target", {"limit": 110.01}, "The target's limit price 110.01 is not a multiple of the tick, 0.05."),
        ("stop", {"stop": 90.01}, "The stop loss's stop price 90.01 is not a multiple of the tick, 0.05."),
    ],
)
def test_a_change_of_a_leg_that_cannot_be_names_the_leg(leg_name: str, changes: dict[str, Any], said: str) -> None:
    class Changes(BarStrategy):
        ref = ""

        def on_bar(self, bar: Bar) -> None:
            if not self.ref:
                self.ref = self.buy(1, target=110, stop_loss=90)
            elif bar.start_ns == MINUTE_NS:
                self.replace(f"{self.ref}.{leg_name}", **changes)

    run = backtest(Changes(), minutes([FLAT] * 4), instruments=GRID)
    (refusal,) = [event.payload for event in run.events if event.type == "orders.ReplaceRefused"]
    assert said in str(refusal)


# --- sizes that come to nothing ---


@pytest.mark.parametrize("size", [cash("9.99"), equity_share("0.00001")])
def test_a_size_under_one_lot_is_no_order_and_is_noted(size: Any) -> None:
    def asks(strategy: Calls) -> None:
        ref = strategy.buy(size, target=110, stop_loss=90)
        # What came to nothing may be cancelled and changed like any other.
        strategy.cancel(f"{ref}.stop")
        strategy.replace(f"{ref}.target", limit=120)
        strategy.cancel(ref)

    run = backtest(Calls(asks), minutes([FLAT] * 4), instruments=GRID)
    assert run.orders == {}
    (noted,) = [event.payload for event in run.events if isinstance(event.payload, StrategyNoted)]
    assert "is less than one lot of X/Y" in noted.text


def test_a_size_that_comes_to_nothing_does_not_take_anothers_ref() -> None:
    class Unnamed(Strategy):
        """Places without refs; the second order is for less than a lot, and then all that works is cancelled."""

        ticks = 0

        def on_tick(self, tick: Tick) -> Actions:
            self.ticks += 1
            if self.ticks == 1:
                return buy("X/Y", 1, limit=95)
            if self.ticks == 2:
                return buy("X/Y", cash("0.01"))
            return [CancelOrder(ref) for ref in self.account.working()]

    run = backtest(Unnamed(), minutes([FLAT, FLAT, FLAT, FLAT, (96, 97, 94, 95)]), instruments=GRID)
    assert run.fills == []
    assert [order.reason for order in run.orders.values()] == ["The strategy cancelled it."]


def test_a_ref_belongs_to_one_order() -> None:
    def twice(strategy: Calls) -> None:
        strategy.buy(1, limit=95, ref="mine")
        strategy.buy(cash("0.01"), ref="mine")

    with pytest.raises(NonsenseAction, match="'mine' for two orders"):
        backtest(Calls(twice), minutes([FLAT] * 3), instruments=GRID)


def test_a_share_of_a_symbol_without_a_bar_yet_is_no_order() -> None:
    class Early(BarStrategy):
        symbols = 2

        def on_bar(self, bar: Bar) -> None:
            if bar.start_ns == 0:
                self.buy(equity_share(0.5), symbol="B/Y")

    run = backtest(Early(), [minutes([FLAT] * 4, symbol="A/Y"), minutes([FLAT] * 2, symbol="B/Y", at=[2, 3])])
    assert run.orders == {}


# --- bars without volume, without range ---


def volumes(series: BarSeries, *volume: float) -> BarSeries:
    open_, high, low, close, _ = series.columns()
    return BarSeries.from_columns(series.symbol, series.timeframe, series.start_ns, open_, high, low, close, np.asarray(volume))


def test_a_bar_without_volume_fills_whole_unless_the_volume_is_shared() -> None:
    bars = volumes(minutes([FLAT] * 4), 10, 0, 0, 50)
    (fill,) = backtest(Calls(lambda s: s.buy(2)), bars).fills
    assert (fill.time_ns, fill.qty) == (MINUTE_NS, Decimal(2))
    (fill,) = backtest(Calls(lambda s: s.buy(2)), bars, volume_cap="0.1").fills
    assert (fill.time_ns, fill.qty) == (3 * MINUTE_NS, Decimal(2))
    killed = backtest(Calls(lambda s: s.buy(2, time_in_force="fok")), bars, volume_cap="0.1")
    assert [order.status for order in killed.orders.values()] == [OrderStatus.CANCELLED]


def test_no_volume_slips_as_if_the_order_were_all_of_it() -> None:
    bars = volumes(minutes([FLAT] * 2), 10, 0)
    (fill,) = backtest(Calls(lambda s: s.buy(1)), bars, slippage="volume:0.005").fills
    assert (fill.price, fill.slippage) == (Decimal("100.5"), Decimal("0.5"))


@pytest.mark.parametrize("path", list(PathModel))
def test_a_bar_without_range_has_one_price(path: PathModel) -> None:
    def asks(strategy: Calls) -> None:
        strategy.buy(1)
        strategy.buy(1, limit=100)
        strategy.buy(1, stop=100)
        strategy.buy(1, stop=100, limit=100)
        strategy.buy(1, limit=99.99)
        strategy.buy(1, stop=100.01)
        strategy.buy(1, target=100.01, stop_loss=99.99)

    run = backtest(Calls(asks), minutes([(100, 100, 100, 100)] * 3), path=path, slippage="bps:50")
    assert [str(fill.price) for fill in run.fills] == ["100.0"] * 4 + ["100.0"]
    assert not any(fill.path_dependent for fill in run.fills)
    assert not any(order.path_dependent for order in run.orders.values())
    assert np.isfinite(run.equity).all()


# --- symbols that start late or stop early ---


class TwoSymbols(BarStrategy):
    """Orders B at the closes of A."""

    symbols = 2

    def __init__(self, script: dict[int, Callable[["TwoSymbols"], object]]) -> None:
        super().__init__()
        self.script = script
        self.seen: list[tuple[int, Sequence[str]]] = []

    def on_bars(self, bars: Any) -> None:
        minute = next(iter(bars.values())).start_ns // MINUTE_NS
        self.seen.append((minute, list(bars)))
        if minute in self.script:
            self.script[minute](self)


def late_and_early() -> list[BarSeries]:
    """Return A from minute 0 to 9, and B, at 50, from minute 4 to 6 alone."""
    rows = [(50, 51, 49, 50), (52, 53, 51, 52), (54, 55, 53, 55)]
    return [minutes([FLAT] * 10, symbol="A/Y"), minutes(rows, symbol="B/Y", at=[4, 5, 6])]


def test_an_order_for_a_symbol_that_starts_late_waits_for_its_first_bar() -> None:
    strategy = TwoSymbols({0: lambda s: s.buy(1, symbol="B/Y")})
    run = backtest(strategy, late_and_early())
    (fill,) = run.fills
    assert (fill.symbol, fill.time_ns, fill.price) == ("B/Y", 4 * MINUTE_NS, Decimal(50))
    assert [len(symbols) for _, symbols in strategy.seen] == [1] * 4 + [2] * 3 + [1] * 3


def test_what_stops_early_is_marked_at_its_last_close_and_can_no_longer_be_traded() -> None:
    strategy = TwoSymbols({3: lambda s: s.buy(10, symbol="B/Y"), 7: lambda s: s.sell(10, symbol="B/Y")})
    run = backtest(strategy, late_and_early())
    assert len(run.fills) == 1
    assert [order.status for order in run.orders.values()] == [OrderStatus.FILLED, OrderStatus.CANCELLED]
    assert run.equity[-1] == 100_000 - 10 * 50 + 10 * 55
    assert run.equity[-1] == run.equity[7] == float(run.venue.equity)


def test_what_stopped_early_is_closed_at_its_last_close_when_the_run_ends() -> None:
    run = backtest(TwoSymbols({3: lambda s: s.buy(10, symbol="B/Y")}), late_and_early(), close_at_end=True)
    assert [(fill.time_ns // MINUTE_NS, fill.price, fill.reason) for fill in run.fills] == [
        (4, Decimal(50), None),
        (6, Decimal(55), "end_of_run"),
    ]
    assert run.venue.cash == 100_000 + 10 * 5


def test_a_margin_call_waits_for_what_has_no_bar_any_more() -> None:
    """Short of a currency that stopped: nothing can be closed, new risk is refused, and the run comes to its end."""
    rows = [(1.0, 1.1, 0.9, 1.0), (1.0, 1.9, 0.9, 1.9)]
    series = [minutes([FLAT] * 8, symbol="A/Y"), minutes(rows, symbol="EUR/USD", at=[1, 2])]
    script = {0: lambda s: s.sell(100_000, symbol="EUR/USD"), 5: lambda s: s.buy(1, symbol="A/Y")}
    run = backtest(TwoSymbols(script), series, account=AccountTerms(kind=AccountKind.MARGIN))
    assert [fill.symbol for fill in run.fills] == ["EUR/USD"]
    assert [event.type for event in run.events].count("account.MarginCall") == 1
    assert [item.code for item in run.rejections] == [RejectCode.INSUFFICIENT_MARGIN]
    assert run.equity[-1] == 100_000 + 100_000 - 190_000


def test_a_symbol_with_a_single_bar_and_one_that_never_overlaps() -> None:
    series = [minutes([FLAT] * 3, symbol="A/Y"), minutes([FLAT], symbol="B/Y", at=[50])]
    strategy = TwoSymbols({2: lambda s: s.buy(1, symbol="B/Y"), 50: lambda s: s.buy(1, symbol="A/Y")})
    run = backtest(strategy, series)
    assert [(fill.symbol, fill.time_ns // MINUTE_NS) for fill in run.fills] == [("B/Y", 50)]
    assert [order.status for order in run.orders.values()] == [OrderStatus.FILLED, OrderStatus.CANCELLED]


# --- too late, too many ---


@pytest.mark.parametrize(
    "terms", [{}, {"limit": 100}, {"stop": 100}, {"time_in_force": "ioc"}, {"time_in_force": "day"}, {"target": 101, "stop_loss": 99}]
)
def test_an_order_decided_after_the_last_bar_never_fills(terms: dict[str, Any]) -> None:
    run = backtest(Calls(lambda s: s.buy(1, **terms), at=2), minutes([FLAT] * 3), close_at_end=True)
    assert run.fills == []
    assert {order.status for order in run.orders.values()} == {OrderStatus.CANCELLED}
    assert run.venue.working() == ()


def test_a_whole_book_of_resting_orders_is_kept_and_ended() -> None:
    """20,000 orders far away: each is taken, none fills, and all are cancelled at the end."""

    class Floods(BarStrategy):
        def on_bar(self, bar: Bar) -> None:
            for cents in range(1, 101):
                self.buy(1, limit=Decimal(cents) / 100)

    run = backtest(Floods(), minutes([FLAT] * 200))
    assert len(run.orders) == 20_000
    assert {order.status for order in run.orders.values()} == {OrderStatus.CANCELLED}
    assert run.fills == []


def test_many_orders_at_one_price_fill_in_the_order_they_were_placed() -> None:
    class Crowd(BarStrategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.start_ns == 0:
                for _ in range(2_000):
                    self.buy(1, limit=98)

    run = backtest(Crowd(), minutes([FLAT, (100, 101, 97, 100)]), cash="147000")
    assert [fill.order_id for fill in run.fills] == [f"run-{number}" for number in range(1, 1_501)]
    assert len(run.rejections) == 500
    assert run.venue.cash == 0


# --- indicators that have no value ---


def test_an_indicator_longer_than_the_data_never_trades() -> None:
    class Long(BarStrategy):
        def setup(self) -> None:
            self.average = self.indicator(sma, self.close, 500)

        def on_bar(self, bar: Bar) -> None:
            if bar.close > self.average.value or bar.close < self.average.value:
                self.buy(1)

    run = backtest(Long(), minutes([FLAT] * 20))
    assert (run.orders, len(run.equity)) == ({}, 21)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("term", "field"), [("limit", "limit_price"), ("stop", "stop_price"), ("trail", "trail_price"), ("qty", "qty")])
def test_a_custom_indicator_without_a_value_makes_no_order(value: float, term: str, field: str) -> None:
    """NaN compares false with everything; one that is asked as a price ends the run, with the method and the field."""

    def custom(close: Floats) -> Floats:
        return np.full(len(close), value)

    class Uses(BarStrategy):
        def setup(self) -> None:
            self.line = self.indicator(custom, self.close)

        def on_bar(self, bar: Bar) -> None:
            terms: dict[str, Any] = {"qty": 1, term: self.line.value}
            self.buy(**terms)

    with pytest.raises(NonsenseAction, match=rf"on_bar .*{field} cannot be -?(NaN|Infinity)"):
        backtest(Uses(), minutes([FLAT] * 3))


def test_a_nan_in_the_middle_is_a_hole_and_nothing_more() -> None:
    def holes(close: Floats) -> Floats:
        return np.where(np.arange(len(close)) % 3 == 1, np.nan, close)

    class Sees(BarStrategy):
        def setup(self) -> None:
            self.line = self.indicator(holes, self.close)
            self.average = self.indicator(sma, self.line, 2)
            self.known: list[bool] = []
            self.drawn = self.plot("drawn")

        def on_bar(self, bar: Bar) -> None:
            self.known.append(self.line.value == self.line.value)
            self.drawn.set(self.line.value)

    strategy = Sees()
    run = backtest(strategy, minutes([FLAT] * 6))
    assert strategy.known == [True, False, True, True, False, True]
    assert np.isfinite(run.equity).all()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda close: close[:-1], r"shape \(5,\) for 6 bars"),
        (lambda close: np.zeros((len(close), 2)), r"shape \(6, 2\) for 6 bars"),
        (lambda close: 1.0, r"shape \(\) for 6 bars"),
        (lambda close: close.astype(str) + "x", "raised ValueError"),
    ],
)
def test_a_custom_indicator_of_another_shape_ends_the_run_before_the_first_bar(function: Any, said: str) -> None:
    class Uses(BarStrategy):
        called = False

        def setup(self) -> None:
            self.line = self.indicator(function, self.close, name="custom")

        def on_bar(self, bar: Bar) -> None:
            type(self).called = True

    with pytest.raises(StrategyFailed, match=f"custom.*{said}"):
        backtest(Uses(), minutes([FLAT] * 6))
    assert not Uses.called


# --- settings ---


@pytest.mark.parametrize("settings", [{"fees": "bps"}, {"fees": "per-trade:-1"}, {"slippage": "volume:nan"}, {"slippage": "half"}])
def test_a_wrong_cost_text_is_refused_before_the_run(settings: dict[str, Any]) -> None:
    with pytest.raises(KnownError):
        backtest(Calls(lambda s: None), minutes([FLAT] * 2), **settings)


def test_times_in_force_of_legs_and_of_auctions() -> None:
    for life in (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS):
        with pytest.raises(InvalidValue, match="an exit leg lives day, gtc or gtd"):
            leg(stop=5, time_in_force=life)
    with pytest.raises(InvalidValue, match="an auction takes market and limit orders"):
        buy("SPY", 1, stop=5, time_in_force="cls")
