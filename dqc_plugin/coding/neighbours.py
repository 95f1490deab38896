"""Values by their neighbours: signs and magnitudes, each coded with a chance learnt from the weights around it.

Filters are smooth, so that a weight mostly has the sign of the one beside it and of the one above it; and what lies in
one row or column is alike. Weights come in the order of the tensor, as a matrix of so many columns. "Above" is a fixed
distance before, the width of a filter: that at which signs agree, or differ, most.

The columns and the distance (varints); the number of magnitudes L (byte); 1 if magnitudes are counted from the greatest
that is used, else 0 (byte); the stream (``decisions.py``). It has for each weight
  - is its sign 1; contexts: its row, its column, and the signs of the weights 1, W, W + 1 and W - 1 before
  - is its magnitude 0, if not is it 1, .. up to L - 2; contexts of each of these questions: its row, its column, the
    magnitudes of the weights 1 and W before, of 3 and more as one, and the four signs
Index i of K has magnitude m = min(i, K - 1 - i) and sign 1 if i > K - 1 - i; where magnitudes are counted from the
greatest, L - 1 - m stands for m. (L - 1) * (rows + columns) is at most the number of weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions, native, varint
from dqc_plugin.coding.coders import KeptIndices
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.decisions import FIRST_CHANCE, Code, Mixer
from dqc_plugin.errors import ArtifactError

_MARK = 0x20
"""The first byte of values by neighbours, before all of the above; no other form's has this bit."""
MOST_WEIGHTS = 1 << 20
"""Of a tensor in this form: in larger ones there is less to gain, and what is learnt leaves the cache."""
_SIGNS_AROUND, _MAGNITUDES_AROUND, _MOST_NEAR = 81, 25, 3
_FARTHEST, _SEARCHED = 64, 1 << 18
Indices = NDArray[np.uint8]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """What the chances are learnt from: a matrix of ``size`` weights, the distance to those above, and the levels."""

    size: int
    columns: int
    distance: int
    levels: int

    @property
    def rows(self) -> int:
        return -(-self.size // self.columns)

    def is_sound(self) -> bool:
        """False if there is no such matrix, or if what is learnt of it would take more memory than the weights."""
        if not (1 <= self.columns <= self.size <= MOST_WEIGHTS and 1 <= self.distance <= self.size and self.levels):
            return False
        return (self.levels - 1) * (self.rows + self.columns) <= self.size


def are_in(values: bytes) -> bool:
    """True if values are in this form."""
    return values[:1] == bytes([_MARK])


def encode(kept: KeptIndices, codebook_size: int) -> bytes | None:
    """The values of weights in ascending order; None where this form is not for such a tensor."""
    size, columns, indices = kept.size, math.prod(kept.shape[1:]), kept.indices
    if not len(indices) or not 1 <= columns <= size <= MOST_WEIGHTS:
        return None
    positions = _all_or(kept.positions, size)
    mirrored = np.uint8(codebook_size - 1) - indices
    magnitudes, signs = np.minimum(indices, mirrored), (indices > mirrored).astype(np.uint8)
    levels = int(magnitudes.max(initial=0)) + 1
    layout = Layout(size, columns, _distance(positions, signs, size), levels)
    if not layout.is_sound():
        return None
    from_greatest = 2 * int(magnitudes.sum()) > (levels - 1) * len(indices)
    if from_greatest:
        magnitudes = np.uint8(levels - 1) - magnitudes
    head = varint.put(columns) + varint.put(layout.distance) + bytes([levels, from_greatest])
    return bytes([_MARK]) + head + _encode(positions, layout, signs, magnitudes)


def decode(data: bytes, positions: Positions | None, size: int, codebook_size: int) -> KeptIndices:
    """The weights at ascending positions (n,), or all; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    form, columns, distance = cursor.byte(), cursor.count(), cursor.count()
    levels, from_greatest = cursor.byte(), cursor.byte()
    layout = Layout(size, columns, distance, levels)
    if form != _MARK or from_greatest > 1 or 2 * levels > codebook_size + 1 or not layout.is_sound():
        raise ArtifactError(f"values have an unknown form ({form}, {from_greatest}, {layout})")
    signs, magnitudes = _decode(cursor.rest(), _all_or(positions, size), layout)
    if from_greatest:
        magnitudes = np.uint8(levels - 1) - magnitudes
    indices = np.where(signs == 1, np.uint8(codebook_size - 1) - magnitudes, magnitudes)
    return KeptIndices(size, positions, indices)


def _all_or(positions: Positions | None, size: int) -> Positions:
    return np.arange(size) if positions is None else positions


def _distance(positions: Positions, signs: Indices, size: int) -> int:
    """The distance, but 1, at which signs agree, or differ, most surely; looked for at the start of a large tensor."""
    field = np.zeros(size, np.int8)
    field[positions] = 2 * signs.astype(np.int8) - 1
    field, size = field[:_SEARCHED], min(size, _SEARCHED)
    found, most = 1, 0.0
    for distance in range(2, min(_FARTHEST, size - 1) + 1):
        products = field[distance:] * field[:-distance]
        pairs = max(int(np.count_nonzero(products)), 1)
        agreement = abs(int(products.sum(dtype=np.int64))) / math.sqrt(pairs)
        if agreement > most:
            found, most = distance, agreement
    return found


def _encode(positions: Positions, layout: Layout, signs: Indices, magnitudes: Indices) -> bytes:
    if native.LIBRARY:
        return native.encode_values(positions, layout, signs, magnitudes)
    writer = decisions.Writer()
    _walk(positions, layout, signs, magnitudes, writer)
    return decisions.push(writer.decisions)


def _decode(data: bytes, positions: Positions, layout: Layout) -> tuple[Indices, Indices]:
    signs, magnitudes = np.zeros(len(positions), np.uint8), np.zeros(len(positions), np.uint8)
    if native.LIBRARY:
        ends = native.decode_values(data, positions, layout, signs, magnitudes)
    else:
        reader = decisions.Reader(data)
        _walk(positions, layout, signs, magnitudes, reader)
        ends = reader.ends()
    if not ends:
        raise ArtifactError("a stream of decisions does not end with the values")
    return signs, magnitudes


def _walk(positions: Positions, layout: Layout, signs: Indices, magnitudes: Indices, code: Code) -> None:
    """Every decision in turn; the signs and magnitudes are given to an encoder, and filled in by a decoder."""
    contexts, near = _Contexts(layout), bytearray(layout.size + layout.distance + 1)
    for number, position in enumerate(positions.tolist()):
        row, column = divmod(position, layout.columns)
        here = position + layout.distance + 1
        left, *others = (near[here - before] for before in contexts.around)
        of_signs = sum((2 - around % 2) * 3**k for k, around in enumerate((left, *others)) if around)
        of_magnitudes = 5 * (left + 1 >> 1) + (others[0] + 1 >> 1)
        sign = contexts.sign.decide(row, column, (of_signs,), code, int(signs[number]))
        wanted, level = int(magnitudes[number]), 0
        for kind in contexts.levels:
            if kind.decide(row, column, (of_magnitudes, of_signs), code, int(wanted == level)):
                break
            level += 1
        signs[number], magnitudes[number] = sign, level
        near[here] = 1 + sign + 2 * min(level, _MOST_NEAR)


class _Contexts:
    """All that is learnt."""

    def __init__(self, layout: Layout) -> None:
        self.around = (1, layout.distance, layout.distance + 1, layout.distance - 1)
        self.sign = _Kind(layout, (_SIGNS_AROUND,))
        self.levels = [_Kind(layout, (_MAGNITUDES_AROUND, _SIGNS_AROUND)) for _ in range(layout.levels - 1)]


class _Kind:
    """Decisions of one kind, in the contexts of their row, their column, and what is around them."""

    def __init__(self, layout: Layout, around: tuple[int, ...]) -> None:
        sizes = (layout.rows, layout.columns, *around)
        self._counters = [[[FIRST_CHANCE, 0] for _ in range(size)] for size in sizes]
        self._mixer = Mixer(len(sizes))

    def decide(self, row: int, column: int, around: tuple[int, ...], code: Code, bit: int) -> int:
        places = (row, column, *around)
        counters = [of_kind[place] for of_kind, place in zip(self._counters, places, strict=True)]
        return self._mixer.decide(counters, code, bit)
