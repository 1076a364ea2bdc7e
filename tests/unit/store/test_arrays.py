"""Arrays to bytes and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.store.arrays import DamagedArrays, pack, unpack, unpack_bars

_ANY = st.integers(0, 50).flatmap(
    lambda length: arrays.arrays(np.int64, length) | arrays.arrays(np.int64, length).map(lambda bits: bits.view(np.float64))
)


@given(st.lists(_ANY, max_size=5))
def test_every_bit_comes_back(given_arrays: list[np.ndarray]) -> None:
    found = unpack(pack(given_arrays))
    assert [array.dtype for array in found] == [array.dtype for array in given_arrays]
    assert [array.tobytes() for array in found] == [array.tobytes() for array in given_arrays]


@given(st.integers(0, 40).flatmap(lambda length: st.tuples(arrays.arrays(np.int64, length), arrays.arrays(np.int64, (5, length)))))
def test_every_bit_of_bars_comes_back(columns: tuple[np.ndarray, np.ndarray]) -> None:
    starts, prices = columns[0], columns[1].view(np.float64)
    found_starts, found_prices = unpack_bars(pack([starts, *prices]))
    assert found_starts.tobytes() == starts.tobytes()
    assert found_prices.tobytes() == prices.tobytes()


def test_views_that_are_not_contiguous_are_packed_as_seen() -> None:
    wide = np.arange(20, dtype=np.float64)[::2]
    assert unpack(pack([wide]))[0].tolist() == wide.tolist()


def test_evenly_spaced_times_cost_next_to_nothing() -> None:
    assert len(pack([np.arange(65_536, dtype=np.int64) * 60_000_000_000])) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x02\x00" + pack([])[2:],
        pack([np.arange(9.0)])[:-3],
        pack([np.arange(9.0)])[:12] + b"torn",
        b"\x01\x01\x07" + pack([np.arange(9.0)])[3:],
        b"\x01\x01\x01\xff" + pack([np.arange(9.0)])[4:],
    ],
)
def test_damaged_bytes_are_told_from_arrays(data: bytes) -> None:
    with pytest.raises(DamagedArrays):
        unpack(data)
    with pytest.raises(DamagedArrays):
        unpack_bars(data)


def test_arrays_that_are_no_bars_are_refused() -> None:
    for given_arrays in ([np.arange(3.0)], [np.arange(3), np.arange(2.0)], [np.arange(3), np.arange(3)], []):
        with pytest.raises(DamagedArrays):
            unpack_bars(pack(given_arrays))
