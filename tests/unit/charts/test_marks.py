import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import MINUTE_NS
from core.model.market import Instants
from ui.charts.data import TradeMarks
from ui.charts.marks import TradeIndex
from ui.charts.timeline import Timeline

TIMELINE = Timeline(np.arange(1000, dtype=np.int64) * MINUTE_NS, MINUTE_NS, compress_gaps=True)


def trades_of(entries: Instants, durations: Instants, seed: int) -> TradeMarks:
    random = np.random.default_rng(seed)
    exits = np.minimum(entries + durations, 999)
    n = len(entries)
    return TradeMarks(
        entry_ns=entries * MINUTE_NS,
        exit_ns=exits * MINUTE_NS,
        entry_price=np.ones(n),
        exit_price=np.ones(n),
        direction=random.choice([-1, 1], n).astype(np.int64),
        qty=np.ones(n),
        pnl=random.normal(0, 1, n),
    )


TRADES = st.builds(
    lambda pairs, seed: trades_of(np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64), seed),
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 400)), min_size=1, max_size=60),
    st.integers(0, 1000),
)


@given(trades=TRADES, left=st.floats(-10, 1000), span=st.floats(1, 500))
def test_no_trade_in_view_is_left_out(trades: TradeMarks, left: float, span: float) -> None:
    index = TradeIndex(trades, TIMELINE)
    found = set(index.visible(left, left + span).tolist())
    touching = np.flatnonzero((index.entry_slot <= left + span) & (index.exit_slot >= left))
    assert set(touching.tolist()) <= found
    assert index.count(left, left + span) >= len(touching)


@given(trades=TRADES, size=st.integers(1, 300))
def test_merged_marks_keep_every_count_and_every_profit(trades: TradeMarks, size: int) -> None:
    buckets = TradeIndex(trades, TIMELINE).buckets(-1, 1001, size)
    assert buckets.buys.sum() == len(trades)
    assert buckets.sells.sum() == len(trades)
    assert np.isclose(buckets.pnl.sum(), trades.pnl.sum())
    assert len(buckets.slot) <= 1000 // size + 1
    assert (buckets.buys + buckets.sells > 0).all()
