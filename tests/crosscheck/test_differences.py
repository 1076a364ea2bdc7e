"""What differs from backtesting.py, each by the name it has in docs/simulation.md, and exactly so."""

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from core.model.instants import DAY_NS
from core.model.market import BarSeries, Timeframe
from core.model.order import OrderStatus, RejectCode
from core.model.run import PathModel
from core.strategy.api import Bar, BarStrategy, equity_share, leg
from tests.backtests import backtest
from tests.crosscheck.engines import CASH, MARGIN, Theirs, by_ours, by_theirs
from tests.crosscheck.real_bars import EXCERPTS, MARKETS, Market, read_bars
from tests.crosscheck.scripted import FLAT, PLAIN, ours, series, theirs

ROOT: Final = Path(__file__).resolve().parents[2]
IN_OTHER_FILE: Final = "test_path_inside_a_bar"


def test_every_difference_of_the_documentation_has_its_test() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    section = text.partition("## Differences to backtesting.py")[2].partition("\n## ")[0]
    named = re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE)
    tests = {name for name in vars(sys.modules[__name__]) if name.startswith("test_")} | {IN_OTHER_FILE}
    assert len(named) >= 15
    assert [name for name in named if f"test_{re.sub('[^a-z]+', '_', name.lower())}" not in tests] == []


# --- inside a bar ---


def test_opened_beyond_the_target() -> None:
    bars = series(FLAT, (110, 111, 90, 95), FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1, target=105, stop_loss=95)}, path=PathModel.PESSIMISTIC)
    there = theirs(bars, {1: lambda s: s.buy(size=1, tp=105, sl=95)})
    assert here.fills == [(2, "buy", 1, 100), (3, "sell", 1, 110)]
    assert there.fills == [(2, "buy", 1, 100), (3, "sell", 1, 95)]


def test_legs_of_an_entry_that_waits() -> None:
    # Filled at 102 on the way up; then, in the same bar, down to the stop loss. The next bar is far above it.
    bars = series((100, 103, 94, 101), (101, 104, 100, 103), FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1, stop=102, target=110, stop_loss=95)}, path=PathModel.OHLC)
    there = theirs(bars, {1: lambda s: s.buy(size=1, stop=102, tp=110, sl=95)})
    assert here.fills == [(2, "buy", 1, 102), (2, "sell", 1, 95)]
    assert there.fills == [(2, "buy", 1, 102)]
    # The exception: a target above a stop entry, in a bar that leaves the stop loss alone.
    bars = series((100, 112, 99, 101), FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1, stop=102, target=110, stop_loss=95)})
    there = theirs(bars, {1: lambda s: s.buy(size=1, stop=102, tp=110, sl=95)})
    assert here.fills == there.fills == [(2, "buy", 1, 102), (2, "sell", 1, 110)]


EVERY: Final = 8


def levels(close: float, market: Market) -> tuple[float, float, float]:
    """Return where a cycle enters, takes its profit and cuts its loss."""
    entry = round(close * (1.0 + 0.3 * market.step), market.digits)
    return entry, round(entry * (1.0 + market.step), market.digits), round(entry * (1.0 - 0.7 * market.step), market.digits)


class CyclesOurs(BarStrategy):
    """Every eight bars a stop entry with legs; before the next all is closed, so that one cycle says nothing to another."""

    market: Market

    def setup(self) -> None:
        self.at = -1

    def on_bar(self, bar: Bar) -> None:
        self.at += 1
        if self.at % EVERY == 1:
            entry, target, stop = levels(bar.close, self.market)
            self.buy(self.market.qty, stop=entry, time_in_force="gtc", target=target, stop_loss=leg(stop=stop))
        elif self.at % EVERY == EVERY - 1:
            self.cancel_all()
            if self.held():
                self.sell(self.held(), time_in_force="gtc")


