"""Bars of several symbols that end together are taken row by row: nothing comes of it that taking them one by one would not give."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest import simulator
from core.backtest.rows import are_together
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries
from core.strategy.actions import Action
from core.strategy.placing import buy
from tests.property.test_matching_orders import asked, options, series
from tests.scripted import OPEN_NS, STOCK, Told, told
from tests.scripted import bars as minute_bars

SYMBOLS = ("X/Y", "A/B", STOCK)
BEGINS = (0, -5, 6 * 60 + 25)
"""In the session, across its open, and across its close; minutes from the open."""
CLOSE_NS = OPEN_NS + 390 * MINUTE_NS
seen: Counter[bool] = Counter()


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[BarSeries], dict[int, list[Action]]]:
    """Three symbols whose bars end together, but for those that one of them may lack, and what is asked of each."""
    first = draw(series(SYMBOLS[0]))
    others = [draw(series(symbol)) for symbol in SYMBOLS[1:]]
    count = min(len(first), *(len(other) for other in others))
    lacks = draw(st.sampled_from([None, 0, count - 1]))
    starts = first.start_ns[:count] + draw(st.sampled_from(BEGINS)) * MINUTE_NS
    made = [_at(own, starts) for own in (first, *others)]
    if lacks is not None and count > 1:
        keep = np.arange(count) != lacks
        made[1] = _kept(made[1], keep)
    script: dict[int, list[Action]] = defaultdict(list)
    for number, symbol in enumerate(SYMBOLS):
        for after, actions in draw(asked(symbol, f"o{number}-", places=6)).items():
            script[after] += actions
    return made, dict(script)


def _at(bars: BarSeries, start_ns: Any) -> BarSeries:
    columns = [column[: len(start_ns)].copy() for column in bars.columns()]
    return BarSeries.from_columns(bars.symbol, bars.timeframe, start_ns.copy(), *columns)


def _kept(bars: BarSeries, keep: Any) -> BarSeries:
    columns = [column[keep].copy() for column in bars.columns()]
    return BarSeries.from_columns(bars.symbol, bars.timeframe, bars.start_ns[keep].copy(), *columns)


def both_ways(bars: list[BarSeries], script: dict[int, list[Action]], **how: Any) -> tuple[Told, Told]:
    """Run row by row, where bars end together, and one by one."""

    def counted(*arguments: Any) -> bool:
        is_together = are_together(*arguments)
        seen[is_together] += 1
        return is_together

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(simulator, "MIXED_BLOCK", 8)
        patched.setattr(simulator, "BARS_OF_EACH", 1)
        patched.setattr(simulator, "are_together", counted)
        together = told(bars, script, **how)
        patched.setattr(simulator, "are_together", lambda *_arguments: False)
        return together, told(bars, script, **how)


@given(runs(), options, st.integers(100, 20_000))
def test_row_by_row_is_one_by_one(run: tuple[list[BarSeries], dict[int, list[Action]]], how: dict[str, Any], cash: int) -> None:
    together, apart = both_ways(*run, cash=str(cash), **how)
    assert _all_of(together) == _all_of(apart)


def test_a_day_order_expires_at_its_close_among_bars_that_end_together() -> None:
    bars = [_at(minute_bars(*["10 11 9 10"] * 9, symbol=symbol), CLOSE_NS + np.arange(-4, 5) * MINUTE_NS) for symbol in ("X/Y", STOCK)]
    together, apart = both_ways(bars, {1: [buy(STOCK, 1, limit=5, ref="far")]})
    assert together.lines == ["far expired"]
    assert _all_of(together) == _all_of(apart)


def test_both_kinds_of_blocks_were_reached() -> None:
    test_row_by_row_is_one_by_one()
    assert min(seen[True], seen[False]) > 20


def _all_of(ran: Told) -> tuple[object, ...]:
    run = ran.run
    return run.events, run.fills, run.rejections, run.times_ns.tolist(), run.equity.tolist(), run.held.tolist()
