"""Values by their neighbours: signs and magnitudes, each coded with a chance learnt from the weights around it.

Files of before signs alone were coded so (``signs.py``), at twice the speed, have this form; it is read, not written.
Weights come in the order of the tensor, as a matrix of so many columns. "Above" is a fixed distance before.

The columns and the distance W (varints); the number of magnitudes L (byte); twice the first level, + 1 if the levels go
down from there (byte); the stream (``decisions.py``). It has for each weight
  - is its sign 1; contexts: its row; its column; the signs of the weights 1 and W before; those W + 1 and W - 1 before;
    all four signs
  - is its level 0, if not is it 1, .. up to L - 2; contexts of each of these questions: its row; its column; the levels
    of the weights 1 and W before, of 3 and more as one; the four signs; its own sign
A row or column starts with a certainty of 1024, other contexts with 0; the reserve is 65. Index i of K has magnitude
m = min(i, K - 1 - i) and sign 1 if i > K - 1 - i. Levels are magnitudes from the first level a: a, a + 1, a - 1, a + 2
.. or, down, a, a - 1, a + 1 .., those that are below 0 or not below L left out. L * (rows + columns) is at most the
number of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions, native
from dqc_plugin.coding.coders import KeptIndices
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.decisions import Code, Question
from dqc_plugin.coding.signs import Matrix, all_or
from dqc_plugin.errors import ArtifactError

_MARK = 0x20
"""The first byte of values by neighbours, before all of the above; of other values that may stand there it is less."""
_MOST_NEAR, _RESERVE = 3, 65
Indices = NDArray[np.uint8]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Layout(Matrix):
    """What the chances are learnt from: a matrix of weights, and the number of levels."""

    levels: int

    def is_sound(self) -> bool:
        """False if there is no such matrix, or if what is learnt of it would take more memory than the weights."""
        return self.levels > 0 and super().is_sound() and self.levels * (self.rows + self.columns) <= self.size


def are_in(values: bytes) -> bool:
    """True if values are in this form."""
    return values[:1] == bytes([_MARK])


def decode(data: bytes, positions: Positions | None, size: int, codebook_size: int) -> KeptIndices:
    """The weights at ascending positions (n,), or all; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    form, columns, distance = cursor.byte(), cursor.count(), cursor.count()
    levels, first = cursor.byte(), cursor.byte()
    layout = Layout(size, columns, distance, levels)
    if form != _MARK or first >= 2 * levels or 2 * levels > codebook_size + 1 or not layout.is_sound():
        raise ArtifactError(f"values have an unknown form ({form}, {first}, {layout})")
    indices = _decode(cursor.rest(), all_or(positions, size), layout, _table(first, levels, codebook_size))
    return KeptIndices(size, positions, indices)


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


def _decode(data: Data, positions: Positions, layout: Layout, table: Indices) -> Indices:
    stream = decisions.split(data)
    if native.LIBRARY:
        indices = native.decode_values(stream, positions, layout, table)
    else:
        reader = decisions.Reader(*stream)
        found = _walk(positions, layout, table, np.zeros(len(positions), np.uint8), reader)
        indices = found if reader.ends() else None
    if indices is None:
        raise ArtifactError("a stream of decisions does not end with the values")
    return indices


def _walk(positions: Positions, layout: Layout, table: Indices, indices: Indices, code: Code) -> Indices:
    """The indices, by every decision in turn; an encoder is given them, a decoder any."""
    codes = dict(zip(table.tolist()[::-1], range(2 * layout.levels)[::-1], strict=True))
    found = bytearray()
    questions = [Question(_RESERVE) for _ in range(layout.levels)]
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
