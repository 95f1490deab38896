"""Positions as gaps: the number of dropped weights before each kept one (Deep Compression, section 2).

A gap is held by a field of ``width`` bits. The field's largest value is the filler: so many dropped weights and no
kept one; any gap is some fillers and a rest. Fillers also bridge the dropped weights after the last kept one, so the
fields account for the whole tensor but less than one filler: its size cannot be claimed without bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import native
from dqc_plugin.errors import ArtifactError

WIDTHS = range(2, 9)
_LONG = 255
_PART = 1 << 16  # fields whose positions stay in the cache


def encode(positions: NDArray[np.int64], size: int, width: int) -> NDArray[np.uint8]:
    """Ascending positions (n,) in a tensor of ``size`` weights as fields (n + fillers,) of ``width`` bits."""
    return to_fields(positions, size, (1 << width) - 1)


def to_fields(positions: NDArray[np.int64], size: int, filler: int) -> NDArray[np.uint8]:
    """:func:`encode` with any filler (1 to 255)."""
    gaps = _gaps(positions, size)
    long = np.flatnonzero(gaps >= filler)
    fillers, rests = np.divmod(gaps[long], filler)
    fields = gaps.astype(np.uint8)
    fields[long] = rests
    return np.insert(fields, np.repeat(long, fillers), filler)[:-1]


@dataclass(frozen=True)
class Gaps:
    """Positions as gap fields (n + fillers,), a byte where an array of positions has eight.

    is_open: they end with the last kept weight.
    """

    fields: NDArray[np.uint8]
    filler: int
    is_open: bool = False

    def check(self, count: int, size: int) -> Gaps:
        """The same; ArtifactError if these are not ``count`` positions that fill, or if open fit, ``size`` weights."""
        kept = int(np.count_nonzero(self.fields != self.filler))
        reached = int(self.fields.sum(dtype=np.int64)) + kept
        if reached > size or (not self.is_open and size >= reached + self.filler):
            raise ArtifactError(f"the gaps reach {reached} of {size} weights")
        if kept != count:
            raise ArtifactError(f"the gaps hold {kept} positions instead of {count}")
        return self

    def parts(self) -> Iterator[NDArray[np.int64]]:
        """The positions, some at a time."""
        reached, make = np.zeros(1, np.int64), native.positions if native.LIBRARY else _positions
        for start in range(0, len(self.fields), _PART):
            yield make(self.fields[start : start + _PART], self.filler, reached)

    def positions(self) -> NDArray[np.int64]:
        """All of them."""
        return np.concatenate([np.empty(0, np.int64), *self.parts()])


@dataclass(frozen=True)
class Histogram:
    """Gaps, with the one after the last position. short: how many (255,) are of each length; long: the others (n,)."""

    short: NDArray[np.int64]
    long: NDArray[np.int64]

    @classmethod
    def of(cls, positions: NDArray[np.int64], size: int) -> Histogram:
        if native.LIBRARY:
            return cls(*native.gap_histogram(positions, size, _LONG))
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


def _positions(fields: NDArray[np.uint8], filler: int, reached: NDArray[np.int64]) -> NDArray[np.int64]:
    is_kept = fields != filler
    ends = np.cumsum(fields + is_kept, dtype=np.int64)
    ends += reached
    reached[0] = ends[-1]
    found: NDArray[np.int64] = ends[is_kept] - 1
    return found


def _gaps(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Dropped weights before each position and after the last, (n + 1,)."""
    edges = np.concatenate(([-1], positions, [size]))
    return np.diff(edges) - 1
