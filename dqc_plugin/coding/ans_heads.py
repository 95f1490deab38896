"""What comes before the stream of positions by ANS (``ans_positions.py``).

The first byte is 128 + the binary logarithm of the number of lanes + 16 times how the positions are given + 64 if there
are classes (``classes.py``). How: 0, every weight is kept; 1, gaps with geometric tables; 2, gaps with tables of their
own; 3, as ``positions.py`` has them: its bytes follow, there are no classes and no lanes. There follow
  - with classes: the columns of the matrix (varint); the number of classes of rows less 1 and, 16 times, of columns
    less 1 (byte); for each of the two a table (``frequencies.py``) of the classes from class 0 on
  - with gaps: for each context but the last the number of kept weights (varint); with tables of their own, the filler F
    (byte, 1 or more) and for each context with kept weights a table of the F + 1 gap fields
14 or 15 in the place of the logarithm: one lane, or none; and the first byte of the values (``ans_values.py``) is left
out, which has one lane too, and the form 0 or 1.
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
_LEFT_OUT = 14
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
    of_values: the first byte of the values, if it is left out there.
    """

    lanes: int
    shape: Shape | None
    counts: list[int] | None
    filler: int = 0
    tables: list[Frequencies] | None = None
    fillers: list[int] | None = None
    of_values: bytes = b""


def leave_out(lanes_log: int, values: bytes) -> tuple[int, bytes]:
    """What stands in the place of the logarithm of the number of lanes; and the values, which may lose their head."""
    form, log_of_values = divmod(values[0], 16)
    if lanes_log or log_of_values or form >= 16 - _LEFT_OUT:
        return lanes_log, values
    return _LEFT_OUT + form, values[1:]


def plain_in(positions: bytes, values: bytes) -> tuple[bytes, bytes] | None:
    """What :func:`around_plain` was given; None if these are no such positions."""
    lanes_log, left_out = _lanes(positions[0])
    if positions[0] & ~_LANES_LOG != MARK | PLAIN << 4 or lanes_log:
        return None
    return positions[1:], left_out + values


def around_plain(positions: bytes, values: bytes) -> tuple[bytes, bytes]:
    """Positions of ``positions.py``, and values by ANS."""
    in_place, values = leave_out(0, values)
    return bytes([MARK | PLAIN << 4 | in_place]) + positions, values


def put(in_place_of_log: int, kind: int, order: Order, tables: Sequence[bytes], counts: list[int]) -> bytes:
    """The head; tables: of rows and columns, if there are classes; the filler and the tables of gaps, if their own."""
    first = MARK | in_place_of_log | kind << 4
    own = iter(tables)
    head = b"" if isinstance(order, Whole) else _put_shape(order) + next(own) + next(own)
    of_contexts = b"" if kind == ALL_KEPT else b"".join(map(varint.put, counts[:-1]))
    return bytes([first | isinstance(order, Classes) * _HAS_CLASSES]) + head + of_contexts + b"".join(own)


def take(cursor: Cursor, size: int, count: int) -> Head:
    """What a head says of the ``count`` kept of ``size`` weights; ArtifactError if it cannot be."""
    first = cursor.byte()
    kind, (lanes_log, left_out) = first >> 4 & 3, _lanes(first)
    is_alone = first & ~_LANES_LOG == MARK
    if kind == PLAIN or (kind == ALL_KEPT and count != size) or (is_alone and lanes_log):
        raise ArtifactError(f"positions have an unknown form ({first}), or are not of {count} of {size} weights")
    if is_alone:
        return Head(0, None, None, of_values=left_out)
    return _take_stream(cursor, size, count, first)


def _take_stream(cursor: Cursor, size: int, count: int, first: int) -> Head:
    """What says how to read a stream."""
    kind, (lanes_log, left_out) = first >> 4 & 3, _lanes(first)
    shape = _take_shape(cursor, size) if first & _HAS_CLASSES else None
    if kind == ALL_KEPT:
        return Head(1 << lanes_log, shape, None, of_values=left_out)
    counts = _take_counts(cursor, shape.contexts if shape else 1, count)
    filler = cursor.byte() if kind == OWN_TABLES else 0
    if kind == OWN_TABLES and not filler:
        raise ArtifactError("gaps have a filler of 0")
    tables = take_tables(cursor, counts, filler) if filler else None
    return Head(1 << lanes_log, shape, counts, filler, tables, of_values=left_out)


def take_tables(cursor: Cursor, counts: list[int], filler: int) -> list[Frequencies]:
    """Those of gap fields, of each context with kept weights."""
    return [frequencies.take(cursor, filler + 1) for kept in counts if kept]


def _lanes(first: int) -> tuple[int, bytes]:
    """The logarithm of the number of lanes, and the first byte of the values, if it is left out there."""
    in_place = first & _LANES_LOG
    return (in_place, b"") if in_place < _LEFT_OUT else (0, bytes([in_place - _LEFT_OUT << 4]))


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
