"""The product against the reference of tests/oracle: random runs, and everything that came of them is the same in both."""

import pytest

from tests.oracle.outcome import Outcome
from tests.oracle.product import differences, play
from tests.oracle.scenarios import Scenario
from tests.oracle.simulator import simulate
from tests.oracle.wide_scenarios import TIMEFRAMES, wide_scenario

SEEDS = range(60)
SOAK_BLOCK = 100
SOAK_BLOCKS = range(20)


def _expected(given: Scenario) -> Outcome:
    return simulate(given.bars, given.script, given.instruments, start_ns=given.start_ns, settings=given.settings, actions=given.actions)


def _differences(seed: int, timeframe: str) -> list[str]:
    given = wide_scenario(seed, timeframe)
    return differences(_expected(given), play(given, timeframe))


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_run_is_the_same_in_the_reference(seed: int, timeframe: str) -> None:
    assert _differences(seed, timeframe) == []


@pytest.mark.soak
@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("block", SOAK_BLOCKS)
def test_thousands_of_random_runs_are_the_same_in_the_reference(block: int, timeframe: str) -> None:
    first = 1_000 + block * SOAK_BLOCK
    unlike = {seed: found for seed in range(first, first + SOAK_BLOCK) if (found := _differences(seed, timeframe))}
    assert unlike == {}


def test_the_runs_reach_what_they_are_to_compare() -> None:
    """Runs in which nothing happens would agree as well."""
    outcomes = [_expected(wide_scenario(seed, timeframe)) for seed in SEEDS for timeframe in TIMEFRAMES]
    fills = [fill for outcome in outcomes for fill in outcome.fills]
    assert len(fills) > 1_500
    assert {fill.reason for fill in fills} == {None, "margin_call", "end_of_run"}
    assert sum(fill.path_dependent for fill in fills) > 100
    assert sum(fill.order_id.endswith((".target", ".stop")) for fill in fills) > 100
    codes = {rejection.code for outcome in outcomes for rejection in outcome.rejections}
    assert codes == {"insufficient_cash", "insufficient_position", "insufficient_margin", "not_shortable", "invalid_order"}
    assert any(outcome.totals.interest for outcome in outcomes)
    assert any(outcome.totals.dividends for outcome in outcomes)
    assert any(outcome.totals.fractions for outcome in outcomes)
