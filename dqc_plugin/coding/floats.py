"""Few floats, such as biases and batch norm: exponents and signs as decisions, mantissas as they are.

The mantissa bits that are 0 in all (byte); the greatest exponent field E (varint); how many are not +0.0 (varint);
their other mantissa bits, packed; the decisions (``decisions.py``), trimmed (``rans.py``). Of each float in turn: is
it not +0.0 (if some are and some are not); its sign; and, for each step down from E, is this its exponent. Each of
these questions has one context, the steps one each; the reserve is 25.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions, native, rans, varint
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.decisions import Code, decide, rates_of
from dqc_plugin.errors import ArtifactError

MOST_FLOATS = 1 << 14
"""In more, tables and deflate find as much, faster."""
MOST_STEPS = 128
_FLOATS_PER_BYTE = 8 * 255
_RESERVE = 25
Bits = NDArray[np.uint64]
Codes = NDArray[np.uint16]
"""0 for +0.0, else 1 + 2 steps + sign."""


@dataclass(frozen=True)
class Layout:
    """Where sign, exponent and mantissa of a float lie: in ``width`` bits, the mantissa in the lowest."""

    width: int
    mantissa: int

    @property
    def exponents(self) -> int:
        """How many values the exponent field has."""
        return 1 << self.width - 1 - self.mantissa


def encode(floats: Bits, layout: Layout) -> bytes | None:
    """The bits (n,) of floats as a stream; None if they are too many, or too far apart, for this form."""
    exponents = (floats >> np.uint64(layout.mantissa)) & np.uint64(layout.exponents - 1)
    signs, is_kept = floats >> np.uint64(layout.width - 1), floats != 0
    greatest = int(exponents.max(where=is_kept, initial=0))
    steps = greatest - exponents.astype(np.int64)
    if not 0 < len(floats) <= MOST_FLOATS or steps.max(where=is_kept, initial=0) >= MOST_STEPS:
        return None
    codes = np.where(is_kept, 1 + 2 * steps + signs.astype(np.int64), 0).astype(np.uint16)
    kept = floats[is_kept] & np.uint64((1 << layout.mantissa) - 1)
    unused = _low_zeros(kept, layout.mantissa)
    head = bytes([unused]) + varint.put(greatest) + varint.put(len(kept))
    data = head + _pack(kept >> np.uint64(unused), layout.mantissa - unused) + _encode_codes(codes, len(kept))
    return data if len(floats) <= _FLOATS_PER_BYTE * len(data) else None


def decode(data: Data, count: int, layout: Layout) -> Bits:
    """The bits of ``count`` floats; ArtifactError if the stream cannot be theirs."""
    cursor = Cursor(data)
    unused, greatest, kept = cursor.byte(), cursor.count(), cursor.count()
    is_sound = unused <= layout.mantissa and greatest < layout.exponents and kept <= count
    if not is_sound or not 0 < count <= min(MOST_FLOATS, _FLOATS_PER_BYTE * len(data)):
        raise ArtifactError(f"{count} floats have a head that cannot be theirs")
    width = layout.mantissa - unused
    mantissas = _unpack(cursor.take(-(-kept * width // 8)), kept, width)
    codes = _decode_codes(cursor.rest(), count, kept).astype(np.int64)
    is_kept = codes > 0
    exponents = greatest - (codes[is_kept] - 1 >> 1)
    if np.count_nonzero(is_kept) != kept or exponents.min(initial=0) < 0:
        raise ArtifactError("a stream of floats does not fit its head")
    bits = np.zeros(count, np.uint64)
    high = (codes[is_kept] - 1 & 1) << layout.width - 1 - layout.mantissa | exponents
    bits[is_kept] = high.astype(np.uint64) << np.uint64(layout.mantissa) | mantissas << np.uint64(unused)
    return bits


def _low_zeros(mantissas: Bits, most: int) -> int:
    """How many of the lowest bits no mantissa has."""
    used = int(np.bitwise_or.reduce(mantissas, initial=0))
    return most if not used else (used & -used).bit_length() - 1


def _pack(numbers: Bits, width: int) -> bytes:
    bits = numbers[:, None] >> np.arange(width, dtype=np.uint64) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def _unpack(data: bytes, count: int, width: int) -> Bits:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * width, bitorder="little")
    places = np.arange(width, dtype=np.uint64)
    numbers: Bits = (bits.reshape(count, width).astype(np.uint64) << places).sum(1, dtype=np.uint64)
    return numbers


def _encode_codes(codes: Codes, kept: int) -> bytes:
    if native.LIBRARY:
        stream = native.encode_floats(codes, kept)
    else:
        writer = decisions.Writer()
        _walk(codes.copy(), kept, writer)
        stream = decisions.push(writer.decisions)
    return rans.trim(decisions.join(*stream))


def _decode_codes(data: Data, count: int, kept: int) -> Codes:
    stream, codes = decisions.split(rans.untrim(data)), np.zeros(count, np.uint16)
    if native.LIBRARY:
        ends = native.decode_floats(stream, kept, codes)
    else:
        reader = decisions.Reader(*stream)
        ends = _walk(codes, kept, reader) and reader.ends()
    if not ends:
        raise ArtifactError("a stream of decisions does not end with the floats")
    return codes


def _walk(codes: Codes, kept: int, code: Code) -> bool:
    """Every decision in turn; a decoder changes the codes. False where there are too many steps."""
    rates, (of_kept, of_sign, *of_steps) = rates_of(_RESERVE), [[0, 0] for _ in range(2 + MOST_STEPS)]
    for at, known in enumerate(codes.tolist()):
        has_choice = 0 < kept < len(codes)
        if not (decide([of_kept], rates, code, int(known > 0)) if has_choice else kept):
            continue
        sign = decide([of_sign], rates, code, known - 1 & 1)
        wanted = known - 1 >> 1
        steps = next((n for n in range(MOST_STEPS) if decide([of_steps[n]], rates, code, int(n == wanted))), None)
        if steps is None:
            return False
        codes[at] = 1 + 2 * steps + sign
    return True
