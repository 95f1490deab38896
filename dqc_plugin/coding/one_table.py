"""Huffman coding of bytes with one table for all of them: a deflate stream (RFC 1951) of one block.

``huffman.encode`` leaves the table to zlib, which makes a new one every 32k symbols. ``huffman.decode`` reads both.
The block's end has a code as well: it makes the rarest symbol's a bit longer, which only small, even alphabets feel.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
_END = 256  # the symbol that ends a block
_LONGEST, _LONGEST_IN_TABLE = 15, 7  # bits of a code, RFC 1951 3.2.7
_TABLE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_ZEROS, _FEWEST_ZEROS, _MOST_ZEROS = 18, 11, 138  # the table's symbol for a run of zeros, and its 7 bits


def encode(symbols: NDArray[np.uint8]) -> bytes:
    """Symbols (n,) as one block."""
    counts = np.bincount(symbols, minlength=_END + 1)
    counts[_END] = 1
    lengths = code_lengths(counts, _LONGEST)
    codes = _codes(lengths)
    bits = [_table(lengths), _code_bits(symbols, codes, lengths), _code_bits(np.array([_END]), codes, lengths)]
    return np.packbits(np.concatenate(bits), bitorder="little").tobytes()


def code_lengths(counts: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Bits (k,) of each symbol's Huffman code (Huffman 1952), 0 where its count is 0.

    Counts are halved until no code is longer than ``longest``, as in bzip2.
    """
    lengths = _huffman_lengths(counts)
    while lengths.max() > longest:
        counts = (counts + 1) // 2
        lengths = _huffman_lengths(counts)
    return lengths


def _huffman_lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    lengths = np.zeros(len(counts), np.int64)
    heap = [(int(counts[symbol]), int(symbol), [int(symbol)]) for symbol in np.flatnonzero(counts)]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (one, tie, members), (other, _, more) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[members + more] += 1
        heapq.heappush(heap, (one + other, tie, members + more))
    return lengths


def _codes(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The canonical codes of RFC 1951 3.2.2."""
    codes = np.zeros(len(lengths), np.int64)
    code = 0
    for length in range(1, _LONGEST + 1):
        members = np.flatnonzero(lengths == length)
        codes[members] = code + np.arange(len(members))
        code = (code + len(members)) << 1
    return codes


def _code_bits(symbols: NDArray[np.integer], codes: NDArray[np.int64], lengths: NDArray[np.int64]) -> Bits:
    """The codes of symbols, one bit an element, the code's highest bit first."""
    places = np.arange(_LONGEST)
    bits = (codes[:, None] >> np.maximum(lengths[:, None] - 1 - places, 0) & 1).astype(np.uint8)
    used = places < lengths[:, None]
    rows: Bits = bits[symbols][used[symbols]]
    return rows


def _table(lengths: NDArray[np.int64]) -> Bits:
    """The head of a last block with a table of its own (RFC 1951 3.2.7): code lengths, and one unused distance code."""
    steps = _runs([*lengths.tolist(), 0])
    counts = np.bincount([symbol for symbol, _ in steps], minlength=len(_TABLE_ORDER))
    table_lengths = code_lengths(counts, _LONGEST_IN_TABLE)
    codes = _codes(table_lengths)
    bits = [_number(0b101, 3), _number(0, 5), _number(0, 5), _number(len(_TABLE_ORDER) - 4, 4)]
    bits += [_number(int(table_lengths[symbol]), 3) for symbol in _TABLE_ORDER]
    for symbol, extra in steps:
        bits.append(_code_bits(np.array([symbol]), codes, table_lengths))
        bits.append(_number(extra, 7 if symbol == _ZEROS else 0))
    return np.concatenate(bits)


def _runs(lengths: list[int]) -> list[tuple[int, int]]:
    """Code lengths as symbols of the table, long runs of zeros as one, with its extra bits."""
    steps: list[tuple[int, int]] = []
    at = 0
    while at < len(lengths):
        run = next((n for n, length in enumerate(lengths[at : at + _MOST_ZEROS]) if length), len(lengths[at:]))
        run = min(run, _MOST_ZEROS)
        is_run = run >= _FEWEST_ZEROS
        steps.append((_ZEROS, run - _FEWEST_ZEROS) if is_run else (lengths[at], 0))
        at += run if is_run else 1
    return steps


def _number(value: int, width: int) -> Bits:
    """A number's bits, the lowest first."""
    return (value >> np.arange(width) & 1).astype(np.uint8)
