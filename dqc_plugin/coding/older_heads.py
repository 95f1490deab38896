"""Heads of positions by ANS (``ans_heads.py``) in an older form: files have it; it is read, not written.

The first byte is 64, + 1 if not every weight is kept, + 2 if there are classes. If it is 64, that is all. Else there
follow
  - the binary logarithm of the number of lanes (byte)
  - with classes: the columns of the matrix (varint), the classes of rows and of columns (a byte each), and for each
    of the two a table of the classes from class 0 on
  - unless all are kept: for each context the number of kept weights and, if it is not 0, of fillers (varints); then a
    byte, 1 if there follows, for each context with kept weights, a table of the 256 gap fields
"""

from __future__ import annotations

from dqc_plugin.coding.ans_heads import Head, Shape, take_tables
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.errors import ArtifactError

MARK = 0x40
"""In the first byte of such a head; the first bytes of the newer one have a higher bit too."""
_PARTLY_KEPT, _HAS_CLASSES = 1, 2
_FILLER, _MOST_LANES_LOG = 255, 63


def take(cursor: Cursor, size: int, count: int) -> Head:
    """What a head says of the ``count`` kept of ``size`` weights; ArtifactError if it cannot be."""
    kind = cursor.byte()
    if kind & ~(_PARTLY_KEPT | _HAS_CLASSES) != MARK or (count != size and not kind & _PARTLY_KEPT):
        raise ArtifactError(f"positions have an unknown form ({kind}), or are not of {count} of {size} weights")
    if kind == MARK:
        return Head(0, None, None)
    lanes = 1 << min(cursor.byte(), _MOST_LANES_LOG)
    shape = _take_shape(cursor, size) if kind & _HAS_CLASSES else None
    if not kind & _PARTLY_KEPT:
        return Head(lanes, shape, None)
    counts, fillers = _take_counts(cursor, shape.contexts if shape else 1)
    if sum(counts) != count:
        raise ArtifactError(f"the contexts keep {sum(counts)} weights instead of {count}")
    if not _take_form(cursor):
        return Head(lanes, shape, counts, fillers=fillers)
    return Head(lanes, shape, counts, _FILLER, take_tables(cursor, counts, _FILLER), fillers)


def _take_shape(cursor: Cursor, size: int) -> Shape:
    columns, levels = cursor.count(), (cursor.byte(), cursor.byte())
    return Shape.take(cursor, size, columns, levels)


def _take_counts(cursor: Cursor, contexts: int) -> tuple[list[int], list[int]]:
    counts, fillers = [], []
    for _ in range(contexts):
        counts.append(cursor.count())
        fillers.append(cursor.count() if counts[-1] else 0)
    return counts, fillers


def _take_form(cursor: Cursor) -> bool:
    form = cursor.byte()
    if form > 1:
        raise ArtifactError(f"gaps have an unknown form ({form})")
    return form == 1
