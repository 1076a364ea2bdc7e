"""What happened to an account as a whole, shared by those who have a part of it: nothing is lost and nothing made."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.trading.portions import portions

D = Decimal
CENT = D("0.01")
amounts = st.integers(-1_000_000, 1_000_000).map(lambda cents: D(cents) / 100)
weights = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**9).map(lambda units: D(units) / 10**9), max_size=6)


@pytest.mark.parametrize(
    ("total", "of", "expected"),
    [
        ("10", {"a": "1", "b": "1"}, {"a": "5", "b": "5"}),
        ("1.40", {"a": "10", "b": "5"}, {"a": "0.94", "b": "0.46"}),
        ("-0.01", {"a": "1", "b": "2"}, {"a": "0", "b": "-0.01"}),
        ("5", {}, {}),
        ("5", {"a": "0"}, {}),
    ],
)
def test_each_has_its_portion_and_the_heaviest_what_rounding_leaves(total: str, of: dict[str, str], expected: dict[str, str]) -> None:
    found = portions(D(total), {name: D(weight) for name, weight in of.items()}, CENT)
    assert found == {name: D(share) for name, share in expected.items()}


@given(amounts, weights)
def test_together_they_are_the_total_and_each_is_within_a_unit_of_its_share(total: Decimal, of: dict[str, Decimal]) -> None:
    found = portions(total, of, CENT)
    whole = sum(of.values())
    assert sum(found.values()) == (total if whole else 0)
    for name, share in found.items():
        assert abs(share - total * of[name] / whole) <= CENT * len(of)
        assert share % CENT == 0
