"""Several symbols of a small alphabet in one byte, as digits of a number.

A Huffman code spends at least one bit a symbol and whole bits only; coding groups of symbols shares that loss
(Huffman codes of the extended source). With an alphabet of 6 three symbols fit a byte, of a mask's bits eight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding.packed import pack, width_of
from dqc_plugin.errors import ArtifactError

_PART = 1 << 16  # numpy looks up by 64-bit numbers: of all symbols at once these would be eight times their bytes


def most_in_a_byte(alphabet: int) -> int:
    """The largest g (1 to 8) with alphabet^g <= 256."""
    return max(g for g in range(1, 9) if g == 1 or max(alphabet, 2) ** g <= 256)


def group(symbols: NDArray[np.uint8], alphabet: int, together: int) -> NDArray[np.uint8]:
    """Symbols (n,), each below ``alphabet``, as ceil(n / together) bytes; the first symbol is the lowest digit."""
    if alphabet**together == 256:
        return np.frombuffer(pack(symbols, width_of(alphabet)), np.uint8)  # the same bytes, faster
    digits = np.zeros((-(-len(symbols) // together), together), np.uint8)
    digits.reshape(-1)[: len(symbols)] = symbols
    numbers: NDArray[np.uint8] = digits[:, -1].copy()
    for place in range(together - 2, -1, -1):
        numbers *= np.uint8(alphabet)
        numbers += digits[:, place]
    return numbers


def ungroup(numbers: NDArray[np.uint8], count: int, letters: NDArray[np.uint8], together: int) -> NDArray[np.uint8]:
    """The ``count`` symbols of grouped bytes; ``letters`` (alphabet,) are the symbols that the digits stand for.

    Those of groups of one take the place of their bytes, if these can be written. Raises ArtifactError for a byte that
    no group gives.
    """
    groups = len(letters) ** together
    if len(numbers) and int(numbers.max()) >= groups:
        raise ArtifactError(f"a group of {together} symbols out of {len(letters)} is out of range")
    places = len(letters) ** np.arange(together)
    table = letters[np.arange(groups)[:, None] // places % len(letters)]
    in_place = together == 1 and numbers.flags.writeable
    symbols = numbers if in_place else np.empty(len(numbers) * together, np.uint8)
    for start in range(0, len(numbers), _PART):
        part = numbers[start : start + _PART]
        room = symbols[start * together :][: len(part) * together].reshape(-1, together)
        room[:] = table.take(part, axis=0, mode="clip")
    symbols.resize(count, refcheck=False)
    return symbols
