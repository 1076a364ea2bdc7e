"""The simulated market: seeded, endless, and its minutes are made of its prices."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from core.brokers.sim_market import HISTORY_NS, STEPS, SYMBOLS, SimMarket
from core.errors import UnknownName
from core.matching.path import high_first
from core.model.broker import LiveBar, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.run import PathModel

BEGINS = 20_000 * DAY_NS + 123 * MINUTE_NS + 7


def test_the_same_seed_gives_the_same_market_and_another_does_not() -> None:
    one, same, other = SimMarket(1, BEGINS), SimMarket(1, BEGINS), SimMarket(2, BEGINS)
    for symbol in SYMBOLS:
        bars, again = (market.bars(symbol, BEGINS - DAY_NS, BEGINS) for market in (one, same))
        assert all(np.array_equal(a, b) for a, b in zip(bars.columns(), again.columns(), strict=True))
        assert not np.array_equal(bars.close, other.bars(symbol, BEGINS - DAY_NS, BEGINS).close)


def test_it_has_history_and_only_minutes_that_are_over() -> None:
    market = SimMarket(1, BEGINS)
    bars = market.bars("DEMO", 0, BEGINS + DAY_NS)
    assert len(bars) * MINUTE_NS >= HISTORY_NS
    assert int(bars.start_ns[-1]) + MINUTE_NS <= BEGINS
    assert np.all(np.diff(bars.start_ns) == MINUTE_NS)
    assert not len(market.bars("DEMO", BEGINS, BEGINS + DAY_NS))
    with pytest.raises(UnknownName):
        market.bars("SPY", 0, BEGINS)


def test_a_minute_is_told_when_it_is_over_after_the_price_that_ends_it() -> None:
    market, told = SimMarket(1, BEGINS), []
    prices: list[tuple[str, Decimal]] = []
    ticks: list[Tick] = []
    market.opened = lambda symbol, price: prices.append((symbol, price))
    market.moved = lambda symbol, price, _came_from: prices.append((symbol, price))

    def take(tick: Tick) -> None:
        ticks.append(tick)
        told.append(len(prices))

    end = market.listen(Watch(bars=("DEMO",)), take)
    for _ in range(3 * STEPS):
        market.step()
    end()
    for _ in range(2 * STEPS):
        market.step()
    assert len(ticks) == 3
    bars = [tick.bar for tick in ticks if isinstance(tick, LiveBar)]
    history = market.bars("DEMO", bars[0].start_ns, bars[-1].end_ns)
    assert [bar.start_ns for bar in bars] == history.start_ns.tolist()
    assert [bar.close for bar in bars] == history.close.tolist()
    own = [price for symbol, price in prices if symbol == "DEMO"]
    # The bar was told right after the first price of the next minute, and that price is the next bar's open.
    opens = [own[(count // len(SYMBOLS)) - 1] for count in told[:2]]
    assert [float(price) for price in opens] == [bar.open for bar in bars[1:]]
    assert bars[1].high == max(float(price) for price in own[told[0] // len(SYMBOLS) - 1 :][:STEPS])


def test_within_a_minute_the_price_goes_from_one_to_the_next_and_a_minute_begins_anew() -> None:
    market = SimMarket(1, BEGINS)
    seen: list[tuple[Decimal, Decimal | None]] = []
    market.opened = lambda symbol, price: seen.append((price, None)) if symbol == "DEMO" else None
    market.moved = lambda symbol, price, came_from: seen.append((price, came_from)) if symbol == "DEMO" else None
    for _ in range(2 * STEPS):
        market.step()
    jumps = [place for place, (_, came_from) in enumerate(seen) if came_from is None]
    assert len(jumps) == 2
    assert jumps[1] - jumps[0] == STEPS
    assert all(came_from in {None, before} for (before, _), (_, came_from) in pairwise(seen))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_each_minute_goes_the_way_that_a_backtest_takes_for_its_bar(symbol: str) -> None:
    market = SimMarket(3, BEGINS)
    minutes = market._path(symbol, 1_440 * STEPS).reshape(-1, STEPS)
    bars = market.bars(symbol, 0, BEGINS)
    assert len(np.unique(minutes[:, 5])) > 200
    for prices, opened, high, low, closed in zip(minutes.tolist(), *(column.tolist() for column in bars.columns()[:4]), strict=False):
        is_up = high_first(PathModel.ADAPTIVE, opened, high, low)
        corners = [opened, *((high, low) if is_up else (low, high)), closed]
        left, way = prices, []
        for corner in corners:  # each piece of the way leads to the next corner without a turn
            piece = left[: left.index(corner) + 1]
            assert piece in (sorted(piece), sorted(piece, reverse=True))
            way += piece
            left = left[len(piece) :] or [corner]
        assert prices[-1] == closed
        assert (max(prices), min(prices)) == (high, low)
