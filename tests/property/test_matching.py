"""Invariants of the simulator under random orders on random bars."""

from collections import defaultdict
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import MINUTE_NS
from core.model.market import Bar, BarSeries, Timeframe
from core.model.order import OrderSide, OrderStatus
from core.model.run import PathModel
from core.strategy.actions import PlaceOrder, order_request
from core.strategy.api import BarStrategy
from tests.backtests import Backtest, backtest

cents = st.integers(9_000, 11_000).map(lambda value: value / 100)


@st.composite
def series(draw: st.DrawFn, symbol: str = "X/Y") -> BarSeries:
    """Return up to 30 consistent bars, some minutes missing."""
    n = draw(st.integers(2, 30))
    rows = [sorted(draw(st.tuples(cents, cents, cents, cents))) for _ in range(n)]
    flips = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    gaps = draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    low, one, two, high = (np.asarray(column, float) for column in zip(*rows, strict=True))
    open_, close = np.where(flips, one, two), np.where(flips, two, one)
    starts = np.cumsum(gaps).astype(np.int64) * MINUTE_NS
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), starts, open_, high, low, close, np.ones(n))


@st.composite
def wishes(draw: st.DrawFn, symbol: str = "X/Y") -> tuple[int, PlaceOrder]:
    """Return after which bar to place which order."""
    prices = st.none() | cents
    request = order_request(
        symbol,
        draw(st.sampled_from(OrderSide)),
        draw(st.integers(1, 400)) / 10,
        limit=draw(prices),
        stop=draw(prices),
        time_in_force=draw(st.sampled_from(["day", "gtc", None])),
    )
    return draw(st.integers(1, 25)), PlaceOrder(request)


class Scripted(BarStrategy):
    """Places given orders after given bars of their symbol."""

    symbols = 0

    def __init__(self, script: list[tuple[int, PlaceOrder]], start_qty: int = 0) -> None:
        super().__init__()
        self.script = script
        self.start_qty = start_qty
        self.counts: dict[str, int] = defaultdict(int)

    def setup(self) -> None:
        if self.start_qty:
            self.buy(self.start_qty)

    def on_bar(self, bar: Bar) -> None:
        self.counts[bar.symbol] += 1
        for after, action in self.script:
            if action.request.symbol == bar.symbol and after == self.counts[bar.symbol]:
                self.actions.append(action)


def decided_ns(run: Backtest, order_id: str) -> int:
    return run.orders[order_id].created_ns


settings = st.tuples(
    st.sampled_from(PathModel), st.sampled_from(["none", "bps:10", "bps:3.7"]), st.sampled_from(["none", "bps:5", "bps:250"])
)


@given(series(), st.lists(wishes(), max_size=12), settings, st.integers(100, 20_000))
def test_invariants_of_fills_and_money(
    bars: BarSeries, script: list[tuple[int, PlaceOrder]], models: tuple[PathModel, str, str], cash: int
) -> None:
    path, fees, slippage = models
    run = backtest(Scripted(script), bars, cash=str(cash), fees=fees, slippage=slippage, path=path)
    index = {int(start): at for at, start in enumerate(bars.start_ns)}
    money, held = Decimal(cash), Decimal(0)
    for fill in run.fills:
        at = index[fill.time_ns]
        order = run.orders[fill.order_id]
        assert Decimal(str(bars.low[at])) <= fill.price <= Decimal(str(bars.high[at])), "outside its bar"
        assert fill.time_ns >= order.created_ns, "before its decision"
        limit = order.request.limit_price
        if limit is not None:
            assert fill.price <= limit if fill.side is OrderSide.BUY else fill.price >= limit, "worse than its limit"
        money -= fill.side.sign * fill.qty * fill.price + fill.fee
        held += fill.side.sign * fill.qty
        assert money >= 0, "spent what it did not have"
        assert held >= 0, "sold what it did not have"
    assert run.venue.cash == money, "money is not conserved"
    assert run.venue.held("X/Y") == held, "the position is not the sum of its fills"
    assert float(run.equity[-1]) == float(money) + float(held) * float(bars.close[-1])
    assert all(order.status.is_final for order in run.orders.values())
    assert all((order.status is OrderStatus.FILLED) == (order.filled_qty == order.request.qty) for order in run.orders.values())


@given(series("A/Y"), series("B/Y"), st.lists(wishes("A/Y"), max_size=6), st.lists(wishes("B/Y"), max_size=6))
def test_two_symbols_together_equal_both_apart_when_cash_does_not_bind(
    a: BarSeries, b: BarSeries, for_a: list[tuple[int, PlaceOrder]], for_b: list[tuple[int, PlaceOrder]]
) -> None:
    cash = "100000000"
    together = backtest(Scripted([*for_a, *for_b]), [a, b], cash=cash)
    apart = [backtest(Scripted(for_a), a, cash=cash), backtest(Scripted(for_b), b, cash=cash)]

    def rows(runs: list[Backtest]) -> list[tuple[str, int, str, str, str, bool]]:
        fills = [fill for run in runs for fill in run.fills]
        return sorted((item.symbol, item.time_ns, item.side.value, str(item.qty), str(item.price), item.path_dependent) for item in fills)

    assert rows([together]) == rows(apart)


@given(series(), st.lists(wishes(), max_size=12))
def test_a_fill_is_flagged_exactly_when_the_paths_differ_from_the_same_state(bars: BarSeries, script: list[tuple[int, PlaceOrder]]) -> None:
    """While nothing was flagged, the two fixed paths give the same fills. Cash and position never bind: a refusal has no flag."""
    cash, start_qty = "100000000", 10_000
    adaptive = backtest(Scripted(script, start_qty), bars, cash=cash)
    if any(fill.path_dependent for fill in adaptive.fills) or any(order.path_dependent for order in adaptive.orders.values()):
        return
    for path in (PathModel.OHLC, PathModel.OLHC):
        other = backtest(Scripted(script, start_qty), bars, cash=cash, path=path)
        assert adaptive.rejections == other.rejections == []
        ours = sorted((fill.order_id, fill.time_ns, fill.price) for fill in adaptive.fills)
        assert sorted((fill.order_id, fill.time_ns, fill.price) for fill in other.fills) == ours
