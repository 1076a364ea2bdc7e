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
    # Array by array into one frame: a long result is never held twice.
    frame = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=sum(len(array) for array in arrays) * _WIDTH)
    body = []
    for array in arrays:
        kind = 0 if array.dtype == np.int64 else 1
        head += _ENTRY.pack(kind, len(array))
        values = np.ascontiguousarray(array, _DTYPES[kind])
        if kind == 0:
            values = np.diff(values, prepend=np.int64(0))  # wraps at the ends of int64, and cumsum wraps back
        # Unlike `tobytes` and `join`, this copy does not keep the interpreter's lock.
        body.append(frame.compress(np.ascontiguousarray(values.view(np.uint8).reshape(len(array), _WIDTH).T).data))
    body.append(frame.flush())
    return bytes(head) + b"".join(body)


def unpack(data: bytes) -> list[NDArray[Any]]:
    """Return the arrays of `pack`, exact in every bit. Raises DamagedArrays."""
    kinds, lengths, raw = _opened(data)
    try:
        arrays: list[NDArray[Any]] = []
        start = 0
        for kind, length in zip(kinds, lengths, strict=True):
            values = _unshuffled(raw, 1, length, start)[0]
            arrays.append(np.cumsum(values, dtype=np.int64) if kind == 0 else values.view(_DTYPES[kind]))
            start += length * _WIDTH
    except (KeyError, ValueError) as error:
        raise DamagedArrays(str(error)) from error
    return arrays


def unpack_bars(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return one int64 array and the float64 arrays of its length that follow it, as rows of one. Raises DamagedArrays.

    The same as `unpack` in far fewer steps: numpy too gives the interpreter's lock back at each (see `core.store.sql`).
    """
    kinds, lengths, raw = _opened(data)
    if len(set(lengths)) != 1 or kinds[0] != 0 or any(kind != 1 for kind in kinds[1:]):
        raise DamagedArrays("it does not hold bars")
    try:
        table = _unshuffled(raw, len(kinds), lengths[0], 0)
    except ValueError as error:
        raise DamagedArrays(str(error)) from error
    return np.cumsum(table[0], dtype=np.int64), table[1:].view("<f8")


def _opened(data: bytes) -> tuple[list[int], list[int], bytes]:
    try:
        version, count = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise DamagedArrays(f"version {version} is not known")
        entries = [_ENTRY.unpack_from(data, _HEAD.size + index * _ENTRY.size) for index in range(count)]
        raw = zstandard.ZstdDecompressor().decompress(data[_HEAD.size + count * _ENTRY.size :])
    except (struct.error, zstandard.ZstdError) as error:
        raise DamagedArrays(str(error)) from error
    return [kind for kind, _ in entries], [length for _, length in entries], raw


def _unshuffled(raw: bytes, rows: int, length: int, start: int) -> NDArray[np.int64]:
    shuffled = np.frombuffer(raw, np.uint8, rows * _WIDTH * length, start).reshape(rows, _WIDTH, length)
    return np.ascontiguousarray(shuffled.transpose(0, 2, 1)).view("<i8").reshape(rows, length)
