"""Bit packing: ``width`` bits a symbol, the first symbol in the lowest bits, little-endian.

Eight symbols make one 64-bit word with a symbol in each byte. Three rounds push neighbours together (pairs of bytes,
of 16 and of 32 bits), so that the word's lowest ``width`` bytes hold all eight. Unpacking runs the rounds backwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding.cursor import Data
from dqc_plugin.errors import ArtifactError

_LANES = (8, 16, 32)
_FEW = 32
_PART = 1 << 16  # symbols that stay in the cache


def width_of(alphabet: int) -> int:
    """Bits (1 to 8) that hold the symbols 0 .. alphabet - 1."""
    return max(1, (alphabet - 1).bit_length())


def packed_length(count: int, width: int) -> int:
    """Bytes of so many packed symbols."""
    return -(-count * width // 8)


def pack(symbols: NDArray[np.uint8], width: int) -> bytes:
    """Symbols (n,), each below 2^width, as ceil(n * width / 8) bytes; unused bits are 0."""
    padded = np.zeros(-(-len(symbols) // 8) * 8, np.uint8)
    padded[: len(symbols)] = symbols
    words = padded.view("<u8")
    for lane in _LANES:
        low, used = _low_halves(lane, width)
        words = (words & low) | ((words >> np.uint64(lane)) & low) << used
    rows = words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    return rows[:, :width].tobytes()[: packed_length(len(symbols), width)]


def unpack(data: Data, count: int, width: int) -> NDArray[np.uint8]:
    """The ``count`` symbols that :func:`pack` made ``data`` of; ArtifactError if the length does not fit."""
    if len(data) != packed_length(count, width):
        raise ArtifactError(
            f"{count} packed symbols of {width} bits take {packed_length(count, width)} bytes, not {len(data)}"
        )
    if count <= _FEW:  # an operation on a few numbers takes numpy longer
        whole, mask = int.from_bytes(data, "little"), (1 << width) - 1
        return np.array([whole >> at & mask for at in range(0, count * width, width)], np.uint8)
    symbols, view = np.empty(count, np.uint8), memoryview(data)
    for start in range(0, count, _PART):
        part = symbols[start : start + _PART]
        part[:] = _unpack(view[start // 8 * width :][: packed_length(len(part), width)].tobytes(), len(part), width)
    return symbols


def _unpack(data: bytes, count: int, width: int) -> NDArray[np.uint8]:
    groups = -(-count // 8)
    rows = np.zeros((groups, 8), np.uint8)
    rows[:, :width] = np.frombuffer(data.ljust(groups * width, b"\0"), np.uint8).reshape(groups, width)
    words = rows.reshape(-1).view("<u8")
    for lane in reversed(_LANES):
        low, used = _low_halves(lane, width)
        words = (words & low) | ((words >> used) & low) << np.uint64(lane)
    return words.astype("<u8", copy=False).view(np.uint8)[:count]


def _low_halves(lane: int, width: int) -> tuple[np.uint64, np.uint64]:
    """The mask of the used bits in the lower lane of each pair of lanes, and how many those are."""
    used = width * lane // 8
    mask = sum(((1 << used) - 1) << at for at in range(0, 64, 2 * lane))
    return np.uint64(mask), np.uint64(used)
