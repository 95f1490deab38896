"""Positions by ANS, as gaps in the order of the weights' contexts.

The first byte is 64, + 1 if not every weight is kept, + 2 if there are classes (``classes.py``). If it is 64, that is
all. Else there follow
  - the binary logarithm of the number of lanes (byte)
  - with classes: the columns of the matrix (varint), the classes of rows and of columns (a byte each), and for each
    of the two a table (``frequencies.py``) of the classes from class 0 on
  - unless all are kept: for each context the number of kept weights and, if it is not 0, of fillers (varints); then a
    byte, 1 if there follows, for each context with kept weights, a table of the 256 gap fields
  - the stream (``rans.py``) but the low halves of its states: a part with the classes of the rows and those of the
    columns, and a part with the gap fields of each context with kept weights
The values start with the low halves of the states, in the place of the stream's payload, which is their own start.

A gap is the number of dropped weights since the last kept one in its context. The filler, a field for so many dropped
weights and no kept one, is 255 with tables; without them the tables are geometric, and it is their last symbol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import frequencies, gaps, native, rans, varint
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.coding.rans import WORD_BYTES, Decoder, Frequencies, Segment, lanes_log
from dqc_plugin.errors import ArtifactError

MARK = 0x40
"""The first byte of positions by ANS; no other form's has this bit."""
MOST_LEVELS = 16

_PARTLY_KEPT, _HAS_CLASSES = 1, 2
_FIELDS = 256
Order = Whole | Classes
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """order: of the weights. counts: kept weights of each context. positions: in that order, gaps where there are no
    classes; None if all are kept.

    values: what ``ans_values`` decodes.
    """

    order: Order
    counts: list[int]
    positions: Places | Gaps | None
    values: bytes


def encode(places: Places | None, counts: list[int], order: Order, values: bytes) -> tuple[bytes, bytes]:
    """The positions, and ``values`` without the bytes that the positions hold."""
    head, parts = b"", []
    if isinstance(order, Classes):
        class_head, part = _encode_classes(order)
        head, parts = class_head, [part]
    if places is not None:
        gap_head, part = _encode_gaps(places, counts, order.sizes)
        head, parts = head + gap_head, [*parts, part]
    kind = MARK | (places is not None) * _PARTLY_KEPT | isinstance(order, Classes) * _HAS_CLASSES
    if not parts:
        return bytes([kind]), values
    log = lanes_log(sum(len(symbols) for part in parts for symbols, _ in part), len(values))
    low, stream, used = rans.encode(parts, 1 << log, values)
    return bytes([kind, log]) + head + stream, low + values[used:]


def decode(data: bytes, values: bytes, size: int, count: int) -> Found:
    """Where the ``count`` kept of ``size`` weights are; ArtifactError if the bytes cannot say that."""
    cursor = Cursor(data)
    kind = cursor.byte()
    if kind & ~(_PARTLY_KEPT | _HAS_CLASSES) != MARK or (count != size and not kind & _PARTLY_KEPT):
        raise ArtifactError(f"positions have an unknown form ({kind}), or are not of {count} of {size} weights")
    if kind == MARK:
        cursor.end()
        return Found(Whole(size), [size], None, values)
    return _Reader(cursor, values, kind).read(size, count)


