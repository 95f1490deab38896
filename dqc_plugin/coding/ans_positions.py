"""Positions by ANS, as gaps in the order of the weights' contexts.

A head (``ans_heads.py``; in older files, ``older_heads.py``), and the stream (``rans.py``) but the low halves of its
states: with classes a part with the classes of the rows and those of the columns; with gaps a part with the gap fields
of each context with kept weights, up to its last one. The values start with the low halves of the states, in the place
of the stream's payload, which is their own start.

A gap is the number of dropped weights since the last kept one in its context. The filler, a field for so many dropped
weights and no kept one, is the last symbol of each table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import ans_heads, frequencies, gaps, native, older_heads, positions, rans
from dqc_plugin.coding.ans_heads import ALL_KEPT, GEOMETRIC, OWN_TABLES, Head, Order
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.coding.rans import WORD_BYTES, Decoder, Segment, lanes_log
from dqc_plugin.errors import ArtifactError

_FILLERS = (255, 31)  # of tables: a short one has few codes, but more fields, which take time
_FEW = 1 << 15
Places = NDArray[np.int64]
Fields = NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """order: of the weights. counts: kept weights of each context. positions: in that order, gaps where there are no
    classes; None if all are kept.

    values: what ``ans_values`` decodes, or if is_old it or ``neighbours``.
    """

    order: Order
    counts: list[int]
    positions: Places | Gaps | None
    values: bytes
    is_old: bool = False


def encode(places: Places | None, counts: list[int], order: Order, values: bytes) -> tuple[bytes, bytes]:
    """The positions, and ``values`` without the bytes that the positions hold."""
    tables: list[bytes] = []
    parts: list[list[Segment]] = []
    kind = ALL_KEPT
    if isinstance(order, Classes):
        tables, part = _encode_classes(order)
        parts = [part]
    if places is not None:
        kind, of_gaps, part = _encode_gaps(places, counts, order.sizes)
        tables, parts = [*tables, *of_gaps], [*parts, part]
    if not parts:
        in_place, values = ans_heads.leave_out(0, values)
        return ans_heads.put(in_place, kind, order, tables, counts), values
    log = lanes_log(sum(len(symbols) for part in parts for symbols, _ in part), len(values))
    in_place, values = ans_heads.leave_out(log, values)
    low, stream, used = rans.encode(parts, 1 << log, values)
    return ans_heads.put(in_place, kind, order, tables, counts) + stream, low + values[used:]


def decode(data: bytes, values: bytes, size: int, count: int) -> Found:
    """Where the ``count`` kept of ``size`` weights are; ArtifactError if the bytes cannot say that."""
    plain = ans_heads.plain_in(data, values)
    if plain:
        return Found(Whole(size), [count], positions.decode(plain[0], count, size), plain[1])
    cursor = Cursor(data)
    is_old = not data[0] & ans_heads.MARK
    head = (older_heads if is_old else ans_heads).take(cursor, size, count)
    if not head.lanes:
        cursor.end()
        return Found(Whole(size), [size], None, head.of_values + values, is_old)
    return _read(cursor.rest(), values, head, size, is_old)


def _read(data: Data, values: bytes, head: Head, size: int, is_old: bool) -> Found:
    states = WORD_BYTES * head.lanes
    stream = Decoder(values[:states], data, head.lanes)
    order: Order = head.shape.read(stream) if head.shape else Whole(size)
    found = None if head.counts is None else _Contexts(head, head.counts, order).read(stream)
    if found is None and sum(order.sizes) != size:
        raise ArtifactError("a row or column of class 0 has kept weights")
    payload, rest = stream.finish()
    if rest:
        raise ArtifactError(f"{len(rest)} bytes are left over after the positions")
    return Found(order, head.counts or order.sizes, found, head.of_values + payload + values[states:], is_old)


@dataclass(frozen=True)
class _Contexts:
    """What the stream's gap fields mean. counts: kept weights of each context."""

    head: Head
    counts: list[int]
    order: Order

    def read(self, stream: Decoder) -> Places | Gaps:
        """The positions of the kept weights, in the order of their contexts."""
        sizes = self.order.sizes
        fillers = [self._filler(kept, size) for kept, size in zip(self.counts, sizes, strict=True)]
        fields, lengths = self._take_fields(stream, sizes, fillers)
        if not len(fields):
            return np.empty(0, np.int64)
        if isinstance(self.order, Whole):
            return Gaps(fields, fillers[0], self._is_open).check(self.counts[0], sizes[0])
        contexts = np.array([self.counts, lengths, fillers])
        found = native.place(fields, contexts, self.order, self._is_open) if native.LIBRARY else None
        return self._place(fields, contexts, self.order) if found is None else found  # which says what is wrong

    @property
    def _is_open(self) -> bool:
        return self.head.fillers is None

    def _take_fields(self, stream: Decoder, sizes: list[int], fillers: list[int]) -> tuple[Fields, list[int]]:
        """The fields of all contexts, and how many each has."""
        used = [at for at, kept in enumerate(self.counts) if kept]
        room = sum(self._most_fields(at, sizes[at], fillers[at]) for at in used)
        tables = self.head.tables or [frequencies.geometric(self.counts[at], sizes[at], fillers[at]) for at in used]
        if self.head.fillers is None:
            runs = [(self.counts[at], table, fillers[at]) for at, table in zip(used, tables, strict=True)]
            fields, found = stream.take_kept(runs, room)
            of_used = iter(found.tolist())
            return fields, [next(of_used) if kept else 0 for kept in self.counts]
        lengths = [kept + more for kept, more in zip(self.counts, self.head.fillers, strict=True)]
        return stream.take([(lengths[at], table) for at, table in zip(used, tables, strict=True)]), lengths

    def _most_fields(self, context: int, size: int, filler: int) -> int:
        """ArtifactError where they do not fit the context's weights."""
        kept, fillers = self.counts[context], 0 if self.head.fillers is None else self.head.fillers[context]
        if kept + fillers * filler > size:
            raise ArtifactError(f"{kept} gaps and {fillers} fillers do not fit {size} weights")
        return kept + (size - kept) // filler

    def _place(self, fields: Fields, contexts: Places, order: Classes) -> Places:
        places, start = [np.empty(0, np.int64)], 0
        for (kept, length, filler), size in zip(contexts.T.tolist(), order.sizes, strict=True):
            if kept:
                of_context, fields = np.split(fields, [length])
                places.append(start + Gaps(of_context, filler, self._is_open).check(kept, size).positions())
            start += size
        return order.to_positions(np.concatenate(places))

    def _filler(self, kept: int, size: int) -> int:
        if not kept:
            return 0
        return self.head.filler or frequencies.filler_of(kept, size)


