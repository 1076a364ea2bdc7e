"""What a column means: by name, and by arithmetic."""

import numpy as np
import pytest

from core.data.columns import by_arithmetic, by_name, check_columns
from core.errors import InvalidValue, UnknownName


@pytest.mark.parametrize(
    ("headers", "columns"),
    [
        ("Date,Open,High,Low,Close,Volume", "time open high low close volume"),
        ("timestamp,open,high,low,close,volume", "time open high low close volume"),
        (",Open,High,Low,Close,Volume", "time open high low close volume"),
        ("Date,Open,High,Low,Close,Adj Close,Volume", "time open high low close - volume"),
        ("Date,Open,High,Low,Adj Close,Volume", "time open high low close volume"),
        ("<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>", "time open high low close - volume -"),
        ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USD", "time - - open high low close volume -"),
        ("Open Time,O,H,L,C,V,Close Time", "time open high low close volume -"),
        ("timestamp,1. open,2. high,3. low,4. close,5. volume", "time open high low close volume"),
        ("Gmt time,Open,High,Low,Close,Volume", "time open high low close volume"),
        ("date,close,low,high,open", "time close low high open"),
    ],
)
def test_names_of_many_publishers_are_known(headers: str, columns: str) -> None:
    cells = headers.split(",")
    assert by_name(cells, [False] * len(cells)).columns == tuple(columns.split())


def test_a_date_and_a_time_of_day_are_joined() -> None:
    guess = by_name(["Date", "Time", "Open", "High", "Low", "Close"], [False, True, False, False, False, False])
    assert guess.columns == ("date", "time", "open", "high", "low", "close")
    assert any("joined" in sentence for sentence in guess.said)
    assert any("no volume" in sentence for sentence in guess.said)


def walk(seed: int, volume_scale: float, order: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return rows of time, and open, high, low, close, volume in the given order."""
    chance = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(chance.normal(0, 0.002, 300)))
    opening = np.concatenate(([100.0], close[:-1])) * (1 + chance.normal(0, 0.0001, 300))
    high = np.maximum(opening, close) * (1 + abs(chance.normal(0, 0.001, 300)))
    low = np.minimum(opening, close) * (1 - abs(chance.normal(0, 0.001, 300)))
    volume = volume_scale * chance.random(300)
    bars = np.column_stack([opening, high, low, close, volume])
    return np.column_stack([np.arange(300.0) + 1.4e9, bars[:, order]])


@pytest.mark.parametrize("volume_scale", [0.01, 90.0, 130.0, 1e7])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 3, 1, 2, 4), (3, 2, 1, 0, 4), (4, 1, 0, 3, 2)])
def test_without_names_the_numbers_tell(volume_scale: float, order: tuple[int, ...]) -> None:
    names = ("open", "high", "low", "close", "volume")
    found = by_arithmetic(walk(3, volume_scale, order), ["time"] + ["-"] * 5)
    assert found.columns == ("time", *(names[place] for place in order))
    assert not found.doubts


def test_numbers_that_are_no_bars_are_left_open() -> None:
    chance = np.random.default_rng(1)
    found = by_arithmetic(chance.random((100, 5)) - 0.5, ["time", "-", "-", "-", "-"])
    assert found.columns == ("time", "-", "-", "-", "-")
    assert found.doubts


def test_open_and_close_that_are_equal_are_a_doubt() -> None:
    rows = np.column_stack([np.arange(50.0), *[np.full(50, 5.0)] * 4, np.zeros(50)])
    assert by_arithmetic(rows, ["time"] + ["-"] * 5).doubts


def test_named_columns_are_checked() -> None:
    check_columns(("date", "time", "open", "high", "low", "close"))
    check_columns(("-", "time", "open", "high", "low", "close", "-"))
    with pytest.raises(UnknownName, match="Did you mean volume"):
        check_columns(("time", "open", "high", "low", "close", "volum"))
    with pytest.raises(InvalidValue, match="low is named twice"):
        check_columns(("time", "open", "high", "low", "low", "close"))
    with pytest.raises(InvalidValue, match="a column for open and close"):
        check_columns(("time", "high", "low"))
