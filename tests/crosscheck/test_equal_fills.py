"""Eight strategies, each written twice: every fill and the end equity are those of backtesting.py 0.6.6.

Where a fill differs, docs/simulation.md has a name for the rule, and the fill is listed here with both prices.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from core.model.market import BarSeries
from core.model.run import PathModel
from tests.crosscheck import twins_both_ways as both
from tests.crosscheck import twins_flat as flat
from tests.crosscheck.engines import CASH, MARGIN, Made, Outcome, Theirs, by_ours, by_theirs
from tests.crosscheck.real_bars import EURUSD, EXCERPTS, GOOG, MARKETS, SPY, Market, read_bars


@dataclass(frozen=True, slots=True)
class Pair:
    """A strategy twice, and the same fee three times: for the product, for backtesting.py, and as plain arithmetic."""

    ours: type[flat.Ours]
    theirs: type[Theirs]
    fees: str
    commission: Any
    fee: Callable[[float, float], float]
    on_margin: bool = False


def per_share(size: float, price: float) -> float:
    return max(abs(size) * 0.005, 1.0)


def of_value(rate: float) -> Callable[[float, float], float]:
    return lambda size, price: abs(size) * price * rate


PAIRS: Final = {
    "market orders": Pair(flat.CrossOurs, flat.CrossTheirs, "bps:10", 0.001, of_value(0.001)),
    "limit entries": Pair(flat.BidsOurs, flat.BidsTheirs, "per-share:0.005:1", per_share, per_share),
    "stop entries": Pair(flat.BreakoutOurs, flat.BreakoutTheirs, "per-trade:1.5", (1.5, 0.0), lambda size, price: 1.5),
    "brackets": Pair(flat.BracketOurs, flat.BracketTheirs, "bps:5", 0.0005, of_value(0.0005)),
    "limit exits": Pair(flat.OffersOurs, flat.OffersTheirs, "bps:2", 0.0002, of_value(0.0002)),
    "reversals": Pair(both.ReverseOurs, both.ReverseTheirs, "bps:10", 0.001, of_value(0.001), on_margin=True),
    "short brackets": Pair(
        both.ShortBracketOurs, both.ShortBracketTheirs, "per-trade:2", (2.0, 0.0), lambda size, price: 2.0, on_margin=True
    ),
    "moving stop": Pair(both.RatchetOurs, both.RatchetTheirs, "bps:3", 0.0003, of_value(0.0003), on_margin=True),
}

Differing = tuple[int, str, float, float]
"""The bar, the side, the price here and the price there."""

OPENED_BEYOND_THE_TARGET: Final[dict[tuple[str, str], list[Differing]]] = {
    ("brackets", "SPY"): [
        (194, "sell", 106.839996, 103.15),
        (196, "sell", 99.660004, 96.05),
        (264, "sell", 85.860001, 83.13),
        (909, "sell", 114.07, 110.58),
    ],
    ("short brackets", "SPY"): [(212, "buy", 95.080002, 97.46), (230, "buy", 84.300003, 86.69), (1951, "buy", 189.770004, 194.44)],
}
"""In the whole files. These bars open beyond the target and come to the stop loss later."""


def run_both(name: str, market: Market, bars: BarSeries, path: PathModel = PathModel.PESSIMISTIC) -> tuple[Outcome, Outcome, list[Made]]:
    """Run a pair; return our outcome, theirs, and those of our fills that depend on the path."""
    pair = PAIRS[name]
    theirs = by_theirs(bars, pair.theirs, market, commission=pair.commission, margin=0.5 if pair.on_margin else 1.0)
    ours, run = by_ours(bars, pair.ours(), market, fees=pair.fees, path=path, account=MARGIN if pair.on_margin else None)
    assert (ours.refused, theirs.refused) == (0, 0)
    at = {int(start): row for row, start in enumerate(bars.start_ns)}
    dependent = [(at[fill.time_ns], fill.side.value, float(fill.qty), float(fill.price)) for fill in run.fills if fill.path_dependent]
    # Decimals here and floats there: the last places of a float, a little for each of some hundred fills.
    assert ours.equity == pytest.approx(kept_by_hand(pair, bars, ours.fills), rel=1e-11)
    assert theirs.equity == pytest.approx(kept_by_hand(pair, bars, theirs.fills), rel=1e-11)
    assert run.equity[-1] == pytest.approx(ours.equity, rel=1e-11)
    return ours, theirs, dependent


def kept_by_hand(pair: Pair, bars: BarSeries, fills: Sequence[Made]) -> float:
    """Return the equity at the last close that fills add up to: what is in neither engine."""
    cash, held = CASH, 0.0
    for _, side, qty, price in fills:
        signed = qty if side == "buy" else -qty
        cash -= signed * price + pair.fee(qty, price)
        held += signed
    return cash + held * float(bars.close[-1])


def differing(ours: Outcome, theirs: Outcome) -> list[Differing]:
    """Return the fills that have another price there; anything else that differs fails."""
    assert [fill[:3] for fill in ours.fills] == [fill[:3] for fill in theirs.fills]
    return [(*mine[:2], mine[3], other[3]) for mine, other in zip(ours.fills, theirs.fills, strict=True) if mine != other]


def check(name: str, market: Market, bars: BarSeries, known: Sequence[Differing], least: int) -> None:
    ours, theirs, _ = run_both(name, market, bars)
    assert len(ours.fills) >= least
    assert differing(ours, theirs) == known
    for row, side, here, there in known:
        sign = 1 if side == "sell" else -1
        assert here == bars.open[row]
        assert sign * (here - there) > 0  # the target's side of the stop loss
        assert bars.low[row] <= there <= bars.high[row]  # which the bar reached later
    if not known:
        assert ours.equity == pytest.approx(theirs.equity, rel=1e-11)


def test_the_peer_is_the_version_whose_rules_are_documented() -> None:
    assert importlib.metadata.version("backtesting") == "0.6.6"


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
@pytest.mark.parametrize("name", PAIRS)
def test_excerpts(name: str, market: Market) -> None:
    check(name, market, read_bars(market, EXCERPTS), [], least=14)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
@pytest.mark.parametrize("name", PAIRS)
def test_whole_files(name: str, market: Market, shared_data: Callable[[str], Path]) -> None:
    bars = read_bars(market, shared_data(market.file).parent)
    check(name, market, bars, OPENED_BEYOND_THE_TARGET.get((name, market.symbol), []), least=100)


def whole_or_excerpt(market: Market, shared_data: Callable[[str], Path], which: str) -> BarSeries:
    return read_bars(market, EXCERPTS if which == "excerpt" else shared_data(market.file).parent)


@pytest.mark.parametrize("which", ["excerpt", "whole"])
@pytest.mark.parametrize(
    ("name", "market"), [("short brackets", EURUSD), ("short brackets", GOOG), ("brackets", SPY), ("brackets", EURUSD)]
)
@pytest.mark.parametrize("path", [PathModel.ADAPTIVE, PathModel.OPTIMISTIC])
def test_path_inside_a_bar(name: str, market: Market, which: str, path: PathModel, shared_data: Callable[[str], Path]) -> None:
    """With another path than the pessimistic, only bars that hold both legs differ, and those fills say so themselves."""
    bars = whole_or_excerpt(market, shared_data, which)
    ours, theirs, dependent = run_both(name, market, bars, path)
    beyond = OPENED_BEYOND_THE_TARGET.get((name, market.symbol), []) if which == "whole" else []
    by_path = [item for item in differing(ours, theirs) if item not in beyond]
    flagged = {(row, side, price) for row, side, _, price in dependent}
    assert {item[:3] for item in by_path} <= flagged
    if path is PathModel.OPTIMISTIC:
        # The most favourable path never ends at the stop loss where the target was there to be had.
        assert {item[:3] for item in by_path} == flagged
    for row, _, here, there in by_path:
        assert bars.low[row] <= min(here, there) <= max(here, there) <= bars.high[row]
    if which == "whole" and path is PathModel.OPTIMISTIC:
        assert by_path
