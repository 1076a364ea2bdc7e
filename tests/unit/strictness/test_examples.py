"""The gate tries properties on the same examples wherever it runs."""

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples, is_exploring


def drawn() -> list[tuple[int, float, str]]:
    """What a property is tried on."""
    found = []

    @examples(300)
    @given(st.integers(), st.floats(allow_nan=False), st.text())
    def holds(number: int, share: float, word: str) -> None:
        found.append((number, share, word))

    holds()
    return found


def test_what_a_property_is_tried_on_does_not_hang_on_what_ran_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_exploring():
        pytest.skip("with --soak the examples are new each time")
    before = drawn()
    (tmp_path / "rare_words.py").write_text("NAMES = ['first', 'second', 'third']\nLIMITS = [81_234, 92_345, 0.8125, 0.71875]\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("rare_words")
    try:
        assert drawn() == before
    finally:
        del sys.modules["rare_words"]


def test_a_profile_says_how_many() -> None:
    assert len(drawn()) >= 300