def _encode_classes(order: Classes) -> tuple[list[bytes], list[Segment]]:
    tables, part = [], []
    for labels, levels in ((order.rows, order.row_levels), (order.columns, order.column_levels)):
        table = frequencies.encode(np.bincount(labels, minlength=levels + 1))
        tables.append(table)
        part.append((labels, frequencies.take(Cursor(table), levels + 1)))
    return tables, part


def _encode_gaps(places: Places, counts: list[int], sizes: list[int]) -> tuple[int, list[bytes], list[Segment]]:
    """How the positions are given; the filler and the tables, if they are their own; and the fields."""
    starts = np.cumsum([0, *sizes])
    split = np.split(places, np.cumsum(counts)[:-1])
    parts = [(part - start, size) for part, start, size in zip(split, starts, sizes, strict=False) if len(part)]
    filler = _filler_of_tables(parts)
    if not filler:
        return GEOMETRIC, [], [_geometric_segment(part, size) for part, size in parts]
    fields = [_to_fields(part, filler) for part, _ in parts]
    tables = [frequencies.encode(np.bincount(of_context, minlength=filler + 1)) for of_context in fields]
    own = [frequencies.take(Cursor(table), filler + 1) for table in tables]
    return OWN_TABLES, [bytes([filler]), *tables], list(zip(fields, own, strict=True))


def _geometric_segment(places: Places, size: int) -> Segment:
    filler = frequencies.filler_of(len(places), size)
    return _to_fields(places, filler), frequencies.geometric(len(places), size, filler)


def _to_fields(places: Places, filler: int) -> Fields:
    return gaps.to_fields(places, int(places[-1]) + 1, filler)


def _filler_of_tables(parts: list[tuple[Places, int]]) -> int:
    """That with which tables of their own and gaps coded with them are smallest; 0 if they are with geometric ones."""
    of_tables = _FILLERS if sum(len(part) for part, _ in parts) <= _FEW else _FILLERS[:1]
    bits: dict[int, float] = dict.fromkeys((0, *of_tables), 0.0)
    for part, size in parts:
        histogram, filler = gaps.Histogram.of(part, size), frequencies.filler_of(len(part), size)
        bits[0] += frequencies.bits(histogram.of_fields(filler), frequencies.geometric(len(part), size, filler))
        for filler in of_tables:
            fields = histogram.of_fields(filler)
            table = frequencies.encode(fields)
            own = frequencies.take(Cursor(table), filler + 1)
            bits[filler] += frequencies.bits(fields, own) + 8 * len(table)
    return min(bits, key=lambda filler: bits[filler])
