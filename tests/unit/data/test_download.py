"""Which periods are still to be fetched."""

from hypothesis import given
from hypothesis import strategies as st

from core.data.download import covered, without
from core.events.envelope import envelope
from core.events.payloads import BarsDeleted, BarsDownloaded
from core.model.market import BarSetKey

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: (min(ends), max(ends))), max_size=8)


@given(st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda ends: ends[0] < ends[1]), SPANS)
def test_what_is_left_is_what_no_span_has(period: tuple[int, int], taken: list[tuple[int, int]]) -> None:
    left = without(period, taken)
    instants = {instant for first, last in left for instant in range(first, last)}
    assert instants == {instant for instant in range(*period) if not any(first <= instant < last for first, last in taken)}
    assert left == sorted(left)
    assert all(first < last for first, last in left)


def test_a_deleted_set_has_nothing_covered() -> None:
    def event(payload: BarsDownloaded | BarsDeleted) -> object:
        return envelope(payload, id="e", ts=0, producer="data")

    name = {"symbol": "SPY", "timeframe": "1m", "source": "alpaca-iex", "adjustment": "raw"}
    first = BarsDownloaded(**name, start_ns=0, end_ns=5, added=1, identical=0, changed=0)
    second = BarsDownloaded(**name, start_ns=7, end_ns=9, added=1, identical=0, changed=0)
    key = BarSetKey(symbol="SPY", timeframe="1m", source="alpaca-iex")
    assert covered([event(first), event(second)]) == {key: [(0, 5), (7, 9)]}  # type: ignore[list-item]
    assert covered([event(first), event(BarsDeleted(**name)), event(second)]) == {key: [(7, 9)]}  # type: ignore[list-item]
