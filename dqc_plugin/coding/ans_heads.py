"""What comes before the stream of positions by ANS (``ans_positions.py``).

The first byte is 128 + the binary logarithm of the number of lanes + 16 times how the positions are given + 64 if there
are classes (``classes.py``). How: 0, every weight is kept; 1, gaps with geometric tables; 2, gaps with tables of their
own; 3, as ``positions.py`` has them: its bytes follow, there are no classes and no lanes. There follow
  - with classes: the columns of the matrix (varint); the number of classes of rows less 1 and, 16 times, of columns
    less 1 (byte); for each of the two a table (``frequencies.py``) of the classes from class 0 on
  - with gaps: for each context but the last the number of kept weights (varint); with tables of their own, the filler F
    (byte, 1 or more) and for each context with kept weights a table of the F + 1 gap fields
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dqc_plugin.coding import frequencies, varint
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.rans import Decoder, Frequencies
from dqc_plugin.errors import ArtifactError

MARK = 0x80
"""In the first byte of such a head, and of no other form of positions."""
MOST_LEVELS = 16
ALL_KEPT, GEOMETRIC, OWN_TABLES, PLAIN = range(4)
_HAS_CLASSES, _LANES_LOG = 0x40, 0x0F
Order = Whole | Classes


@dataclass(frozen=True)
class Shape:
    """A matrix, the number of classes of its rows and of its columns, and the tables of these."""

    rows: int
    columns: int
    levels: tuple[int, int]
    tables: list[Frequencies]

    @classmethod
    def take(cls, cursor: Cursor, size: int, columns: int, levels: tuple[int, int]) -> Shape:
        """Of a tensor; the tables are next."""
        if not columns or size % columns or not all(1 <= level <= MOST_LEVELS for level in levels):
            raise ArtifactError(f"{size} weights do not make rows of {columns}, or have classes out of range")
        return cls(size // columns, columns, levels, [frequencies.take(cursor, level + 1) for level in levels])

    @property
    def contexts(self) -> int:
        return sum(self.levels) - 1

    def read(self, stream: Decoder) -> Classes:
        labels = stream.take(list(zip((self.rows, self.columns), self.tables, strict=True)))
        return Classes(labels[: self.rows], labels[self.rows :], *self.levels)


@dataclass(frozen=True)
class Head:
    """lanes: of the stream, 0 if there is none. shape: None without classes.

    counts: kept weights of each context, None if all are kept. filler, tables: of the contexts with kept weights; 0 and
    None if they are geometric. fillers: how many each context has; None where its fields end with the last kept weight.
    """

    lanes: int
    shape: Shape | None
    counts: list[int] | None
    filler: int = 0
    tables: list[Frequencies] | None = None
    fillers: list[int] | None = None


def plain_in(positions: bytes) -> bytes | None:
    """The bytes that :func:`around_plain` was given."""
    return positions[1:] if positions[0] == around_plain(b"")[0] else None


def around_plain(positions: bytes) -> bytes:
    """Positions of ``positions.py``, with values by ANS."""
    return bytes([MARK | PLAIN << 4]) + positions


def put(lanes_log: int, kind: int, order: Order, tables: Sequence[bytes], counts: list[int]) -> bytes:
    """The head; tables: of rows and columns, if there are classes; the filler and the tables of gaps, if their own."""
    first = MARK | lanes_log | kind << 4
    own = iter(tables)
    head = b"" if isinstance(order, Whole) else _put_shape(order) + next(own) + next(own)
    of_contexts = b"" if kind == ALL_KEPT else b"".join(map(varint.put, counts[:-1]))
    return bytes([first | isinstance(order, Classes) * _HAS_CLASSES]) + head + of_contexts + b"".join(own)


def take(cursor: Cursor, size: int, count: int) -> Head:
    """What a head says of the ``count`` kept of ``size`` weights; ArtifactError if it cannot be."""
    first = cursor.byte()
    kind, lanes_log = first >> 4 & 3, first & _LANES_LOG
    if kind == PLAIN or (kind == ALL_KEPT and count != size) or MARK < first <= MARK | _LANES_LOG:
        raise ArtifactError(f"positions have an unknown form ({first}), or are not of {count} of {size} weights")
    if first & ~_LANES_LOG == MARK:
        return Head(0, None, None)
    shape = _take_shape(cursor, size) if first & _HAS_CLASSES else None
    if kind == ALL_KEPT:
        return Head(1 << lanes_log, shape, None)
    counts = _take_counts(cursor, shape.contexts if shape else 1, count)
    if kind == GEOMETRIC:
        return Head(1 << lanes_log, shape, counts)
    filler = cursor.byte()
    if not filler:
        raise ArtifactError("gaps have a filler of 0")
    return Head(1 << lanes_log, shape, counts, filler, take_tables(cursor, counts, filler))


def take_tables(cursor: Cursor, counts: list[int], filler: int) -> list[Frequencies]:
    """Those of gap fields, of each context with kept weights."""
    return [frequencies.take(cursor, filler + 1) for kept in counts if kept]


def _put_shape(order: Classes) -> bytes:
    return varint.put(len(order.columns)) + bytes([order.row_levels - 1 | order.column_levels - 1 << 4])


def _take_shape(cursor: Cursor, size: int) -> Shape:
    columns, levels = cursor.count(), cursor.byte()
    return Shape.take(cursor, size, columns, ((levels & 15) + 1, (levels >> 4) + 1))


def _take_counts(cursor: Cursor, contexts: int, count: int) -> list[int]:
    counts = [cursor.count() for _ in range(contexts - 1)]
    if sum(counts) > count:
        raise ArtifactError(f"the contexts keep more than {count} weights")
    return [*counts, count - sum(counts)]
