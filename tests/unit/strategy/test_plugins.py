"""The built-in strategies against their rules, computed directly."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.model.market import BarSeries, Floats
from core.model.order import OrderRequest
from core.model.plugin import ParamValue
from core.strategy.loader import StrategyLoader
from tests.unit.strategy.desk import Desk, Traded, minutes

LOADER = StrategyLoader([])
FOUND = LOADER.find_all()


def desk(strategy_id: str, *series: BarSeries, matches: Any = None, refuses: Any = None, **params: ParamValue) -> Desk:
    info = FOUND[strategy_id]
    options = {name: item for name, item in (("matches", matches), ("refuses", refuses)) if item is not None}
    return Desk(LOADER.load(info)(), series, info.parse_params(params), **options)


def walk(count: int, seed: int, *, level: float = 100.0, step: float = 0.5) -> Floats:
    moves = np.random.default_rng(seed).normal(0.0, step, count)
    return np.round(level + np.cumsum(moves), 2)


def averages(closes: Floats, period: int) -> list[float | None]:
    return [None if i + 1 < period else float(np.mean(closes[i + 1 - period : i + 1])) for i in range(len(closes))]


def test_the_program_brings_these_strategies() -> None:
    assert {key: (info.error, info.symbols) for key, info in FOUND.items()} == {
        "atr-trailing": (None, 1),
        "bollinger-bids": (None, 1),
        "breakout": (None, 1),
        "dual-momentum": (None, 0),
        "macd-cross": (None, 1),
        "mean-reversion": (None, 1),
        "momentum-rotation": (None, 0),
        "opening-range": (None, 1),
        "pair-spread": (None, 2),
        "rsi-reversion": (None, 1),
        "sma-cross": (None, 1),
        "trend-pullback": (None, 1),
        "vwap-reversion": (None, 1),
    }
    assert all(info.builtin for info in FOUND.values())
    assert {spec.name: spec.default for spec in FOUND["sma-cross"].params} == {"fast": 10, "slow": 30, "qty": 1.0}


# --- sma-cross ---


def crossings(closes: Floats, fast: int, slow: int, qty: str) -> list[Traded]:
    above, held, traded = None, False, []
    for i, (quick, calm) in enumerate(zip(averages(closes, fast), averages(closes, slow), strict=True)):
        if quick is None or calm is None:
            continue
        now = quick - calm > 1e-9 * calm
        if above is not None and now != above and i + 1 < len(closes):
            if now:
                traded.append((i + 1, "SPY", "buy", qty))
                held = True
            elif held:
                traded.append((i + 1, "SPY", "sell", qty))
                held = False
        above = now
    return traded


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("fast", "slow"), [(10, 30), (1, 2), (30, 10), (5, 5)])
def test_sma_cross_trades_by_its_rule(seed: int, fast: int, slow: int) -> None:
    closes = walk(600, seed)
    expected = crossings(closes, fast, slow, "2.0")
    assert desk("sma-cross", minutes("SPY", closes), fast=fast, slow=slow, qty=2.0).run() == expected
    assert bool(expected) == (fast != slow)


def test_the_first_bar_with_both_averages_only_sets_the_state() -> None:
    rising = np.arange(1.0, 40.0)
    assert desk("sma-cross", minutes("SPY", rising), fast=2, slow=5).run() == []


def test_a_tie_is_not_above() -> None:
    # Both averages of a flat price are the same number, however they are rounded.
    closes = np.concatenate((np.arange(50.0, 30.0, -1.0), np.full(60, 745.1 / 3), np.full(60, 0.1)))
    ran = desk("sma-cross", minutes("SPY", closes), fast=3, slow=7).run()
    assert ran == crossings(closes, 3, 7, "1.0")
    assert [(minute, side) for minute, _, side, _ in ran] == [(21, "buy"), (27, "sell")]


def test_a_refused_buy_is_not_sold_later() -> None:
    closes = walk(300, 3)
    assert desk("sma-cross", minutes("SPY", closes), fast=3, slow=9, refuses=lambda request: True).run() == []


def test_every_order_says_why() -> None:
    first, second = walk(400, 8), walk(400, 9)
    for ran in (
        desk("sma-cross", minutes("SPY", first)),
        desk("mean-reversion", minutes("SPY", first), entry=0.01),
        desk("pair-spread", minutes("SPY", first), minutes("QQQ", second)),
    ):
        ran.run()
        assert ran.notes
        assert all(ran.notes)


# --- mean-reversion ---


def reversions(closes: Floats, lookback: int, entry: float, exit_: float) -> list[Traded]:
    held, traded = False, []
    for i, mean in enumerate(averages(closes, lookback)):
        if mean is None or i + 1 == len(closes):
            continue
        if not held and closes[i] < (1 - entry) * mean:
            traded.append((i + 1, "SPY", "buy", "1.0"))
            held = True
        elif held and closes[i] > (1 + exit_) * mean:
            traded.append((i + 1, "SPY", "sell", "1.0"))
            held = False
    return traded


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("lookback", "entry", "exit_"), [(20, 0.02, 0.0), (5, 0.0, 0.0), (50, 0.01, 0.01), (10, 0.01, -0.005)])
def test_mean_reversion_trades_by_its_rule(seed: int, lookback: int, entry: float, exit_: float) -> None:
    closes = walk(600, seed, step=1.0) + 0.0001 * np.arange(600)
    ran = desk("mean-reversion", minutes("SPY", closes), lookback=lookback, entry=entry, exit=exit_).run()
    assert ran == reversions(closes, lookback, entry, exit_)
    assert ran


def test_a_close_at_the_mean_is_neither_below_nor_above_it() -> None:
    closes = np.concatenate((np.full(30, 745.1), [700.0], np.full(60, 745.1 / 3), np.full(60, 0.1)))
    ran = desk("mean-reversion", minutes("SPY", closes), lookback=20, entry=0.0).run()
    # Bought below the mean; the mean comes down to the price, and meets it to the last digit but for rounding.
    assert [(minute, side) for minute, _, side, _ in ran] == [(31, "buy")]


def test_an_order_still_working_is_not_doubled() -> None:
    closes = np.concatenate((np.full(20, 100.0), np.full(10, 90.0), np.full(10, 120.0)))
    shut = set(range(21, 26)) | set(range(31, 36))
    ran = desk("mean-reversion", minutes("SPY", closes), lookback=20, matches=lambda minute: minute not in shut)
    assert ran.run() == [(26, "SPY", "buy", "1.0"), (36, "SPY", "sell", "1.0")]
    assert len(ran.notes) == 2


def test_a_refused_buy_is_tried_again_while_the_price_is_low() -> None:
    refused = iter([True, True, False])
    closes = np.concatenate((np.full(20, 100.0), np.full(5, 90.0)))
    ran = desk("mean-reversion", minutes("SPY", closes), lookback=20, refuses=lambda request: next(refused)).run()
    assert ran == [(23, "SPY", "buy", "1.0")]


# --- pair-spread ---


def rotations(first: Floats, second: Floats, lookback: int, entry: float, exit_: float) -> list[tuple[int, str | None]]:
    """Return the bars at which the wanted symbol changes, and to what."""
    ratios = np.log(first / second)
    target: str | None = None
    changes: list[tuple[int, str | None]] = []
    for i in range(lookback - 1, len(ratios)):
        window = ratios[i + 1 - lookback : i + 1]
        score = (ratios[i] - window.mean()) / window.std()
        wanted = "B" if score > entry else "A" if score < -entry else None if abs(score) <= exit_ else target
        if wanted != target:
            changes.append((i, wanted))
            target = wanted
    return changes


@pytest.mark.parametrize("seed", range(4))
def test_pair_spread_holds_the_cheap_symbol(seed: int) -> None:
    first, second = walk(800, seed), walk(800, seed + 100, level=50.0, step=0.3)
    ran = desk("pair-spread", minutes("A", first), minutes("B", second), lookback=30, entry=1.5, exit=0.5).run()
    held: dict[str, bool] = {"A": False, "B": False}
    for _, symbol, side, _ in ran:
        held[symbol] = side == "buy"
        assert not (held["A"] and held["B"])
    expected: list[tuple[int, str, str]] = []
    holding: str | None = None
    wait = 0
    changes = dict(rotations(first, second, 30, 1.5, 0.5))
    target: str | None = None
    for i in range(len(first) - 1):
        target = changes.get(i, target)
        if i < wait or target == holding:
            continue
        if holding is not None:
            expected.append((i + 1, holding, "sell"))
            holding = None
            wait = i + 1
        elif target is not None:
            expected.append((i + 1, target, "buy"))
            holding = target
            wait = i + 1
    assert [(minute, symbol, side) for minute, symbol, side, _ in ran] == expected
    assert {symbol for _, symbol, _, _ in ran} == {"A", "B"}


def test_pair_spread_does_not_double_an_order_that_still_works() -> None:
    first, second = walk(400, 1), walk(400, 2)
    ran = desk("pair-spread", minutes("A", first), minutes("B", second), lookback=20, entry=1.0, matches=lambda minute: minute % 7 == 0)
    traded = ran.run()
    assert len(traded) > 10
    sides: dict[str, list[str]] = {"A": [], "B": []}
    for _, symbol, side, _ in traded:
        sides[symbol].append(side)
    for seen in sides.values():
        assert seen == ["buy", "sell"] * (len(seen) // 2) + ["buy"] * (len(seen) % 2)


def test_pair_spread_buys_for_its_share_on_its_lot() -> None:
    first = np.concatenate((np.full(10, 100.0), np.full(7, 70.0)))
    ran = desk("pair-spread", minutes("A", first), minutes("B", np.full(17, 30.0)), lookback=10, share=0.25, lot=0.5).run()
    # 10,000 × 0.25 ÷ 70 = 35.71…, on a grid of 0.5.
    assert ran[0] == (11, "A", "buy", "35.5")


def test_pair_spread_decides_only_when_both_have_a_bar() -> None:
    at = [minute for minute in range(60) if minute % 3]
    first, second = walk(60, 5), walk(40, 6)
    alone = desk("pair-spread", minutes("A", first), minutes("B", second, at=at), lookback=10, entry=1.0).run()
    both = desk("pair-spread", minutes("A", first[at], at=at), minutes("B", second, at=at), lookback=10, entry=1.0).run()
    assert [trade[1:3] for trade in alone] == [trade[1:3] for trade in both]
    assert alone


def test_pair_spread_does_nothing_while_the_ratio_stands_still() -> None:
    prices = walk(100, 7)
    assert desk("pair-spread", minutes("A", prices), minutes("B", prices * 2.0), lookback=10).run() == []


@pytest.mark.parametrize("order", [lambda request: request.symbol == "A", lambda request: True])
def test_pair_spread_lives_with_refusals(order: Callable[[OrderRequest], bool]) -> None:
    first, second = walk(300, 1), walk(300, 2)
    ran = desk("pair-spread", minutes("A", first), minutes("B", second), lookback=20, entry=1.0, refuses=order).run()
    assert all(symbol == "B" for _, symbol, _, _ in ran)
    assert all(Decimal(qty) > 0 for *_, qty in ran)
