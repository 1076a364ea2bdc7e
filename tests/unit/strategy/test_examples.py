"""The built-in example strategies: each trades, says why, and does what its docstring says."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.model.market import BarSeries, Floats, Timeframe
from core.model.order import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.run import AccountKind, AccountTerms
from core.strategy.api import Strategy, atr, bollinger_lower, bollinger_middle, ema, macd_histogram, roc, rsi, sma, vwap
from core.strategy.loader import StrategyLoader
from tests.backtests import Backtest, backtest
from tests.unit.strategy.prices import excerpt, hours, sessions

LOADER = StrategyLoader([])
FOUND = LOADER.find_all()
SPY = excerpt("spy-1d-yahoo.csv", "SPY", "1d")
GOOG = excerpt("goog-1d.csv", "GOOG", "1d")
AAPL = excerpt("aapl-1d-yahoo.csv", "AAPL", "1d")
EURUSD = excerpt("eurusd-1h.csv", "EUR/USD", "1h")
MINUTES = sessions()

RUNS: list[tuple[str, Sequence[BarSeries], dict[str, Any]]] = [
    ("breakout", [GOOG], {}),
    ("breakout", [SPY], {"entry_bars": 10, "exit_bars": 5}),
    ("rsi-reversion", [SPY], {"trend": 20, "oversold": 30}),
    ("rsi-reversion", [EURUSD], {"trend": 50, "digits": 5}),
    ("macd-cross", [GOOG], {}),
    ("macd-cross", [EURUSD], {}),
    ("bollinger-bids", [SPY], {}),
    ("bollinger-bids", [EURUSD], {"digits": 5}),
    ("atr-trailing", [SPY], {"trend": 10}),
    ("atr-trailing", [EURUSD], {"digits": 5}),
    ("opening-range", [MINUTES], {}),
    ("opening-range", [hours()], {"opening_bars": 4, "flat_after": 20}),
    ("vwap-reversion", [MINUTES], {}),
    ("vwap-reversion", [hours()], {}),
    ("momentum-rotation", [GOOG, AAPL], {"lookback": 20, "every": 5, "places": 1}),
    ("dual-momentum", [GOOG, AAPL], {"lookback": 20}),
    ("trend-pullback", [hours()], {}),
    ("trend-pullback", [EURUSD], {"digits": 5, "depth": 0.001, "gain": 0.004, "loss": 0.002, "trend": 2}),
    ("mean-reversion", [SPY], {"entry": 0.01}),
    ("pair-spread", [GOOG, AAPL], {"lookback": 20, "entry": 1.0}),
    ("sma-cross", [GOOG], {"fast": 3, "slow": 9}),
]


def run(strategy_id: str, series: Sequence[BarSeries], **params: Any) -> Backtest:
    info = FOUND[strategy_id]
    made: Strategy = LOADER.load(info)()
    return backtest(made, series, params=info.parse_params(params))


def entries(ran: Backtest) -> list[Order]:
    return [order for order in ran.orders.values() if order.parent_id is None]


@pytest.mark.parametrize(("strategy_id", "series", "params"), RUNS, ids=[f"{name}-{bars[0].symbol}" for name, bars, _ in RUNS])
def test_it_trades_and_says_why(strategy_id: str, series: Sequence[BarSeries], params: dict[str, Any]) -> None:
    ran = run(strategy_id, series, **params)
    assert {fill.side for fill in ran.fills} == {OrderSide.BUY, OrderSide.SELL}
    assert not ran.rejections
    for order in entries(ran):
        assert order.request.note
        if strategy_id not in {"sma-cross", "mean-reversion"}:
            assert re.search(r"\d", order.request.note)
    for bars in series:
        held = sum((fill.qty * fill.side.sign for fill in ran.fills if fill.symbol == bars.symbol), Decimal(0))
        assert held >= 0
        assert held == ran.venue.held(bars.symbol)


def test_every_built_in_strategy_is_run_here_and_says_when_it_trades() -> None:
    assert {name for name, _, _ in RUNS} == set(FOUND)
    for info in FOUND.values():
        assert info.error is None
        assert len(info.description) > 150, info.id
        assert all(spec.help.endswith(".") for spec in info.params)
        assert all(
            spec.minimum is not None and spec.maximum is not None
            for spec in info.params
            if spec.kind in {"int", "float"} and spec.name not in {"qty", "lot"}
        )


# --- each by its rule, computed directly ---


def market_fills(ran: Backtest, bars: BarSeries, side: OrderSide) -> list[int]:
    """Return the bars at whose end the filled market orders were decided."""
    at = {int(start): row for row, start in enumerate(bars.start_ns)}
    orders = {order.id: order for order in entries(ran) if order.request.type is OrderType.MARKET and order.request.side is side}
    return [at[fill.time_ns] - 1 for fill in ran.fills if fill.order_id in orders]


def test_breakout_buys_above_the_channel_before_and_risks_its_share() -> None:
    ran = run("breakout", [GOOG], risk=0.02, most=1.0)
    decided = market_fills(ran, GOOG, OrderSide.BUY)
    true_ranges: Floats = atr(GOOG.high, GOOG.low, GOOG.close, 20)
    assert decided
    for row in decided:
        assert GOOG.close[row] > GOOG.high[row - 20 : row].max()
    for row in market_fills(ran, GOOG, OrderSide.SELL):
        assert GOOG.close[row] < GOOG.low[row - 10 : row].min()
    first = next(order for order in entries(ran) if order.request.side is OrderSide.BUY)
    assert first.request.stop_loss is not None
    assert float(first.request.stop_loss.stop_price or 0) == round(float(GOOG.close[decided[0]] - 2 * true_ranges[decided[0]]), 2)
    lost = float(first.filled_qty) * 2 * true_ranges[decided[0]]
    assert lost == pytest.approx(0.02 * 100_000, rel=1e-4)


def test_rsi_reversion_buys_weakness_in_a_rising_market_behind_a_stop() -> None:
    ran = run("rsi-reversion", [SPY], trend=20, oversold=30)
    strength, trend = rsi(SPY.close, 3), sma(SPY.close, 20)
    bought = market_fills(ran, SPY, OrderSide.BUY)
    assert bought
    assert all(strength[row] < 30 and SPY.close[row] > trend[row] for row in bought)
    assert all(strength[row] > 60 for row in market_fills(ran, SPY, OrderSide.SELL))
    stops = [order for order in ran.orders.values() if order.parent_id is not None]
    assert len({order.parent_id for order in stops if ran.orders[str(order.parent_id)].status is OrderStatus.FILLED}) == len(bought)
    assert {order.time_in_force for order in stops} == {TimeInForce.GTC}


def test_macd_cross_is_long_while_the_histogram_is_above_zero() -> None:
    ran = run("macd-cross", [GOOG])
    gap = macd_histogram(GOOG.close, 12, 26, 9)
    ups = [row for row in range(1, len(gap) - 1) if gap[row - 1] <= 0 < gap[row]]
    downs = [row for row in range(1, len(gap) - 1) if gap[row - 1] >= 0 > gap[row]]
    assert market_fills(ran, GOOG, OrderSide.BUY) == ups
    assert market_fills(ran, GOOG, OrderSide.SELL) == [row for row in downs if row > ups[0]]


def test_macd_cross_sells_short_when_it_may() -> None:
    info = FOUND["macd-cross"]
    margin = AccountTerms(kind=AccountKind.MARGIN)
    ran = backtest(LOADER.load(info)(), GOOG, params=info.parse_params({"short": True, "share": 0.4}), account=margin)
    assert not ran.rejections
    positions = np.cumsum([float(fill.qty) * fill.side.sign for fill in ran.fills])
    assert positions.min() < 0 < positions.max()


def test_bollinger_bids_fill_at_the_bands_or_better() -> None:
    ran = run("bollinger-bids", [SPY])
    at = {int(start): row for row, start in enumerate(SPY.start_ns)}
    lower, middle = bollinger_lower(SPY.close, 20, 2.0), bollinger_middle(SPY.close, 20)
    kinds = {order.id: order.request.type for order in ran.orders.values()}
    limits = [fill for fill in ran.fills if kinds[fill.order_id] is OrderType.LIMIT]
    assert len(limits) > 10
    for fill in limits:
        before = at[fill.time_ns] - 1
        if fill.side is OrderSide.BUY:
            assert float(fill.price) <= round(lower[before], 2)
        else:
            assert float(fill.price) >= round(middle[before], 2)


def test_bollinger_bids_gives_up_after_its_patience() -> None:
    ran = run("bollinger-bids", [SPY], patience=1)
    assert market_fills(ran, SPY, OrderSide.SELL)
    assert any(order.status is OrderStatus.CANCELLED for order in ran.orders.values())


def test_atr_trailing_leaves_by_its_stop_alone() -> None:
    ran = run("atr-trailing", [SPY], trend=10)
    average = ema(SPY.close, 10)
    bought = market_fills(ran, SPY, OrderSide.BUY)
    assert all(SPY.close[row] > average[row] and SPY.close[row - 1] <= average[row - 1] for row in bought)
    types = {order.id: order.request.type for order in ran.orders.values()}
    assert {types[fill.order_id] for fill in ran.fills if fill.side is OrderSide.SELL} == {OrderType.TRAILING_STOP}


def test_opening_range_enters_at_most_once_a_session_at_the_ranges_high() -> None:
    ran = run("opening-range", [MINUTES])
    days = MINUTES.start_ns // (86_400 * 10**9)
    entered: list[int] = []
    for fill in ran.fills:
        if fill.side is OrderSide.BUY:
            day = fill.time_ns // (86_400 * 10**9)
            top = MINUTES.high[days == day][:30].max()
            assert float(fill.price) >= top
            entered.append(day)
    assert len(entered) == len(set(entered)) > 5
    assert ran.venue.held("SPY") == 0 or entered[-1] == days[-1]


def test_vwap_reversion_buys_below_and_takes_its_profit_at_the_vwap() -> None:
    ran = run("vwap-reversion", [MINUTES])
    days = (MINUTES.start_ns // (86_400 * 10**9)).astype(float)
    average = vwap(MINUTES.high, MINUTES.low, MINUTES.close, MINUTES.volume, days)
    reach = atr(MINUTES.high, MINUTES.low, MINUTES.close, 30)
    bought = market_fills(ran, MINUTES, OrderSide.BUY)
    assert len(bought) > 10
    for row in bought:
        assert MINUTES.close[row] < average[row] - 3 * reach[row]
    targets = [float(order.request.target.limit_price or 0) for order in entries(ran) if order.request.target is not None]
    assert targets[: len(bought)] == [round(float(average[row]), 2) for row in bought]


def best_gains(pair: Sequence[BarSeries], lookback: int, rankings: Sequence[int]) -> dict[int, str]:
    """Return the symbol that gained most at each bar that is a ranking."""
    gains = [roc(bars.close, lookback) for bars in pair]
    return {row: pair[int(np.argmax([gain[row] for gain in gains]))].symbol for row in rankings if not np.isnan(gains[0][row])}


def bought_as_ranked(ran: Backtest, pair: Sequence[BarSeries], best: dict[int, str]) -> int:
    """Check that every buy is of the symbol that was best at the last ranking; return how many there were."""
    at = {int(start): row for row, start in enumerate(pair[0].start_ns)}
    buys = [fill for fill in ran.fills if fill.side is OrderSide.BUY]
    for fill in buys:
        decided = at[fill.time_ns] - 1
        assert fill.symbol == best[max(row for row in best if row <= decided)]
    return len(buys)


def test_momentum_rotation_holds_the_strongest_alone() -> None:
    ran = run("momentum-rotation", [GOOG, AAPL], lookback=20, every=5, places=1)
    held = {"GOOG": Decimal(0), "AAPL": Decimal(0)}
    for fill in ran.fills:
        held[fill.symbol] += fill.qty * fill.side.sign
        assert sum(1 for qty in held.values() if qty > 0) <= 1
    # The first ranking is at the first bar it is called for, the one that completes the warm-up of 21.
    assert bought_as_ranked(ran, [GOOG, AAPL], best_gains([GOOG, AAPL], 20, range(20, len(GOOG), 5))) > 3


def test_dual_momentum_judges_at_the_first_bar_of_a_month() -> None:
    ran = run("dual-momentum", [GOOG, AAPL], lookback=20)
    months = GOOG.start_ns.astype("datetime64[ns]").astype("datetime64[M]")
    firsts = [row for row in range(20, len(GOOG)) if row == 20 or months[row] != months[row - 1]]
    assert bought_as_ranked(ran, [GOOG, AAPL], best_gains([GOOG, AAPL], 20, firsts)) > 3


def test_dual_momentum_goes_to_cash_below_its_hurdle() -> None:
    assert run("dual-momentum", [GOOG, AAPL], lookback=20, hurdle=10.0).orders == {}


def test_trend_pullback_leaves_by_one_of_two_orders() -> None:
    ran = run("trend-pullback", [hours()])
    pairs = [order for order in entries(ran) if order.request.side is OrderSide.SELL and order.status.is_final]
    assert len(pairs) > 20
    for one, other in zip(pairs[::2], pairs[1::2], strict=False):
        assert {one.status, other.status} == {OrderStatus.FILLED, OrderStatus.CANCELLED}
    bids = [order for order in entries(ran) if order.request.side is OrderSide.BUY]
    assert {order.time_in_force for order in bids} == {TimeInForce.GTD}
    assert OrderStatus.EXPIRED in {order.status for order in bids}


# --- bars that nobody would trade ---


def flat(symbol: str, count: int, price: float, volume: float) -> BarSeries:
    starts = np.datetime64("2024-01-01", "ns").astype(np.int64) + np.arange(count, dtype=np.int64) * 3_600 * 10**9
    column = np.full(count, price)
    return BarSeries.from_columns(symbol, Timeframe.parse("1h"), starts, column, column, column, column, np.full(count, volume))


@pytest.mark.parametrize("strategy_id", FOUND)
@pytest.mark.parametrize(("count", "price", "volume"), [(1, 100.0, 5.0), (300, 100.0, 0.0), (400, 1e-6, 1.0), (300, 1e9, 1e12)])
def test_a_price_that_stands_still_is_not_traded(strategy_id: str, count: int, price: float, volume: float) -> None:
    symbols = ["A/B", "B/C"][: FOUND[strategy_id].symbols or 2]
    params = {"lookback": 20} if count > 1 and strategy_id in {"dual-momentum", "momentum-rotation"} else {}
    ran = run(strategy_id, [flat(symbol, count, price, volume) for symbol in symbols], **params)
    # A bid at the band stands where the price is, and its offer too.
    assert strategy_id == "bollinger-bids" or ran.fills == []