class CyclesTheirs(Theirs):
    def init(self) -> None:
        pass

    def next(self) -> None:
        if self.at % EVERY == 1:
            entry, target, stop = levels(float(self.data.Close[-1]), self.market)
            self.buy(size=self.market.qty, stop=entry, tp=target, sl=stop)
        elif self.at % EVERY == EVERY - 1:
            for order in self.orders:
                if not order.is_contingent:
                    order.cancel()
            self.position.close()


@pytest.mark.parametrize("which", ["excerpt", "whole"])
@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
def test_legs_of_an_entry_that_waits_on_real_bars(market: Market, which: str, shared_data: Callable[[str], Path]) -> None:
    """A cycle differs if a leg acted here in the bar of its entry and had to wait there; but for one other name, nothing else differs."""
    bars = read_bars(market, EXCERPTS if which == "excerpt" else shared_data(market.file).parent)
    here, _ = by_ours(bars, CyclesOurs(), market)
    there = by_theirs(bars, CyclesTheirs, market)
    cycles: dict[int, tuple[list[Any], list[Any]]] = {}
    for engine, fills in enumerate((here.fills, there.fills)):
        for fill in fills:
            cycles.setdefault((fill[0] - 2) // EVERY, ([], []))[engine].append(fill)
    at_once = waited = 0
    for number, (mine, other) in cycles.items():
        assert mine[0] == other[0]  # the entry is the same everywhere
        row = mine[0][0]
        _, target, stop = levels(float(bars.close[number * EVERY + 1]), market)
        left = mine[1][0] if len(mine) == 2 else None
        if left == row:
            # Where the stop loss was not in the bar of the entry, a target leaves in it there, too.
            assert (mine == other) is bool(bars.low[row] > stop)
            if mine != other:
                assert bars.low[row] <= mine[1][3] <= bars.high[row]
                assert len(other) == 1 or other[1][0] > row
                at_once += 1
                waited += len(other) == 2
        elif left is not None and bars.open[left] >= target and bars.low[left] <= stop:
            # Opened beyond the target.
            assert mine[1][3] == bars.open[left]
            assert other[1] == (*mine[1][:3], stop)
        else:
            assert mine == other
    assert len(cycles) > 15
    assert at_once > 0
    assert waited > 0


def test_gap_through_a_stop_limit() -> None:
    bars = series((104, 106, 103.5, 105), FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1, stop=102, limit=105)})
    there = theirs(bars, {1: lambda s: s.buy(size=1, stop=102, limit=105)})
    assert here.fills == [(2, "buy", 1, 104)]
    assert there.fills == [(2, "buy", 1, 102)]
    assert bars.low[2] > 102


@pytest.mark.parametrize(("path", "filled"), [(PathModel.OHLC, [(2, "buy", 1, 101)]), (PathModel.OLHC, [])])
def test_stop_limit_in_one_bar(path: PathModel, filled: list[Any]) -> None:
    # High first: triggered at 104, back to the limit at 101. Low first: the limit was passed before the trigger, and not after.
    bars = series((102, 105, 100, 103), (108, 109, 107, 108))
    here, run = ours(bars, {1: lambda s: s.buy(1, stop=104, limit=101)}, path=path)
    there = theirs(bars, {1: lambda s: s.buy(size=1, stop=104, limit=101)})
    assert here.fills == filled
    assert there.fills == []
    (order,) = run.orders.values()
    assert order.path_dependent or run.fills[0].path_dependent


def test_two_orders_money_for_one() -> None:
    bars = series((100, 103, 97, 101), FLAT)
    here, run = ours(bars, {1: lambda s: (s.buy(900, stop=102), s.buy(900, limit=98))}, path=PathModel.OLHC)
    there = theirs(bars, {1: lambda s: (s.buy(size=900, stop=102), s.buy(size=900, limit=98))})
    assert here.fills == [(2, "buy", 900, 98)]
    assert there.fills == [(2, "buy", 900, 102)]
    assert (here.refused, there.refused) == (1, 1)
    assert run.rejections[0].code is RejectCode.INSUFFICIENT_CASH


