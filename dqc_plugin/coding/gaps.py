"""Positions as gaps: the number of dropped weights before each kept one (Deep Compression, section 2).

A gap is held by a field of ``width`` bits. The field's largest value is the filler: so many dropped weights and no
kept one; any gap is some fillers and a rest. Fillers also bridge the dropped weights after the last kept one, so the
fields account for the whole tensor but less than one filler: its size cannot be claimed without bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.errors import ArtifactError

WIDTHS = range(2, 9)
_LONG = 255


def encode(positions: NDArray[np.int64], size: int, width: int) -> NDArray[np.uint8]:
    """Ascending positions (n,) in a tensor of ``size`` weights as fields (n + fillers,) of ``width`` bits."""
    return to_fields(positions, size, (1 << width) - 1)


def decode(fields: NDArray[np.uint8], count: int, size: int, width: int) -> NDArray[np.int64]:
    """The ``count`` positions of fields; ArtifactError if they are not that many or do not fill ``size`` weights."""
    return to_positions(fields, count, size, (1 << width) - 1)


def to_fields(positions: NDArray[np.int64], size: int, filler: int) -> NDArray[np.uint8]:
    """:func:`encode` with any filler (1 to 255)."""
    gaps = _gaps(positions, size)
    long = np.flatnonzero(gaps >= filler)
    fillers, rests = np.divmod(gaps[long], filler)
    fields = gaps.astype(np.uint8)
    fields[long] = rests
    return np.insert(fields, np.repeat(long, fillers), filler)[:-1]


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


@dataclass(frozen=True)
class Histogram:
    """Gaps, with the one after the last position. short: how many (255,) are of each length; long: the others (n,)."""

    short: NDArray[np.int64]
    long: NDArray[np.int64]

    @classmethod
    def of(cls, positions: NDArray[np.int64], size: int) -> Histogram:
        gaps = _gaps(positions, size)
        is_long = gaps >= _LONG
        return cls(np.bincount(gaps[~is_long], minlength=_LONG), gaps[is_long])

    def of_fields(self, filler: int) -> NDArray[np.int64]:
        """How often each field (filler + 1,) occurs; the last gap has no rest, but counts as if it had."""
        fillers, rests = np.divmod(self.long, filler)
        folded = np.pad(self.short, (0, -_LONG % filler)).reshape(-1, filler)
        counts = folded.sum(0) + np.bincount(rests, minlength=filler)
        return np.append(counts, np.arange(len(folded)) @ folded.sum(1) + fillers.sum())

    def narrowest(self) -> int:
        """The field width that needs the fewest bits in all without entropy coding."""
        return min(WIDTHS, key=lambda width: width * (int(self.of_fields((1 << width) - 1).sum()) - 1))


def _gaps(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Dropped weights before each position and after the last, (n + 1,)."""
    edges = np.concatenate(([-1], positions, [size]))
    return np.diff(edges) - 1