class _Reader:
    """The head comes before the stream, but its gaps are of the contexts that the stream's first part gives."""

    def __init__(self, cursor: Cursor, values: bytes, kind: int) -> None:
        self._cursor, self._values, self._kind = cursor, values, kind
        self._lanes = 1 << min(cursor.byte(), 63)

    def read(self, size: int, count: int) -> Found:
        shape = self._take_classes(size) if self._kind & _HAS_CLASSES else None
        contexts = shape.contexts if shape else 1
        gap_heads = self._take_gap_heads(contexts, count) if self._kind & _PARTLY_KEPT else None
        states = WORD_BYTES * self._lanes
        stream = Decoder(self._values[:states], self._cursor.rest(), self._lanes)
        order: Order = shape.read(stream) if shape else Whole(size)
        found = None if gap_heads is None else gap_heads.read(stream, order)
        if gap_heads is None and sum(order.sizes) != size:
            raise ArtifactError("a row or column of class 0 has kept weights")
        payload, rest = stream.finish()
        if rest:
            raise ArtifactError(f"{len(rest)} bytes are left over after the positions")
        counts = gap_heads.counts if gap_heads else order.sizes
        return Found(order, counts, found, payload + self._values[states:])

    def _take_classes(self, size: int) -> _ClassHead:
        columns = self._cursor.count()
        levels = self._cursor.byte(), self._cursor.byte()
        if not columns or size % columns or not all(1 <= level <= MOST_LEVELS for level in levels):
            raise ArtifactError(f"{size} weights do not make rows of {columns}, or have classes out of range")
        tables = [frequencies.take(self._cursor, level + 1) for level in levels]
        return _ClassHead(size // columns, columns, levels, tables)

    def _take_gap_heads(self, contexts: int, count: int) -> _GapHeads:
        counts, fillers = [], []
        for _ in range(contexts):
            counts.append(self._cursor.count())
            fillers.append(self._cursor.count() if counts[-1] else 0)
        if sum(counts) != count:
            raise ArtifactError(f"the contexts keep {sum(counts)} weights instead of {count}")
        form = self._cursor.byte()
        if form > 1:
            raise ArtifactError(f"gaps have an unknown form ({form})")
        tables = [frequencies.take(self._cursor, _FIELDS) for kept in counts if kept] if form else None
        return _GapHeads(counts, fillers, tables)


@dataclass(frozen=True)
class _ClassHead:
    rows: int
    columns: int
    levels: tuple[int, int]
    tables: list[Frequencies]

    @property
    def contexts(self) -> int:
        return sum(self.levels) - 1

    def read(self, stream: Decoder) -> Classes:
        labels = stream.take(list(zip((self.rows, self.columns), self.tables, strict=True)))
        return Classes(labels[: self.rows], labels[self.rows :], *self.levels)


@dataclass(frozen=True)
class _GapHeads:
    counts: list[int]
    fillers: list[int]
    tables: list[Frequencies] | None

    def read(self, stream: Decoder, order: Order) -> Places | Gaps:
        """The positions of the kept weights, in the order of their contexts."""
        sizes = order.sizes
        self._check(sizes)
        used = [context for context, kept in enumerate(self.counts) if kept]
        tables = self.tables or [frequencies.geometric(self.counts[context], sizes[context]) for context in used]
        lengths = [self.counts[context] + self.fillers[context] for context in used]
        fields = stream.take(list(zip(lengths, tables, strict=True)))
        if not used:
            return np.empty(0, np.int64)
        if isinstance(order, Whole):
            return Gaps(fields, self._filler(*self.counts, *sizes)).check(*self.counts, *sizes)
        return self._place_natively(fields, order) if native.LIBRARY else self._place(fields, order)

    def _place_natively(self, fields: NDArray[np.uint8], order: Classes) -> Places:
        fillers = [self._filler(kept, size) if kept else 0 for kept, size in zip(self.counts, order.sizes, strict=True)]
        lengths = np.add(self.counts, self.fillers)
        found = native.place(fields, np.array([self.counts, lengths, fillers]), order)
        return self._place(fields, order) if found is None else found  # which says what is wrong

    def _place(self, fields: NDArray[np.uint8], order: Classes) -> Places:
        places, start = [np.empty(0, np.int64)], 0
        for kept, fillers, size in zip(self.counts, self.fillers, order.sizes, strict=True):
            if kept:
                of_context, fields = np.split(fields, [kept + fillers])
                places.append(start + Gaps(of_context, self._filler(kept, size)).check(kept, size).positions())
            start += size
        return order.to_positions(np.concatenate(places))

    def _check(self, sizes: list[int]) -> None:
        for kept, fillers, size in zip(self.counts, self.fillers, sizes, strict=True):
            if kept + fillers * (self._filler(kept, size) if kept else 0) > size:
                raise ArtifactError(f"{kept} gaps and {fillers} fillers do not fit {size} weights")

    def _filler(self, kept: int, size: int) -> int:
        return _FIELDS - 1 if self.tables else frequencies.filler_of(kept, size)


def _encode_classes(order: Classes) -> tuple[bytes, list[Segment]]:
    head, part = varint.put(len(order.columns)) + bytes([order.row_levels, order.column_levels]), []
    for labels, levels in ((order.rows, order.row_levels), (order.columns, order.column_levels)):
        table = frequencies.encode(np.bincount(labels, minlength=levels + 1))
        head += table
        part.append((labels, frequencies.take(Cursor(table), levels + 1)))
    return head, part


def _encode_gaps(places: Places, counts: list[int], sizes: list[int]) -> tuple[bytes, list[Segment]]:
    starts = np.cumsum([0, *sizes])
    split = np.split(places, np.cumsum(counts)[:-1])
    parts = [(part - start, size) for part, start, size in zip(split, starts, sizes, strict=False) if len(part)]
    has_tables, tables, segments = _pays_for_tables(parts), b"", []
    for part, size in parts:
        if has_tables:
            fields = gaps.to_fields(part, size, _FIELDS - 1)
            table = frequencies.encode(np.bincount(fields, minlength=_FIELDS))
            segments.append((fields, frequencies.take(Cursor(table), _FIELDS)))
            tables += table
        else:
            fields = gaps.to_fields(part, size, frequencies.filler_of(len(part), size))
            segments.append((fields, frequencies.geometric(len(part), size)))
    return _gap_head(counts, segments) + bytes([has_tables]) + tables, segments


def _pays_for_tables(parts: list[tuple[Places, int]]) -> bool:
    """True if tables of their own and the gaps coded with them are smaller than with geometric tables."""
    saved = 0.0
    for part, size in parts:
        histogram = gaps.Histogram.of(part, size)
        geometric = frequencies.geometric(len(part), size)
        saved += frequencies.bits(histogram.of_fields(len(geometric) - 1), geometric)
        fields = histogram.of_fields(_FIELDS - 1)
        table = frequencies.encode(fields)
        saved -= frequencies.bits(fields, frequencies.take(Cursor(table), _FIELDS)) + 8 * len(table)
    return saved > 0


def _gap_head(counts: list[int], segments: list[Segment]) -> bytes:
    lengths = iter(len(fields) for fields, _ in segments)
    return b"".join(varint.put(kept) + (varint.put(next(lengths) - kept) if kept else b"") for kept in counts)