# --- sizes, money and margin ---


def test_size_as_a_share() -> None:
    bars = series((103, 104, 102, 103), (103, 104, 102, 103))
    here, _ = ours(bars, {1: lambda s: s.buy(equity_share(0.5))})
    there = theirs(bars, {1: lambda s: s.buy(size=0.5)})
    assert here.fills == [(2, "buy", CASH * 0.5 / 100.0, 103)]  # the close that was known
    assert there.fills == [(2, "buy", CASH * 0.5 // 103.0, 103)]  # the open that it fills at
    assert (here.fills[0][2], there.fills[0][2]) == (500, 485)


def test_price_of_judging_margin() -> None:
    """900 units held on margin, 900 more at 100: whether that is allowed depends there on a close that comes after."""
    found = {}
    for close in (100.0, 130.0, 70.0):
        bars = series(FLAT, (100, max(101.0, close), min(99.0, close), close))
        here, run = ours(bars, {1: lambda s: s.buy(900), 2: lambda s: s.buy(900)}, account=MARGIN)
        there = theirs(bars, {1: lambda s: s.buy(size=900), 2: lambda s: s.buy(size=900)}, margin=0.5)
        found[close] = (len(here.fills), len(there.fills))
        assert [item.code for item in run.rejections] == []
    assert found == {100.0: (2, 2), 130.0: (2, 2), 70.0: (2, 1)}


def test_margin_call() -> None:
    bars = series(FLAT, (160, 181, 160, 180), (185, 186, 184, 185), (186, 187, 185, 186))
    here, run = ours(bars, {1: lambda s: s.sell(1000)}, account=MARGIN)
    there = theirs(bars, {1: lambda s: s.sell(size=1000)}, margin=0.5)
    # At 180 the equity is 20,000 of an exposure of 180,000.
    assert here.fills == [(2, "sell", 1000, 100), (4, "buy", 1000, 185)]
    assert run.fills[1].reason == "margin_call"
    assert there.fills == [(2, "sell", 1000, 100)]
    # There the run is ended when the equity is gone, at that close.
    bars = series(FLAT, (160, 211, 160, 210), FLAT)
    assert theirs(bars, {1: lambda s: s.sell(size=1000)}, margin=0.5).fills == [(2, "sell", 1000, 100), (3, "buy", 1000, 210)]


def test_selling_what_is_not_held() -> None:
    bars = series(FLAT, FLAT)
    here, run = ours(bars, {1: lambda s: s.sell(1)})
    there = theirs(bars, {1: lambda s: s.sell(size=1)})
    assert here.fills == []
    assert [item.code for item in run.rejections] == [RejectCode.INSUFFICIENT_POSITION]
    assert there.fills == [(2, "sell", 1, 100)]


# --- costs ---


def test_fee_of_an_order() -> None:
    bars = series(FLAT, FLAT, FLAT, FLAT)
    here, run = ours(bars, {1: lambda s: s.buy(1), 2: lambda s: s.buy(1), 3: lambda s: s.sell(3)}, fees="per-trade:2", account=MARGIN)
    there = theirs(
        bars,
        {1: lambda s: s.buy(size=1), 2: lambda s: s.buy(size=1), 3: lambda s: s.sell(size=3)},
        commission=(2.0, 0.0),
        margin=0.5,
    )
    assert here.fills == there.fills == [(2, "buy", 1, 100), (3, "buy", 1, 100), (4, "sell", 3, 100)]
    # The third order closes two trades and opens one.
    assert [fill.fee for fill in run.fills] == [2, 2, 2]
    assert here.equity == CASH - 3 * 2
    assert there.equity == CASH - 5 * 2


def test_spread() -> None:
    bars = series(FLAT, FLAT, FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1), 2: lambda s: s.sell(1)}, slippage="bps:50")
    there = theirs(bars, {1: lambda s: s.buy(size=1), 2: lambda s: s.position.close()}, spread=0.005)
    assert here.fills == [(2, "buy", 1, 100.5), (3, "sell", 1, 99.5)]
    assert [fill[3] for fill in there.fills] == pytest.approx([100.5, 100.0])
    here, _ = ours(bars, {1: lambda s: s.buy(1, limit=99.5)}, slippage="bps:50")
    there = theirs(bars, {1: lambda s: s.buy(size=1, limit=99.5)}, spread=0.005)
    assert here.fills == [(2, "buy", 1, 99.5)]
    assert there.fills[0][3] == pytest.approx(99.5 * 1.005)  # worse than its limit


