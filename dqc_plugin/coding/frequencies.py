"""Frequency tables for ANS: from counts to few bytes, and from those to 2^14 slots, in integers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import native, packed, varint
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.rans import SLOTS
from dqc_plugin.errors import ArtifactError

Counts = NDArray[np.int64]

# A code stands for a weight. A short code is half a byte; a long one has three bits of mantissa.
_SHORT = np.array([0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181])
_LONG = np.array([0] + [(8 + (code & 7)) << (code >> 3) for code in range(176)])
_CODES = (_SHORT, _LONG)
_WIDTHS = (4, 8)
_LONGEST_FILLER = 255


def encode(counts: Counts) -> bytes:
    """A table for symbols (alphabet,) that occur so often; of two forms the one that is smaller with its loss.

    It starts with a varint: twice the number of codes, + 1 for the long form. The codes follow, bit packed, of the
    symbols from 0 on; the symbols after them have none.
    """
    counts = np.trim_zeros(counts, "b") if counts.any() else np.ones(1, np.int64)
    tables = [_encode(counts, form) for form in range(len(_CODES))]
    return min(tables, key=lambda table: 8 * len(table) + bits(counts, take(Cursor(table), len(counts))))


def take(cursor: Cursor, alphabet: int) -> Counts:
    """The frequencies (alphabet,) of a table; ArtifactError if it is not one."""
    used, form = divmod(cursor.count(), len(_CODES))
    if used > alphabet:
        raise ArtifactError(f"a frequency table is of {used} symbols instead of {alphabet}")
    codes = cursor.take(packed.packed_length(used, _WIDTHS[form]))
    found = native.table(codes, used, form == 1, alphabet) if native.LIBRARY else _table(codes, used, form, alphabet)
    if found is None:
        raise ArtifactError("a frequency table is damaged")
    return found


def _table(data: bytes, used: int, form: int, alphabet: int) -> Counts | None:
    codes = packed.unpack(data, used, _WIDTHS[form])
    if not codes.any() or int(codes.max()) >= len(_CODES[form]):
        return None
    weights = np.zeros(alphabet, np.int64)
    weights[:used] = _CODES[form][codes]
    return to_slots(weights)


def to_slots(weights: Counts) -> Counts:
    """Frequencies in proportion to weights below 2^40: a slot for each that is not 0, the other slots by weight,

    rounded down, what is left to the first of the largest.
    """
    if native.LIBRARY:
        return native.to_slots(weights.copy())
    used = weights > 0
    frequencies: Counts = used + weights * (SLOTS - int(used.sum())) // int(weights.sum())
    frequencies[int(weights.argmax())] += SLOTS - int(frequencies.sum())
    return frequencies


def geometric(kept: int, size: int, filler: int) -> Counts:
    """The frequencies of gaps where ``kept`` of ``size`` weights are kept, none here rather than there.

    A gap of g has (1 - kept / size)^g of what a gap of 0 has. The alphabet ends with the filler.
    In fixed point: s_0 = 2^40, s_(g+1) = floor(s_g * q / 2^32), q = floor((size - kept) 2^32 / size); the weight of g
    is s_g - s_(g+1), the filler's what is left, each at least 1.
    """
    if native.LIBRARY:
        return native.geometric(kept, size, filler)
    ratio = ((size - kept) << 32) // size
    left = [1 << 40]
    for _ in range(filler):
        left.append(left[-1] * ratio >> 32)
    weights = -np.diff(np.array([*left, 0]))
    return to_slots(np.maximum(weights, 1))


def filler_of(kept: int, size: int) -> int:
    """The gap field that stands for so many dropped weights and no kept one: few gaps are as long."""
    return min(_LONGEST_FILLER, 4 * size // max(kept, 1) + 1)


def bits(counts: Counts, frequencies: Counts) -> float:
    """What symbols that occur so often cost with a table."""
    used = counts > 0
    return float(-(counts[used] * np.log2(frequencies[used] / SLOTS)).sum())


def _encode(counts: Counts, form: int) -> bytes:
    weights, largest = _CODES[form], int(counts.max())
    wanted = counts * (int(weights[-1]) / largest)
    middles = np.sqrt(weights[1:-1] * weights[2:].astype(np.float64))
    codes = np.where(counts > 0, 1 + np.searchsorted(middles, wanted), 0).astype(np.uint8)
    return varint.put(len(_CODES) * len(counts) + form) + packed.pack(codes, _WIDTHS[form])
