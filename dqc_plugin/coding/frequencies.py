"""Frequency tables for ANS: from counts to few bytes, and from those to 2^14 slots, in integers only."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from operator import mul
from typing import Any

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
# Or three bits stand for the step from one long code to the next, where neighbours are much alike.
_STEPS = (-28, -14, -7, -2, 2, 7, 14, 28)
OCTAVE_CODES, LAST_CODE = 8, 176
_STEP_WIDTH, _FIRST_CODE = 3, 89
_MIDDLES = [(step + after) / 2 for step, after in pairwise(_STEPS)]
_STARTS = range(-4, 4)  # what the encoder tries to add to all codes but the first, in their eighths of a power of two
_RARE = 0.4  # what a symbol that does not occur counts, where it cannot have a weight of 0
_MOST_STEPS = 32  # longer tables are of gaps, whose neighbours differ by chance
_LONGEST_FILLER = 255


def encode(counts: Counts) -> bytes:
    """A table for symbols (alphabet,) that occur so often; of three forms the one that is smallest with its loss.

    It starts with a varint: twice the number n of codes, + 1 for long ones; or twice n + alphabet for steps. The codes
    follow, bit packed, of the symbols from 0 on, or the steps from 1 on; the symbols after them have none.
    """
    alphabet, counts = len(counts), np.trim_zeros(counts, "b") if counts.any() else np.ones(1, np.int64)
    tables = [*(_encode(counts, form) for form in range(len(_CODES))), *_encode_steps(counts, alphabet)]
    return min(tables, key=lambda table: 8 * len(table) + bits(counts, take(Cursor(table), alphabet)[: len(counts)]))


def take(cursor: Cursor, alphabet: int) -> Counts:
    """The frequencies (alphabet,) of a table; ArtifactError if it is not one."""
    used, is_long = divmod(cursor.count(), 2)
    is_steps = alphabet < used <= 2 * alphabet and not is_long
    used -= alphabet if is_steps else 0
    if used > alphabet:
        raise ArtifactError(f"a frequency table is of {used} symbols instead of {alphabet}")
    width = _STEP_WIDTH if is_steps else _WIDTHS[is_long]
    codes = cursor.take(packed.packed_length(used - is_steps, width))
    make = native.table if native.LIBRARY else _table
    found = make(codes, used, width, alphabet)
    if found is None:
        raise ArtifactError("a frequency table is damaged")
    return found


def _table(data: bytes, used: int, width: int, alphabet: int) -> Counts | None:
    codes = _from_steps(data, used) if width == _STEP_WIDTH else packed.unpack(data, used, width)
    of_codes = _SHORT if width == _WIDTHS[0] else _LONG
    if not codes.any() or int(codes.max()) >= len(of_codes):
        return None
    weights = np.zeros(alphabet, np.int64)
    weights[:used] = of_codes[codes]
    return to_slots(weights)


def _from_steps(data: bytes, used: int) -> NDArray[np.integer[Any]]:
    codes = np.full(used, _FIRST_CODE)
    for at, step in enumerate(packed.unpack(data, used - 1, _STEP_WIDTH), 1):
        codes[at] = min(max(codes[at - 1] + _STEPS[step], 1), LAST_CODE)
    return codes


def to_slots(weights: Counts, slots: int = SLOTS) -> Counts:
    """Frequencies in proportion to weights below 2^40: a slot for each that is not 0, the other slots by weight,

    rounded down, what is left to the first of the largest.
    """
    if native.LIBRARY:
        return native.to_slots(weights.copy(), slots)
    used = weights > 0
    frequencies: Counts = used + weights * (slots - int(used.sum())) // int(weights.sum())
    frequencies[int(weights.argmax())] += slots - int(frequencies.sum())
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


def of_codes(codes: NDArray[np.int64], slots: int) -> Counts:
    """The frequencies (n,), so many slots in all, of symbols with long codes, those out of range brought into it."""
    return to_slots(_LONG[np.clip(codes, 1, LAST_CODE)], slots)


def tilted(frequencies: Counts, tilt: int) -> Counts:
    """The same with symbol s 2^(s tilt / 8) times as likely, or nearly so."""
    return to_slots(frequencies * _LONG[np.clip(_FIRST_CODE + tilt * np.arange(len(frequencies)), 1, LAST_CODE)])


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


def _encode_steps(counts: Counts, alphabet: int) -> list[bytes]:
    """Of each start the steps that come next to what is wanted; the table whose codes miss it least."""
    if len(counts) > _MOST_STEPS:
        return []
    shares = np.log2(np.maximum(counts, _RARE) / max(counts[0], _RARE))
    wanted, weights = (8 * shares + _FIRST_CODE).tolist(), counts.tolist()
    found = min((_follow(wanted, weights, start) for start in _STARTS), key=lambda of_start: of_start[0])
    steps = np.array(found[1], np.uint8)
    return [varint.put(2 * (len(counts) + alphabet)) + packed.pack(steps, _STEP_WIDTH)]


def _follow(wanted: list[float], weights: list[int], start: int) -> tuple[float, list[int]]:
    """What codes in eighths of a power of two miss, squared and weighted, and their steps."""
    code, steps, offs = _FIRST_CODE, [], [float(-start)]
    for place in wanted[1:]:
        step = bisect_left(_MIDDLES, place + start - code)
        code = min(max(code + _STEPS[step], 1), LAST_CODE)
        steps.append(step)
        offs.append(code - place - start)
    mean = sum(map(mul, weights, offs)) / sum(weights)  # all codes may be too large alike
    return sum(weight * (off - mean) ** 2 for weight, off in zip(weights, offs, strict=True)), steps