# --- time ---


def test_trade_on_close() -> None:
    bars = series((103, 104, 102, 103), FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(1)})
    there = theirs(bars, {1: lambda s: s.buy(size=1)}, trade_on_close=True)
    assert here.fills == [(2, "buy", 1, 103)]
    assert there.fills == [(1, "buy", 1, 100)]


def test_closing_at_the_end() -> None:
    bars = series(FLAT, (103, 106, 102, 105))
    here, run = ours(bars, {1: lambda s: s.buy(1)}, close_at_end=True)
    there = theirs(bars, {1: lambda s: s.buy(size=1)}, finalize_trades=True)
    assert here.fills == [(2, "buy", 1, 100), (3, "sell", 1, 105)]
    assert run.fills[1].reason == "end_of_run"
    assert there.fills == [(2, "buy", 1, 100), (3, "sell", 1, 103)]


def test_time_in_force() -> None:
    # Tuesday to Monday; there is no bar for Thursday, the only session that a day order of Wednesday's close lives in.
    days = np.asarray([19_723 + day for day in (1, 2, 4, 7)], np.int64) * DAY_NS
    open_, high, low, close = np.asarray([FLAT] * 4).T.copy()
    bars = BarSeries.from_columns("SPY", Timeframe.parse("1d"), days, open_, high, low, close, np.ones(4))

    class Buys(BarStrategy):
        lives: str | None = None

        def on_bar(self, bar: Bar) -> None:
            if bar.start_ns == days[1]:
                self.buy(1, time_in_force=self.lives)

    missed = backtest(Buys(), bars)
    assert missed.fills == []
    assert [order.status for order in missed.orders.values()] == [OrderStatus.EXPIRED]
    patient = Buys()
    patient.lives = "gtc"
    (fill,) = backtest(patient, bars).fills
    assert fill.time_ns == days[2]
    assert theirs(bars, {1: lambda s: s.buy(size=1)}).fills == [(2, "buy", 1, 100)]


def test_first_call() -> None:
    called: list[int] = []
    bars = series(FLAT, FLAT)

    class Declared(Theirs):
        def init(self) -> None:
            self.mean = self.I(lambda values: pd.Series(values).rolling(2).mean(), self.data.Close)

        def next(self) -> None:
            called.append(self.at)

    here, _ = ours(bars, {at: lambda s: s.note(str(s.at)) for at in range(4)})
    assert here.fills == []
    seen: list[int] = []
    ours(bars, {at: lambda s: seen.append(s.at) for at in range(4)})
    assert seen == [0, 1, 2, 3]
    by_theirs(bars, Declared, PLAIN)
    assert called == [2, 3]  # the average exists from bar 1 on
    bare: list[int] = []
    theirs(bars, {at: lambda s: bare.append(s.at) for at in range(4)})
    assert bare == [1, 2, 3]


def test_units() -> None:
    bars = series(FLAT, FLAT)
    here, _ = ours(bars, {1: lambda s: s.buy(Decimal("1.5"))})
    assert here.fills == [(2, "buy", 1.5, 100)]
    with pytest.raises(AssertionError, match="positive whole number of units"):
        theirs(bars, {1: lambda s: s.buy(size=1.5)})
