"""Deep Compression's form (Han et al. 2016, sections 2 and 4), to compare with: it chooses nothing by itself.

An entry is a field of ``gap_bits`` bits, the dropped weights before its weight, and the symbol of its weight's value.
A longer gap is bridged by fillers: entries with the field's largest value and a weight that is zero. Each of the two
streams has one Huffman table.

Two things the paper leaves open. Fillers also bridge what is dropped after the last kept weight, so that no size can
be claimed without bytes. And where all 256 symbols are codewords, the filler shares the last one's, and a bit for each
of these tells them apart.

Positions: empty if every weight is kept, else a byte with ``gap_bits``, the number of fillers (varint), the fields'
Huffman codes. Indices: the symbols' Huffman codes; in a codebook of 256 after their length (varint), and before the
bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import huffman, one_table, packed, varint
from dqc_plugin.coding.coders import Coded, KeptIndices, PlainSize
from dqc_plugin.errors import ArtifactError

GAP_BITS = range(1, 9)
_SYMBOLS = 256
_CODES_PER_BYTE = 8  # a Huffman code has a bit at least


@dataclass(frozen=True)
class DeepCompressionCoder:
    """gap_bits: width (1 to 8) of a field; 5 is the paper's for LeNet and AlexNet's fully connected layers."""

    gap_bits: int = 5

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        if kept.positions is None:
            return Coded(b"", _encode_values(kept.indices, np.ones(kept.size, np.bool_), codebook_size))
        fields, is_kept = _to_fields(kept.positions, kept.size, self.gap_bits)
        head = bytes([self.gap_bits]) + varint.put(len(fields) - len(kept.indices))
        return Coded(head + one_table.encode(fields), _encode_values(kept.indices, is_kept, codebook_size))

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> KeptIndices:
        if not coded.positions:
            return _decode_all(coded.indices, size, count, codebook_size)
        gap_bits = coded.positions[0]
        if gap_bits not in GAP_BITS:
            raise ArtifactError(f"gaps have an unknown width ({gap_bits} bits)")
        fillers, start = varint.take(coded.positions, 1)
        if not count + fillers <= size < (count + fillers + 1) << gap_bits:
            raise ArtifactError(f"{count + fillers} gaps of {gap_bits} bits cannot reach through {size} weights")
        fields = _decode_symbols(coded.positions[start:], count + fillers)
        indices, is_kept = _decode_values(coded.indices, count, fillers, codebook_size)
        return KeptIndices(size, _to_positions(fields, is_kept, size, gap_bits), indices)

    def plain_size(self, kept: KeptIndices, codebook_size: int) -> PlainSize:
        """Fixed widths for each entry, the filler's zero a symbol as well."""
        if kept.positions is None:
            return PlainSize(kept.size, 0, packed.width_of(codebook_size))
        fields, is_kept = _to_fields(kept.positions, kept.size, self.gap_bits)
        symbols = codebook_size + int(not is_kept.all())
        return PlainSize(len(fields), packed.packed_length(len(fields), self.gap_bits), packed.width_of(symbols))


def _to_fields(positions: NDArray[np.int64], size: int, gap_bits: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The fields (n + fillers,), and which of them are of kept weights."""
    gaps = np.diff(np.concatenate(([-1], positions, [size]))) - 1
    fillers, rests = np.divmod(gaps, 1 << gap_bits)
    entries = len(positions) + int(fillers.sum())
    fields, is_kept = np.full(entries, (1 << gap_bits) - 1, np.uint8), np.zeros(entries, np.bool_)
    places = np.cumsum(fillers[:-1] + 1) - 1
    fields[places], is_kept[places] = rests[:-1], True
    return fields, is_kept


def _to_positions(fields: NDArray[np.uint8], is_kept: NDArray[np.bool_], size: int, gap_bits: int) -> NDArray[np.int64]:
    longest = (1 << gap_bits) - 1
    if bool((fields[~is_kept] != longest).any()) or int(fields.max(initial=0)) > longest:
        raise ArtifactError(f"a gap does not fit its {gap_bits} bits, or a filler is not the longest")
    ends = np.cumsum(fields, dtype=np.int64) + np.arange(1, len(fields) + 1)
    reached = int(ends[-1]) if len(ends) else 0
    if not reached <= size <= reached + longest:
        raise ArtifactError(f"the gaps reach {reached} of {size} weights")
    positions: NDArray[np.int64] = ends[is_kept] - 1
    return positions


def _encode_values(indices: NDArray[np.uint8], is_kept: NDArray[np.bool_], codebook_size: int) -> bytes:
    filler = min(codebook_size, _SYMBOLS - 1)
    symbols = np.full(len(is_kept), filler, np.uint8)
    symbols[is_kept] = indices
    codes = one_table.encode(symbols)
    if codebook_size < _SYMBOLS:
        return codes
    return varint.put(len(codes)) + codes + packed.pack(is_kept[symbols == filler].astype(np.uint8), 1)


def _decode_values(
    data: bytes, count: int, fillers: int, codebook_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The kept weights' indices (count,), and which entries (count + fillers,) are of kept weights."""
    length, start = varint.take(data) if codebook_size == _SYMBOLS else (len(data), 0)
    symbols = _decode_symbols(data[start : start + length], count + fillers)
    filler = min(codebook_size, _SYMBOLS - 1)
    is_kept: NDArray[np.bool_] = symbols != filler
    if codebook_size == _SYMBOLS:
        shared = ~is_kept
        is_kept[shared] = packed.unpack(data[start + length :], int(shared.sum()), 1) == 1
    indices: NDArray[np.uint8] = symbols[is_kept]
    if len(indices) != count:
        raise ArtifactError(f"the values are of {len(indices)} kept weights instead of {count}")
    if int(indices.max(initial=0)) >= codebook_size:
        raise ArtifactError(f"a value is not one of the {codebook_size} of the codebook")
    return indices, is_kept


def _decode_all(data: bytes, size: int, count: int, codebook_size: int) -> KeptIndices:
    if count != size:
        raise ArtifactError(f"no positions are given for {count} of {size} weights")
    return KeptIndices(size, None, _decode_values(data, count, 0, codebook_size)[0])


def _decode_symbols(data: bytes, count: int) -> NDArray[np.uint8]:
    if count > _CODES_PER_BYTE * len(data):
        raise ArtifactError(f"{len(data)} bytes cannot hold {count} Huffman codes")
    return huffman.decode(data, count)


deep_compression = DeepCompressionCoder()
