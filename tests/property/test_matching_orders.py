"""What must hold whatever is asked on whatever bars: every kind of order, family and life, on both kinds of account."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidValue
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Timeframe
from core.model.order import OrderStatus, OrderType
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.actions import Action, CancelOrder
from core.strategy.placing import buy, replaced, sell
from core.strategy.requests import leg
from tests.backtests import Backtest
from tests.scripted import COIN, OPEN_NS, STOCK, told

# Coarse prices: much happens at one point.
prices = st.integers(180, 220).map(lambda value: value / 2)
distances = st.integers(1, 16).map(lambda value: value / 2)


@st.composite
def series(draw: st.DrawFn, symbol: str) -> BarSeries:
    """Up to 20 consistent bars, some missing, some without volume."""
    n = draw(st.integers(2, 20))
    rows = [sorted(draw(st.tuples(prices, prices, prices, prices))) for _ in range(n)]
    flips = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    low, one, two, high = (np.asarray(column, float) for column in zip(*rows, strict=True))
    open_, close = np.where(flips, one, two), np.where(flips, two, one)
    starts = np.cumsum(draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))).astype(np.int64) * MINUTE_NS + OPEN_NS
    volume = np.asarray(draw(st.lists(st.sampled_from([0, 30, 100, 1000]), min_size=n, max_size=n)), float)
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), starts, open_, high, low, close, volume)


@st.composite
def asked(draw: st.DrawFn, symbol: str, name: str, *, places: int = 10) -> dict[int, list[Action]]:
    """What is asked after which bar; orders are called `name` and a number."""
    script: dict[int, list[Action]] = defaultdict(list)
    for number in range(draw(st.integers(0, places))):
        after, ref = draw(st.integers(0, 15)), f"{name}{number}"
        script[after].append(draw(_order(symbol, ref)))
        change = draw(st.sampled_from(["", "", "", "cancel", "qty", "limit"]))
        if change == "cancel":
            script[after + 2].append(CancelOrder(ref))
        elif change:
            figure = draw(st.integers(1, 20)) if change == "qty" else draw(prices)
            script[after + 2].append(replaced(ref, **{change: figure}))  # type: ignore[arg-type]
    return dict(script)


@st.composite
def _order(draw: st.DrawFn, symbol: str, ref: str) -> Action:
    place = draw(st.sampled_from([buy, sell]))
    terms: dict[str, Any] = draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"limit": prices}),
            st.fixed_dictionaries({"stop": prices}),
            st.fixed_dictionaries({"limit": prices, "stop": prices}),
            st.fixed_dictionaries({"trail": distances}),
            st.fixed_dictionaries({"trail_percent": st.integers(1, 5)}),
        )
    )
    qty = draw(st.integers(1, 20))
    life = draw(st.sampled_from([None, "day", "gtc", "ioc", "fok"]))
    extra: dict[str, Any] = {}
    if draw(st.booleans()):
        target, stop = draw(prices), draw(prices)
        extra = {
            "target": target,
            "stop_loss": draw(st.sampled_from([stop, leg(trail=draw(distances)), leg(stop=stop, limit=draw(prices))])),
        }
    elif draw(st.integers(0, 4)) == 0:
        extra = {"reduce_only": True}
    try:
        return place(symbol, qty, ref=ref, time_in_force=life, **terms, **extra)
    except InvalidValue:
        # The legs lie on the wrong sides: the entry alone.
        return place(symbol, qty, ref=ref, time_in_force=life, **terms)


options = st.fixed_dictionaries(
    {
        "path": st.sampled_from(PathModel),
        "fees": st.sampled_from(["none", "bps:10", "bps:10:1", "per-share:0.05:1:2", "per-trade:1", "alpaca"]),
        "slippage": st.sampled_from(["none", "bps:20", "spread:30", "volume:0.1"]),
        "volume_cap": st.sampled_from([None, "0.1"]),
        "trade_through": st.booleans(),
        "account": st.sampled_from([AccountTerms(), AccountTerms(kind=AccountKind.MARGIN)]),
        "grid": st.booleans(),
    }
)


@given(
    st.sampled_from([COIN, STOCK]).flatmap(lambda symbol: st.tuples(series(symbol), asked(symbol, "o"))), options, st.integers(100, 20_000)
)
def test_whatever_is_asked(run_over: tuple[BarSeries, dict[int, list[Action]]], how: dict[str, Any], cash: int) -> None:
    bars, script = run_over
    ran = told(bars, script, cash=str(cash), **how).run
    is_margin = how["account"].kind is AccountKind.MARGIN
    _check_fills(ran, bars, Decimal(cash), is_margin=is_margin)
    for order in ran.orders.values():
        assert order.status.is_final
        assert order.filled_qty == sum((fill.qty for fill in ran.fills if fill.order_id == order.id), Decimal(0))
        assert order.filled_qty <= order.request.qty
        assert (order.status is OrderStatus.FILLED) == (order.filled_qty == order.request.qty)


def _check_fills(ran: Backtest, bars: BarSeries, cash: Decimal, *, is_margin: bool) -> None:
    index = {int(start): at for at, start in enumerate(bars.start_ns)}
    money, held = cash, Decimal(0)
    for fill in ran.fills:
        at, order = index[fill.time_ns], ran.orders[fill.order_id]
        assert Decimal(str(bars.low[at])) <= fill.price <= Decimal(str(bars.high[at])), "outside its bar"
        assert fill.time_ns >= order.created_ns, "before its decision"
        if order.request.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            _check_limit(ran, fill.order_id, fill.price)
        signed = fill.side.sign * fill.qty
        if order.request.reduce_only:
            assert signed * held < 0, "reduced nothing"
            assert fill.qty <= abs(held), "reduced beyond flat"
        money -= signed * fill.price + fill.fee
        held += signed
        if not is_margin:
            assert money >= 0, "spent what it did not have"
            assert held >= 0, "sold what it did not have"
    assert ran.venue.cash == money, "money is not conserved"
    assert ran.venue.held(bars.symbol) == held, "the position is not the sum of its fills"


def _check_limit(ran: Backtest, order_id: str, price: Decimal) -> None:
    """No fill is worse than the worst limit the order ever had: a replacement may have moved it."""
    order = ran.orders[order_id]
    limits = [order.request.limit_price]
    for event in ran.events:
        payload: Any = event.payload
        if event.type == "orders.Created" and payload.order.id == order_id:
            limits.append(payload.order.request.limit_price)
        elif event.type == "orders.Replaced" and payload.order_id == order_id:
            limits.append(payload.request.limit_price)
    known = [limit for limit in limits if limit is not None]
    if order.request.side.sign > 0:
        assert price <= max(known), "worse than its limit"
    else:
        assert price >= min(known), "worse than its limit"


@given(series("A/Y"), series("B/Y"), asked("A/Y", "a", places=6), asked("B/Y", "b", places=6), options)
def test_two_symbols_together_equal_both_apart_when_cash_does_not_bind(
    a: BarSeries, b: BarSeries, for_a: dict[int, list[Action]], for_b: dict[int, list[Action]], how: dict[str, Any]
) -> None:
    # One decision for both: the second symbol's orders are asked where the first one's bars end, so its bars must, too.
    n = min(len(a), len(b))
    a, b = a.slice(0, n), b.slice(0, n)
    b = BarSeries.from_columns("B/Y", b.timeframe, a.start_ns, b.open, b.high, b.low, b.close, b.volume)
    how = how | {"cash": "100000000"}
    both = {after: [*for_a.get(after, []), *for_b.get(after, [])] for after in for_a.keys() | for_b.keys()}
    together = told([a, b], both, **how).run
    apart = [told(a, for_a, **how).run, told(b, for_b, **how).run]

    def rows(runs: list[Backtest]) -> list[tuple[str, ...]]:
        return sorted(
            (fill.symbol, str(fill.time_ns), fill.side, str(fill.qty), str(fill.price), str(fill.fee), str(fill.path_dependent))
            for run in runs
            for fill in run.fills
        )

    assert rows([together]) == rows(apart)
