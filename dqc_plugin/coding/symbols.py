"""A stream of symbols in the smallest of its forms.

The first byte of a stream says its form: bits 0-3 are 0 for bit packing or the number of symbols in each
Huffman-coded byte; bit 4 is set when only part of the alphabet occurs, and a bitmap of those symbols follows; the
codes are then of their ranks. The reader knows the number of symbols and the alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import huffman, packed
from dqc_plugin.coding.groups import group, most_in_a_byte, ungroup
from dqc_plugin.errors import ArtifactError

_TOGETHER, _RANKED = 0x0F, 0x10


def encode(symbols: NDArray[np.uint8], alphabet: int, entropy_coded: bool, least: int = 0) -> bytes:
    """Symbols (n,), each below ``alphabet`` (1 to 256); only bit packing unless ``entropy_coded``.

    least: a Huffman-coded stream is filled up to so many bytes.
    """
    return min(_forms(symbols, alphabet, entropy_coded, least), key=len)


def encode_runs(bits: NDArray[np.uint8], least: int = 0) -> bytes:
    """Symbols 0 and 1 (n,) that come in runs, as the mask of a layer whose whole filters are pruned."""
    return bytes([8]) + huffman.encode(group(bits, 2, 8), runs=True, least=least)


def decode(data: bytes, count: int, alphabet: int) -> NDArray[np.uint8]:
    """The ``count`` symbols of a stream; ArtifactError, before memory is taken, if it cannot be one."""
    if not data or data[0] & ~(_TOGETHER | _RANKED):
        raise ArtifactError("a stream of symbols has an unknown form")
    together, is_ranked = data[0] & _TOGETHER, bool(data[0] & _RANKED)
    letters, start = _read_letters(data, alphabet) if is_ranked else (np.arange(alphabet, dtype=np.uint8), 1)
    if together > most_in_a_byte(len(letters)):
        raise ArtifactError(f"{together} symbols out of {len(letters)} do not fit a byte")
    if together:
        numbers = huffman.decode(data[start:], -(-count // together))
        return ungroup(numbers, count, letters, together)
    ranks = packed.unpack(data[start:], count, packed.width_of(len(letters)))
    return ungroup(ranks, count, letters, 1)


def _forms(symbols: NDArray[np.uint8], alphabet: int, entropy_coded: bool, least: int) -> Iterator[bytes]:
    yield bytes([0]) + packed.pack(symbols, packed.width_of(alphabet))
    used = np.flatnonzero(np.bincount(symbols, minlength=alphabet)).astype(np.uint8)
    ranked, ranks, letters = 0, symbols, b""
    if 0 < len(used) < alphabet:
        ranked, ranks, letters = _RANKED, _ranks(symbols, used), _bitmap(used, alphabet)
        yield bytes([ranked]) + letters + packed.pack(ranks, packed.width_of(len(used)))
        alphabet = len(used)
    if not entropy_coded:
        return
    most = most_in_a_byte(alphabet)
    for together in (most,) if most in (1, 8) else (most, most - 1):
        if together == 1:
            yield bytes([1]) + huffman.encode(symbols, least=least)
        else:
            grouped = group(ranks, alphabet, together)
            yield bytes([together | ranked]) + letters + huffman.encode(grouped, least=least)


def _ranks(symbols: NDArray[np.uint8], used: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[used] = np.arange(len(used))
    return table[symbols]


def _bitmap(used: NDArray[np.uint8], alphabet: int) -> bytes:
    present = np.zeros(alphabet, np.uint8)
    present[used] = 1
    return packed.pack(present, 1)


def _read_letters(data: bytes, alphabet: int) -> tuple[NDArray[np.uint8], int]:
    """The symbols that occur, ascending, and where the codes start."""
    end = 1 + packed.packed_length(alphabet, 1)
    letters = np.flatnonzero(packed.unpack(data[1:end], alphabet, 1)).astype(np.uint8)
    if not len(letters):
        raise ArtifactError("a stream of symbols lists none")
    return letters, end
