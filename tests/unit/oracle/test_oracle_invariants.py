"""What must hold in every run, whatever is asked."""

from collections import defaultdict
from decimal import Decimal
from functools import cache

import pytest

from tests.oracle.market import Bar
from tests.oracle.orders import Order, Place, PlaceOco, Replace
from tests.oracle.outcome import Outcome
from tests.oracle.scenarios import Scenario, scenario
from tests.oracle.simulator import simulate

SEEDS = range(40)


@cache
def _run(seed: int, *, with_actions: bool = True) -> tuple[Scenario, Outcome]:
    given = scenario(seed, with_actions=with_actions)
    return given, simulate(
        given.bars, given.script, given.instruments, start_ns=given.start_ns, settings=given.settings, actions=given.actions
    )


def _placed(given: Scenario) -> dict[str, tuple[int, Order]]:
    """Each order of the script with its decision; a leg's is its parent's."""
    placed = {}
    for time_ns, requests in given.script.items():
        for request in requests:
            if isinstance(request, Place):
                for order in (request.order, *request.order.children):
                    placed[order.id] = (time_ns, order)
            elif isinstance(request, PlaceOco):
                placed[request.first.id] = (time_ns, request.first)
                placed[request.second.id] = (time_ns, request.second)
    return placed


@pytest.mark.parametrize("seed", SEEDS)
def test_money_is_conserved_exactly(seed: int) -> None:
    given, outcome = _run(seed)
    totals = outcome.totals
    paid = sum((fill.qty * fill.price for fill in outcome.fills if fill.side == "buy"), Decimal(0))
    got = sum((fill.qty * fill.price for fill in outcome.fills if fill.side == "sell"), Decimal(0))
    fees = sum((fill.fee for fill in outcome.fills), Decimal(0))
    assert (totals.bought, totals.sold, totals.fees) == (paid, got, fees)
    assert outcome.cash == given.settings.cash - paid + got - fees + totals.interest + totals.dividends + totals.fractions


@pytest.mark.parametrize("seed", SEEDS)
def test_no_fill_leaves_its_bar_or_precedes_its_decision(seed: int) -> None:
    given, outcome = _run(seed)
    bars: dict[tuple[str, int], Bar] = {(bar.symbol, bar.start_ns): bar for bar in given.bars}
    placed = _placed(given)
    replaced = {request.id for requests in given.script.values() for request in requests if isinstance(request, Replace)}
    for fill in outcome.fills:
        bar = bars[fill.symbol, fill.time_ns]
        assert bar.low <= fill.price <= bar.high
        if fill.order_id not in placed:
            continue
        decided_ns, order = placed[fill.order_id]
        assert fill.time_ns >= decided_ns
        assert bar.regular or order.extended_hours
        if order.limit is not None and fill.order_id not in replaced and not given.actions:
            assert fill.price <= order.limit if order.side == "buy" else fill.price >= order.limit


@pytest.mark.parametrize("seed", SEEDS)
def test_a_position_is_the_sum_of_its_fills(seed: int) -> None:
    given, outcome = _run(seed, with_actions=False)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for fill in outcome.fills:
        sums[fill.symbol] += fill.qty if fill.side == "buy" else -fill.qty
        if given.settings.account == "cash":
            assert sums[fill.symbol] >= 0
    assert {symbol: qty for symbol, qty in sums.items() if qty} == {symbol: result.qty for symbol, result in outcome.positions.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_fills_no_more_than_it_asked_and_says_what_it_filled(seed: int) -> None:
    given, outcome = _run(seed, with_actions=False)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for fill in outcome.fills:
        filled[fill.order_id] += fill.qty
    for name, result in outcome.orders.items():
        assert result.filled == filled[name]
        assert (result.code is not None) == (result.status == "rejected")
    if given.settings.account == "cash":
        assert outcome.cash >= 0 or given.settings.close_at_end
        assert outcome.margin_calls == []


def test_the_seeds_reach_every_end() -> None:
    outcomes = [_run(seed)[1] for seed in SEEDS]
    assert {result.status for outcome in outcomes for result in outcome.orders.values()} >= {
        "working", "filled", "cancelled", "expired", "rejected",
    }  # fmt: skip
    codes = {rejection.code for outcome in outcomes for rejection in outcome.rejections}
    assert codes >= {"insufficient_cash", "insufficient_position", "insufficient_margin", "not_shortable"}
    assert {fill.reason for outcome in outcomes for fill in outcome.fills} >= {None, "end_of_run"}
    assert any(fill.path_dependent for outcome in outcomes for fill in outcome.fills)
