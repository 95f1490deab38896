"""What streams would take, from histograms: nothing is encoded to choose between forms."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRIED = 1 << 15
"""So many symbols are encoded in each form within a millisecond or two, and the smallest is kept: exact, and in tensors
of few kilobytes a byte counts. Of more, the form is chosen by estimates."""

_SYMBOLS_PER_TABLE, _TABLE_BITS, _BITS_OF_A_LENGTH = 1 << 15, 100, 3
Form = tuple[float, Callable[[], bytes]]
"""About how many bytes, and what writes them."""


def smallest(forms: Iterable[Form], symbols: int) -> bytes:
    """The smallest of the forms of so many symbols."""
    if symbols <= TRIED:
        return min((write() for _, write in forms), key=len)
    _, write = min(forms, key=lambda form: form[0])
    return write()


def deflate_bytes(counts: NDArray[np.number[Any]]) -> float:
    """Bytes that occur so often, as ``huffman.encode`` codes them.

    That is with a code for all of them, although zlib makes a new one now and then, and with zlib's tables. The end of
    a block has a code of its own: of few symbols, the rarest ones take a bit more for it.
    """
    counts = counts[counts > 0]
    if not len(counts):
        return 0.0
    blocks = -(-int(counts.sum()) // _SYMBOLS_PER_TABLE)
    tables = blocks * (_TABLE_BITS + _BITS_OF_A_LENGTH * len(counts))
    return (_code_bits([*counts.tolist(), blocks]) + tables) / 8


def grouped_bytes(counts: NDArray[np.int64], together: int) -> float:
    """The same for groups of so many symbols in a byte, taken as independent of each other."""
    total = max(int(counts.sum()), 1)
    joint = reduce(np.multiply.outer, [counts / total] * together)
    return deflate_bytes(joint.reshape(-1) * (total / together))


def _code_bits(counts: list[float]) -> float:
    """Bits of two and more symbols with a Huffman code: the weights of the inner nodes of its tree."""
    bits = 0.0
    heapq.heapify(counts)
    while len(counts) > 1:
        both = heapq.heappop(counts) + counts[0]
        heapq.heapreplace(counts, both)
        bits += both
    return bits
