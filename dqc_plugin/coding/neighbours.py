"""Values by their neighbours: signs and magnitudes, each coded with a chance learnt from the weights around it.

Filters are smooth, so that a weight mostly has the sign of the one beside it and of the one above it; and what lies in
one row or column is alike. Weights come in the order of the tensor, as a matrix of so many columns. "Above" is a fixed
distance before, the width of a filter: that at which signs agree, or differ, most.

The columns and the distance W (varints); the number of magnitudes L (byte); twice the first level, + 1 if the levels go
down from there (byte); the stream (``decisions.py``). It has for each weight
  - is its sign 1; contexts: its row; its column; the signs of the weights 1 and W before; those W + 1 and W - 1 before;
    all four signs
  - is its level 0, if not is it 1, .. up to L - 2; contexts of each of these questions: its row; its column; the levels
    of the weights 1 and W before, of 3 and more as one; the four signs; its own sign
A row or column starts with a certainty of 1024, other contexts with 0. Index i of K has magnitude m = min(i, K - 1 - i)
and sign 1 if i > K - 1 - i. Levels are magnitudes from the first level a: a, a + 1, a - 1, a + 2 .. or, down, a, a - 1,
a + 1 .., those that are below 0 or not below L left out. L * (rows + columns) is at most the number of weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions, native, varint
from dqc_plugin.coding.coders import KeptIndices
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.decisions import Code
from dqc_plugin.errors import ArtifactError

_MARK = 0x20
"""The first byte of values by neighbours, before all of the above; no other form's has this bit."""
MOST_WEIGHTS = 1 << 20
"""Of a tensor in this form: in larger ones there is less to gain, and what is learnt leaves the cache."""
_LINE_CERTAINTY = 1024  # of a row or column at first: it tells less than what is around
_MOST_NEAR = 3
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
        return self.levels * (self.rows + self.columns) <= self.size


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
    magnitudes, signs = np.minimum(indices, mirrored), indices > mirrored
    levels = int(magnitudes.max(initial=0)) + 1
    layout = Layout(size, columns, _distance(positions, signs, size), levels)
    if not layout.is_sound():
        return None
    first = _first_level(np.bincount(magnitudes, minlength=levels))
    head = varint.put(columns) + varint.put(layout.distance) + bytes([levels, first])
    return bytes([_MARK]) + head + _encode(positions, layout, _table(first, levels, codebook_size), indices)


def decode(data: bytes, positions: Positions | None, size: int, codebook_size: int) -> KeptIndices:
    """The weights at ascending positions (n,), or all; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    form, columns, distance = cursor.byte(), cursor.count(), cursor.count()
    levels, first = cursor.byte(), cursor.byte()
    layout = Layout(size, columns, distance, levels)
    if form != _MARK or first >= 2 * levels or 2 * levels > codebook_size + 1 or not layout.is_sound():
        raise ArtifactError(f"values have an unknown form ({form}, {first}, {layout})")
    indices = _decode(cursor.rest(), _all_or(positions, size), layout, _table(first, levels, codebook_size))
    return KeptIndices(size, positions, indices)


def _all_or(positions: Positions | None, size: int) -> Positions:
    return np.arange(size) if positions is None else positions


def _first_level(counts: NDArray[np.int64]) -> int:
    """That with which the magnitudes (levels,), so many of each, need the fewest decisions."""
    levels = len(counts)
    return min(range(2 * levels), key=lambda first: int(counts[_order(first, levels)] @ np.arange(levels)))


def _table(first: int, levels: int, codebook_size: int) -> Indices:
    """The index of each level of sign 0, then of sign 1, (2 * levels,)."""
    magnitudes = _order(first, levels)
    return np.concatenate([magnitudes, codebook_size - 1 - magnitudes]).astype(np.uint8)


def _order(first: int, levels: int) -> NDArray[np.int64]:
    """The magnitude of each level (levels,)."""
    steps = np.arange(2 * levels)
    outward = (steps + 1) // 2 * np.where(steps % 2 == 1, 1, -1)
    magnitudes = first // 2 + (-outward if first % 2 else outward)
    return magnitudes[(magnitudes >= 0) & (magnitudes < levels)]


def _distance(positions: Positions, signs: NDArray[np.bool_], size: int) -> int:
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


def _encode(positions: Positions, layout: Layout, table: Indices, indices: Indices) -> bytes:
    if native.LIBRARY:
        return native.encode_values(positions, layout, table, indices)
    writer = decisions.Writer()
    _walk(positions, layout, table, indices, writer)
    return decisions.push(writer.decisions)


def _decode(data: bytes, positions: Positions, layout: Layout, table: Indices) -> Indices:
    if native.LIBRARY:
        indices = native.decode_values(data, positions, layout, table)
    else:
        reader = decisions.Reader(data)
        found = _walk(positions, layout, table, np.zeros(len(positions), np.uint8), reader)
        indices = found if reader.ends() else None
    if indices is None:
        raise ArtifactError("a stream of decisions does not end with the values")
    return indices


def _walk(positions: Positions, layout: Layout, table: Indices, indices: Indices, code: Code) -> Indices:
    """The indices, by every decision in turn; an encoder is given them, a decoder any."""
    codes = dict(zip(table.tolist()[::-1], range(2 * layout.levels)[::-1], strict=True))
    found = bytearray()
    questions = [_Question() for _ in range(layout.levels)]
    near = bytearray(layout.size + layout.distance + 1)
    for position, index in zip(positions.tolist(), indices.tolist(), strict=True):
        wanted_sign, wanted = divmod(codes.get(index, 0), layout.levels)
        row, column = divmod(position, layout.columns)
        here = position + layout.distance + 1
        around = [near[here - before] for before in (1, layout.distance, layout.distance + 1, layout.distance - 1)]
        signs, lines = tuple(2 - seen % 2 if seen else 0 for seen in around), (row, column)
        sign = questions[0].decide(lines, (signs[:2], signs[2:], signs), code, wanted_sign)
        of_levels, level = tuple(seen + 1 >> 1 for seen in around[:2]), 0
        for question in questions[1:]:
            if question.decide(lines, (of_levels, signs, (sign,)), code, int(wanted == level)):
                break
            level += 1
        found.append(int(table[sign * layout.levels + level]))
        near[here] = 1 + sign + 2 * min(level, _MOST_NEAR)
    return np.frombuffer(found, np.uint8)


class _Question:
    """The contexts of decisions of one kind: the row, the column, and three kinds of what is around."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[int, object], list[int]] = {}

    def decide(self, lines: tuple[int, int], around: tuple[tuple[int, ...], ...], code: Code, bit: int) -> int:
        of_lines = [self._context(kind, line, _LINE_CERTAINTY) for kind, line in enumerate(lines)]
        of_around = [self._context(kind, what, 0) for kind, what in enumerate(around, len(lines))]
        return decisions.decide([*of_lines, *of_around], code, bit)

    def _context(self, kind: int, value: object, certainty: int) -> list[int]:
        return self._contexts.setdefault((kind, value), [0, certainty])
