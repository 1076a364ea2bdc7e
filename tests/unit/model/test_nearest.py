"""Which known name a wrong one is taken for: a slip is helped, and nothing is guessed that nobody meant."""

import pytest

from core.errors import nearest


@pytest.mark.parametrize(
    ("name", "choices", "near"),
    [
        ("sma-crss", ("sma-cross", "macd-cross"), "sma-cross"),
        ("1hour", ("1h", "1d", "4h"), "1h"),
        ("5m", ("1m",), "1m"),
        ("PAPR", ("live", "paper"), "paper"),
        ("half", ("all", "raw", "split"), None),
        ("Mars/Olympus", ("Asia/Omsk", "Asia/Tokyo"), None),
        ("", ("all",), None),
    ],
)
def test_the_name_that_was_meant(name: str, choices: tuple[str, ...], near: str | None) -> None:
    assert nearest(name, choices) == near
