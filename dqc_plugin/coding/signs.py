"""Signs by their neighbours: each coded with a chance that is learnt from the weights around it.

Filters are smooth, so that a weight mostly has the sign of the one beside it and of the one above it; and what lies in
one row or column is alike. The tensor is seen as a matrix. "Above" is a fixed distance before, the width of a filter:
that at which signs agree, or differ, most.

The distance W (byte, 1 or more); the decisions (``decisions.py``), trimmed (``rans.py``): for each kept weight, from
the first place to the last, is its sign 1. Contexts: its row; its column; the signs of the weights 1 and W before; and
those with the signs of the weights W + 1 and W - 1 before. A row or column starts with a certainty of 1024, other
contexts with 0; the reserve is 25. There are at least as many weights as rows and columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import decisions, native, rans
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.decisions import Code, Question
from dqc_plugin.errors import ArtifactError

MOST_WEIGHTS = 1 << 20
"""Of a tensor in this form: in larger ones there is less to gain, and what is learnt leaves the cache."""
_FARTHEST, _SEARCHED = 64, 1 << 18
_RESERVE = 25
Signs = NDArray[np.uint8]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Matrix:
    """``size`` weights in rows of so many columns, and the distance to those above."""

    size: int
    columns: int
    distance: int

    @property
    def rows(self) -> int:
        return -(-self.size // self.columns)

    def is_sound(self) -> bool:
        """False if there is no such matrix, or if what is learnt of it would take more memory than the weights."""
        is_within = 1 <= self.columns <= self.size <= MOST_WEIGHTS and 1 <= self.distance <= self.size
        return is_within and self.rows + self.columns <= self.size


def columns_of(shape: tuple[int, ...]) -> int:
    """Of a tensor, where each row is an output channel."""
    return math.prod(shape[1:])


def encode(positions: Positions | None, signs: Signs, size: int, columns: int) -> bytes | None:
    """Signs (n,), 0 or 1, of the kept weights of a tensor in rows of so many columns, at ascending positions (n,).

    positions: None if all are kept. The bytes are None if this form is not for such a tensor.
    """
    if not len(signs) or not 1 <= columns <= size <= MOST_WEIGHTS:
        return None
    places = all_or(positions, size)
    told = _distance(places, signs, size)  # those beside it are seen too, so that one less or more can tell as much
    matrices = [Matrix(size, columns, distance) for distance in (told, told - 1, told + 1)]
    forms = [_encode(places, signs, matrix) for matrix in matrices if matrix.is_sound()]
    return min(forms, key=len, default=None)


def decode(data: Data, positions: Positions | None, count: int, size: int, columns: int) -> Signs:
    """The signs (count,) at positions (n,) in any order, None for all; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    matrix = Matrix(size, columns, cursor.byte())
    if not matrix.is_sound():
        raise ArtifactError(f"signs are not of such a matrix ({matrix})")
    stream = decisions.split(rans.untrim(cursor.rest()))
    found, places = np.zeros(count, np.uint8), all_or(positions, size)
    if native.LIBRARY:
        ends = native.decode_signs(stream, places, matrix, found)
    else:
        reader = decisions.Reader(*stream)
        _walk(places, found, matrix, reader)
        ends = reader.ends()
    if not ends:
        raise ArtifactError("a stream of decisions does not end with the signs")
    return found


def all_or(positions: Positions | None, size: int) -> Positions:
    """The positions (n,), of all weights if there are none."""
    return np.arange(size) if positions is None else positions


def _distance(positions: Positions, signs: Signs, size: int) -> int:
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


def _encode(positions: Positions, signs: Signs, matrix: Matrix) -> bytes:
    if native.LIBRARY:
        stream = native.encode_signs(positions, matrix, signs)
    else:
        writer = decisions.Writer()
        _walk(positions, signs.copy(), matrix, writer)
        stream = decisions.push(writer.decisions)
    return bytes([matrix.distance]) + rans.trim(decisions.join(*stream))


def _walk(positions: Positions, signs: Signs, matrix: Matrix, code: Code) -> None:
    """Every decision in turn, from the first place to the last; a decoder changes the signs."""
    question, near = Question(_RESERVE), bytearray(matrix.size + matrix.distance + 1)
    for which in np.argsort(positions).tolist():
        here = int(positions[which]) + matrix.distance + 1
        around = tuple(near[here - before] for before in (1, matrix.distance, matrix.distance + 1, matrix.distance - 1))
        lines = divmod(int(positions[which]), matrix.columns)
        signs[which] = question.decide(lines, (around[:2], around), code, int(signs[which]))
        near[here] = 1 + signs[which]
