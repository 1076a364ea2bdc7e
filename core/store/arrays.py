"""Arrays to bytes and back, bit for bit: eight-byte columns, shuffled by byte and compressed.

int64 columns are stored as differences, so that evenly spaced times cost next to nothing.
Layout: `<BB` version and number of arrays; `<BQ` kind and length of each; one zstd frame over all of them.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

_HEAD: Final = struct.Struct("<BB")
_ENTRY: Final = struct.Struct("<BQ")
_VERSION: Final = 1
_DTYPES: Final[dict[int, str]] = {0: "<i8", 1: "<f8"}
_WIDTH: Final = 8
_LEVEL: Final = 3


class DamagedArrays(ValueError):
    """The bytes are not what `pack` made."""


def pack(arrays: Sequence[NDArray[Any]]) -> bytes:
    """Return one-dimensional int64 and float64 arrays as bytes."""
    head = bytearray(_HEAD.pack(_VERSION, len(arrays)))
    columns = []
    for array in arrays:
        kind = 0 if array.dtype == np.int64 else 1
        head += _ENTRY.pack(kind, len(array))
        values = np.ascontiguousarray(array, _DTYPES[kind])
        if kind == 0:
            values = np.diff(values, prepend=np.int64(0))  # wraps at the ends of int64, and cumsum wraps back
        columns.append(values.view(np.uint8).reshape(-1, _WIDTH).T.tobytes())
    return bytes(head) + zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(columns))


def unpack(data: bytes) -> list[NDArray[Any]]:
    """Return the arrays of `pack`, exact in every bit. Raises DamagedArrays."""
    try:
        version, count = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise DamagedArrays(f"version {version} is not known")
        entries = [_ENTRY.unpack_from(data, _HEAD.size + index * _ENTRY.size) for index in range(count)]
        # Without a known kind and a fitting length the steps below raise one of these as well.
        raw = zstandard.ZstdDecompressor().decompress(data[_HEAD.size + count * _ENTRY.size :])
        arrays: list[NDArray[Any]] = []
        start = 0
        for kind, length in entries:
            shuffled = np.frombuffer(raw, np.uint8, length * _WIDTH, start).reshape(_WIDTH, length)
            values = np.ascontiguousarray(shuffled.T).view(_DTYPES[kind]).reshape(length)
            arrays.append(np.cumsum(values, dtype=np.int64) if kind == 0 else values.astype(np.float64, copy=False))
            start += length * _WIDTH
    except (struct.error, zstandard.ZstdError, KeyError, ValueError) as error:
        raise DamagedArrays(str(error)) from error
    return arrays
