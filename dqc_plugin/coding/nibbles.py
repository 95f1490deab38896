"""Small signed numbers, four bits each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import packed
from dqc_plugin.coding.cursor import Cursor

LEAST, MOST = -8, 7
_WIDTH = 4


def put(values: Sequence[int]) -> bytes:
    """Bit packed, the lowest four bits of two's complement."""
    return packed.pack(np.array(values, np.int64).astype(np.uint8) & np.uint8(15), _WIDTH)


def take(cursor: Cursor, count: int) -> list[int]:
    data = cursor.take(packed.packed_length(count, _WIDTH))
    return [(value ^ 8) - 8 for value in packed.unpack(data, count, _WIDTH).tolist()]


def rounded(values: NDArray[np.float64]) -> list[int]:
    """The nearest ones."""
    return [int(min(max(round(value), LEAST), MOST)) for value in values]
