"""Golden runs on real bars: the same orders, fills and statistics as when they were pinned, on every machine and Python.

A change that is meant to change them is followed by `python -m tests.golden.repin`, which prints what changed.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.statistics import STATISTICS
from tests.golden.market_data import EXCERPTS, apple, spy
from tests.golden.runs import RUNS, differences, is_same, order_lines, pin_of, read_pins


@pytest.mark.parametrize("name", RUNS)
def test_excerpts(name: str) -> None:
    assert differences(read_pins().get(f"excerpt/{name}"), pin_of(RUNS[name], EXCERPTS)) == []


@pytest.mark.parametrize("name", RUNS)
def test_whole_files(name: str, shared_data: Callable[[str], Path]) -> None:
    folder = shared_data(RUNS[name].file).parent
    assert differences(read_pins().get(f"whole/{name}"), pin_of(RUNS[name], folder)) == []


def test_every_run_is_pinned_with_every_figure() -> None:
    pins = read_pins()
    assert pins.keys() == {f"{which}/{name}" for which in ("excerpt", "whole") for name in RUNS}
    for pin in pins.values():
        assert list(pin["stats"]) == sorted(spec.key for spec in STATISTICS)


def test_the_pins_hold_what_they_are_there_for() -> None:
    pins = {key: pin for key, pin in read_pins().items() if key.startswith("excerpt/")}
    events = {name for pin in pins.values() for name in pin["events"]}
    assert events >= {"orders.Filled", "orders.PartiallyFilled", "orders.Cancelled", "orders.Expired", "orders.Replaced"}
    assert events >= {"account.InterestCharged", "account.DividendPaid", "account.SplitApplied", "account.MarginCall"}
    assert sum(pin["path_dependent"] for pin in pins.values()) > 5
    assert [key for key, pin in read_pins().items() if pin["fills"] < (6 if key in pins else 30)] == []


def test_a_changed_order_or_figure_is_found() -> None:
    name = "spy sma-cross, fees and slippage"
    pin = read_pins()[f"excerpt/{name}"]
    other: dict[str, Any] = {**pin, "orders_sha256": "0", "marks": [*pin["marks"][:4], "5 0", *pin["marks"][5:]]}
    other["stats"] = {**pin["stats"], "sharpe": pin["stats"]["sharpe"] * 1.000001, "sortino": None}
    found = differences(pin, other)
    assert [line.partition(":")[0] for line in found] == ["orders_sha256", "sharpe", "sortino"]
    assert "part at order 5" in found[0]
    assert not is_same(None, 0.0)


def test_an_order_is_told_by_its_value_and_not_by_its_zeros() -> None:
    request = OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=OrderType.LIMIT, limit_price=Decimal("10.5"))
    status = OrderStatus.EXPIRED
    order = Order(id="o1", run_id="r", request=request, time_in_force=TimeInForce.DAY, status=status, created_ns=1, updated_ns=2)
    same = replace(order, id="o7", run_id="q", request=replace(request, qty=Decimal("1.000"), limit_price=Decimal("10.50")))
    other = replace(order, request=replace(request, limit_price=Decimal("10.51")))
    assert order_lines({"o1": order}, []) == order_lines({"o7": same}, []) != order_lines({"o1": other}, [])


def test_the_actions_are_those_that_happened() -> None:
    """Known facts of the excerpts: Apple's first split of these years, and three dividends of SPY."""
    assert [(action.symbol, str(getattr(action, "ratio", None))) for action in apple(EXCERPTS).actions][:1] == [("AAPL", "2")]
    assert [str(getattr(action, "amount", None)) for action in spy(EXCERPTS).actions] == ["1.135", "0.931", "1.03"]
    bars = apple(EXCERPTS).bars
    # At the prices of the day: 30.71 dollars at Google's listing day, about 45 after the split of February 2005.
    assert bars.close[0] == pytest.approx(30.71, abs=0.005)
