"""A stream of symbols in the smallest of its forms.

The first byte of a stream says its form: bits 0-3 are 0 for bit packing or the number of symbols in each
Huffman-coded byte; bit 4 is set when only part of the alphabet occurs, and a bitmap of those symbols follows; the
codes are then of their ranks. The reader knows the number of symbols and the alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import estimates, huffman, packed
from dqc_plugin.coding.estimates import Form
from dqc_plugin.coding.groups import group, most_in_a_byte, ungroup
from dqc_plugin.errors import ArtifactError

_TOGETHER, _RANKED = 0x0F, 0x10


def encode(symbols: NDArray[np.uint8], alphabet: int, entropy_coded: bool, least: int = 0) -> bytes:
    """Symbols (n,), each below ``alphabet`` (1 to 256); only bit packing unless ``entropy_coded``.

    least: a Huffman-coded stream is filled up to so many bytes.
    """
    return estimates.smallest(_forms(symbols, alphabet, entropy_coded, least), len(symbols))


def estimate(symbols: NDArray[np.uint8], alphabet: int, entropy_coded: bool) -> float:
    """About the bytes of :func:`encode`."""
    return min(length for length, _ in _forms(symbols, alphabet, entropy_coded, 0))


def estimate_of(counts: NDArray[np.int64], entropy_coded: bool) -> float:
    """The same for independent symbols that occur so often (alphabet,)."""
    plain = packed.packed_length(int(counts.sum()), packed.width_of(len(counts)))
    used = counts[counts > 0]
    return min(plain, estimates.grouped_bytes(used, most_in_a_byte(len(used)))) if entropy_coded else plain


def decode(data: bytes, count: int, alphabet: int) -> NDArray[np.uint8]:
    """The ``count`` symbols of a stream; ArtifactError, before memory is taken, if it cannot be one."""
    if not data or data[0] & ~(_TOGETHER | _RANKED):
        raise ArtifactError("a stream of symbols has an unknown form")
    together, is_ranked = data[0] & _TOGETHER, bool(data[0] & _RANKED)
    letters, start = _read_letters(data, alphabet) if is_ranked else (np.arange(alphabet, dtype=np.uint8), 1)
    if together > most_in_a_byte(len(letters)):
        raise ArtifactError(f"{together} symbols out of {len(letters)} do not fit a byte")
    codes = memoryview(data)[start:]
    if together:
        numbers = huffman.decode(codes, -(-count // together))
        return ungroup(numbers, count, letters, together)
    ranks = packed.unpack(codes, count, packed.width_of(len(letters)))
    return ungroup(ranks, count, letters, 1)


def _forms(symbols: NDArray[np.uint8], alphabet: int, entropy_coded: bool, least: int) -> Iterator[Form]:
    yield _packed(symbols, alphabet, 0, b"")
    used = np.flatnonzero(np.bincount(symbols, minlength=alphabet)).astype(np.uint8)
    ranked, ranks, letters = 0, symbols, b""
    if 0 < len(used) < alphabet:
        ranked, ranks, letters, alphabet = _RANKED, _ranks(symbols, used), _bitmap(used, alphabet), len(used)
        yield _packed(ranks, alphabet, ranked, letters)
    if not entropy_coded:
        return
    most = most_in_a_byte(alphabet)
    for together in (most,) if most in (1, 8) else (most, most - 1):
        if together == 1:
            yield _huffman(symbols, 1, b"", least)
        else:
            yield _huffman(group(ranks, alphabet, together), together | ranked, letters, least)


def _packed(symbols: NDArray[np.uint8], alphabet: int, form: int, letters: bytes) -> Form:
    width = packed.width_of(alphabet)
    length = 1 + len(letters) + packed.packed_length(len(symbols), width)
    return length, lambda: bytes([form]) + letters + packed.pack(symbols, width)


def _huffman(numbers: NDArray[np.uint8], form: int, letters: bytes, least: int) -> Form:
    length = 1 + len(letters) + max(estimates.deflate_bytes(np.bincount(numbers)), least)
    return length, lambda: bytes([form]) + letters + huffman.encode(numbers, least=least)


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
