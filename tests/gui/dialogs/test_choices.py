"""What a run can be made of, and how a command is found."""

import pytest

from core.model.instants import parse_instant
from core.model.market import Adjustment, BarSet, BarSetKey, Gap
from ui.dialogs.bar_choice import runnable_symbols, sources_of, symbols_of, timeframes_of
from ui.dialogs.fuzzy import score
from ui.dialogs.run_preview import between


def stored(symbol: str, timeframe: str, source: str, adjustment: Adjustment = Adjustment.RAW, *, first: str = "2020-01-01") -> BarSet:
    key = BarSetKey(symbol=symbol, timeframe=timeframe, source=source, adjustment=adjustment)
    return BarSet(key=key, bars=10, first_ns=parse_instant(first), last_ns=parse_instant("2021-01-01"), updated_ns=0)


SETS = [
    stored("SPY", "1d", "yahoo"),
    stored("SPY", "1d", "yahoo", Adjustment.ALL),
    stored("SPY", "1m", "broker"),
    stored("SPY", "15m", "broker"),
    stored("QQQ", "1d", "yahoo", first="2020-06-01"),
    stored("BTC/USD", "1m", "exchange"),
]


def test_symbols_and_timeframes_are_those_of_stored_bars() -> None:
    assert symbols_of(SETS) == ["BTC/USD", "QQQ", "SPY"]
    assert timeframes_of(SETS, ["SPY"]) == ["1m", "15m", "1d"]
    assert timeframes_of(SETS, ["SPY", "QQQ"]) == ["1d"]
    assert timeframes_of(SETS, ["QQQ", "BTC/USD"]) == []


def test_a_source_must_have_every_symbol() -> None:
    both = sources_of(SETS, ["SPY", "QQQ"], "1d")
    assert [(choice.source, choice.adjustment) for choice in both] == [("yahoo", Adjustment.RAW)]
    assert both[0].first_ns == parse_instant("2020-06-01")
    assert both[0].bars == 20
    alone = sources_of(SETS, ["SPY"], "1d")
    assert [choice.adjustment for choice in alone] == [Adjustment.ALL, Adjustment.RAW]


def test_symbols_of_different_sources_run_together_when_each_has_only_one() -> None:
    mixed = sources_of(SETS, ["SPY", "BTC/USD"], "1m")
    assert [(choice.source, choice.label) for choice in mixed] == [(None, "broker + exchange")]
    ambiguous = [*SETS, stored("SPY", "1m", "yahoo")]
    assert sources_of(ambiguous, ["SPY", "BTC/USD"], "1m") == []


def test_suggests_symbols_that_run_together() -> None:
    assert runnable_symbols(SETS, 2) == ("BTC/USD", "SPY")
    assert runnable_symbols(SETS, 3) == ()


@pytest.mark.parametrize("query", ["nr", "new", "NEW RUN", "ew ru", ""])
def test_letters_in_order_are_found(query: str) -> None:
    assert score(query, "New run") is not None


@pytest.mark.parametrize("query", ["uw", "newx", "runs new"])
def test_letters_out_of_order_are_not(query: str) -> None:
    assert score(query, "New run") is None


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [("sr", "Start run", "Fewer errors"), ("imp", "Import data", "Simplify"), ("res", "Reset layout", "Rule tests")],
)
def test_starts_of_words_and_runs_of_letters_count_more(query: str, better: str, worse: str) -> None:
    first, second = score(query, better), score(query, worse)
    assert first is not None
    assert second is None or first > second


GAPS = [Gap(start_ns=start, end_ns=start + 10, missing=1) for start in (0, 100, 200, 300)]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [(None, None, [0, 1, 2, 3]), (5, None, [0, 1, 2, 3]), (10, None, [1, 2, 3]), (None, 200, [0, 1]), (105, 201, [1, 2]), (111, 199, [])],
)
def test_gaps_that_reach_into_a_period(start: int | None, end: int | None, found: list[int]) -> None:
    assert between(GAPS, start, end) == [GAPS[at] for at in found]
