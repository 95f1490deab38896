"""Positions as gaps: the number of dropped weights before each kept one (Deep Compression, section 2).

A gap is held by a field of ``width`` bits. The field's largest value is the filler: so many dropped weights and no
kept one; any gap is some fillers and a rest. Fillers also bridge the dropped weights after the last kept one, so the
fields account for the whole tensor but less than one filler: its size cannot be claimed without bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.errors import ArtifactError

WIDTHS = range(2, 9)


def encode(positions: NDArray[np.int64], size: int, width: int) -> NDArray[np.uint8]:
    """Ascending positions (n,) in a tensor of ``size`` weights as fields (n + fillers,) of ``width`` bits."""
    return to_fields(positions, size, (1 << width) - 1)


def decode(fields: NDArray[np.uint8], count: int, size: int, width: int) -> NDArray[np.int64]:
    """The ``count`` positions of fields; ArtifactError if they are not that many or do not fill ``size`` weights."""
    return to_positions(fields, count, size, (1 << width) - 1)


def to_fields(positions: NDArray[np.int64], size: int, filler: int) -> NDArray[np.uint8]:
    """:func:`encode` with any filler (1 to 255)."""
    fillers, rests = np.divmod(_gaps(positions, size), filler)
    fields = np.full(len(positions) + int(fillers.sum()), filler, np.uint8)
    fields[np.cumsum(fillers[:-1] + 1) - 1] = rests[:-1]
    return fields


def to_positions(fields: NDArray[np.uint8], count: int, size: int, filler: int) -> NDArray[np.int64]:
    """:func:`decode` with any filler."""
    is_kept = fields != filler
    ends = np.cumsum(fields + is_kept, dtype=np.int64)
    reached = int(ends[-1]) if len(ends) else 0
    if not reached <= size < reached + filler:
        raise ArtifactError(f"the gaps reach {reached} of {size} weights")
    positions: NDArray[np.int64] = ends[is_kept]
    if len(positions) != count:
        raise ArtifactError(f"the gaps hold {len(positions)} positions instead of {count}")
    positions -= 1
    return positions


def narrowest(positions: NDArray[np.int64], size: int) -> int:
    """The field width that needs the fewest bits in all without entropy coding."""
    gaps = _gaps(positions, size)
    return min(WIDTHS, key=lambda width: width * (len(positions) + int((gaps // ((1 << width) - 1)).sum())))


def _gaps(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Dropped weights before each position and after the last, (n + 1,)."""
    edges = np.concatenate(([-1], positions, [size]))
    return np.diff(edges) - 1
