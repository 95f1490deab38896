"""What ``huffman`` would take for a tensor, from histograms: at least so much, and little more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import gaps
from dqc_plugin.coding.coders import KeptIndices
from dqc_plugin.coding.groups import group, most_in_a_byte
from dqc_plugin.coding.one_table import code_lengths
from dqc_plugin.coding.packed import packed_length, width_of

_LONGEST_CODE = 15
_SYMBOLS_PER_TABLE, _TABLE_BITS, _BITS_OF_A_LENGTH = 1 << 15, 100, 3
_GAP_BITS = 8
_MOST_KEPT_BY_GAPS = 0.3  # of all weights; a mask is smaller above


def huffman_bytes(kept: KeptIndices, codebook_size: int) -> float:
    """Bytes of a tensor's streams in the smallest of the forms whose size histograms tell.

    They do not tell the size of runs, as in the mask of a layer whose whole filters are pruned.
    """
    values = min(_huffman(_grouped(kept.indices)), packed_length(len(kept.indices), width_of(codebook_size)))
    if kept.positions is None:
        return values
    is_sparse = len(kept.positions) < _MOST_KEPT_BY_GAPS * kept.size
    return values + (_gap_bytes if is_sparse else _mask_bytes)(kept.positions, kept.size)


def _mask_bytes(positions: NDArray[np.int64], size: int) -> float:
    mask = np.zeros(size, np.bool_)
    mask[positions] = True
    return _huffman(np.packbits(mask))


def _gap_bytes(positions: NDArray[np.int64], size: int) -> float:
    return _huffman(gaps.encode(positions, size, _GAP_BITS))


def _grouped(indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    used = np.flatnonzero(np.bincount(indices, minlength=1))
    together = most_in_a_byte(len(used))
    ranks = np.zeros(256, np.uint8)
    ranks[used] = np.arange(len(used))
    return group(ranks[indices], len(used), together) if together > 1 else indices


def _huffman(symbols: NDArray[np.uint8]) -> float:
    """One table, although zlib makes a new one for each so many symbols."""
    counts = np.bincount(symbols, minlength=2)
    bits = float((counts * code_lengths(counts, _LONGEST_CODE)).sum())
    tables = -(-len(symbols) // _SYMBOLS_PER_TABLE) * (_TABLE_BITS + _BITS_OF_A_LENGTH * np.count_nonzero(counts))
    return float(bits + tables) / 8
