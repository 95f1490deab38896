"""Magnitudes and signs by what is around in a convolution's kernel, in which weights are alike.

A table (``frequencies.py``) of magnitudes; what two neighbours tell of a magnitude (a), and what the number of kept
weights in the kernel does (b); what the signs to the left, above, above to the left and above to the right tell
(``nibbles.py``, six); the stream (``turns.py``), of each kept weight in turn its magnitude and its sign. A block has
floor(2048 / weights of a kernel) kernels. In every other one of them, the first included, weights are of lanes 0 and
1, in those between of 2 and 3; a weight of either kind comes in turn, as long as both have some, so that a decoder has
two to do at once.

Index i of K has magnitude m = min(i, K - 1 - i) and sign 1 if i > K - 1 - i, else -1. Of a table that has n symbols up
to the last that can occur, a weight of magnitude m has the level n - m. The table of a magnitude is tilted
(``frequencies.tilted``) by t = floor((a (level to the left + level above) + b kept weights in the kernel) / 4), from
-32 to 31; where there is no weight in the kernel, or a dropped one, level and sign are 0. The chance of sign 1 is
squash(112 x) of 4096 (``decisions.py``), where x is the sum of what the four signs tell, each times its number. 1 has
the first slots.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import frequencies, loglinear, nibbles, tilts, turns
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.decisions import CHANCES, SQUASH
from dqc_plugin.coding.kernel_masks import Kernels
from dqc_plugin.coding.rans import SLOTS

LANES, BLOCK = 4, 1 << 11
_TILT_LOG, _LOWEST_TILT, _HIGHEST_TILT = 2, -32, 31
_SIGN_UNIT = 112  # in 256ths of a nat
_MOST_FITTED_LEVELS = 32
_LEFT, _ABOVE, _AROUND = (0, -1), (-1, 0), ((0, -1), (-1, 0), (-1, -1), (-1, 1))
Counts = NDArray[np.int64]
Indices = NDArray[np.uint8]


@dataclass(frozen=True)
class Model:
    """How values are told. table: of magnitudes. of_levels: a and b. of_signs: what each tells."""

    kernels: Kernels
    table: Counts
    of_levels: list[int]
    of_signs: list[int]

    @classmethod
    def take(cls, cursor: Cursor, kernels: Kernels, codebook_size: int) -> Model:
        table = frequencies.take(cursor, (codebook_size + 1) // 2)
        numbers = nibbles.take(cursor, 2 + len(_AROUND))
        return cls(kernels, np.trim_zeros(table, "b"), numbers[:2], numbers[2:])

    def tilt(self, levels: Counts, kept: Counts) -> Counts:
        return _tilt(self.of_levels, levels, kept)

    def of_sign(self, signs: Counts) -> Counts:
        """The frequencies of sign 1, by the signs around (n, 4)."""
        logits: Counts = signs @ np.array(self.of_signs) * _SIGN_UNIT
        farthest = len(SQUASH) // 2
        return SQUASH[np.clip(logits, -farthest, farthest) + farthest].astype(np.int64) * (SLOTS // CHANCES)


def encode(positions: Counts, indices: Indices, codebook_size: int, kernels: Kernels) -> bytes:
    """Indices (n,) of the weights at ascending positions (n,)."""
    mirrored = codebook_size - 1 - indices.astype(np.int64)
    magnitudes, signs = np.minimum(indices, mirrored), np.where(indices > mirrored, 1, -1)
    levels = int(magnitudes.max(initial=0)) + 1 - magnitudes
    seen = _Seen.of(positions, kernels)
    around = seen.around(signs, _AROUND)
    sums, kept = seen.around(levels, (_LEFT, _ABOVE)).sum(1), seen.kept
    of_levels = _fit_levels(magnitudes, sums, kept)
    tilt = _tilt(of_levels, sums, kept)
    alphabet = (codebook_size + 1) // 2
    table = frequencies.encode(tilts.fit_table(magnitudes, tilt, alphabet))
    head = table + nibbles.put([*of_levels, *_fit_signs(signs, around)])
    model = Model.take(Cursor(head), kernels, codebook_size)
    order, lanes = _turns(positions // kernels.size, kernels.size)
    entries = _entries(model, magnitudes, tilt, signs, around)[order]
    return head + turns.encode(entries.reshape(-1), lanes.reshape(-1), LANES)


def read(data: Data, positions: Counts, codebook_size: int, kernels: Kernels) -> Indices:
    """Indices (n,) of the weights at ascending positions (n,); ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    model = Model.take(cursor, kernels, codebook_size)
    reader, tables = turns.Reader(cursor.rest(), LANES), _Tables(model)
    order, lanes = _turns(positions // kernels.size, kernels.size)
    near: dict[tuple[int, int, int], tuple[int, int]] = {}  # sign and level by kernel, row and column
    kept = Counter((positions // kernels.size).tolist())
    indices = np.empty(len(positions), np.uint8)
    for which, (first, second) in zip(order.tolist(), lanes.tolist(), strict=True):
        kernel, place = divmod(int(positions[which]), kernels.size)
        row, column = divmod(place, kernels.width)
        seen = [near.get((kernel, row + down, column + right), (0, 0)) for down, right in _AROUND]
        magnitude = reader.take(first, tables.of_magnitude(seen[0][1] + seen[1][1], kept[kernel]))
        sign = 1 - 2 * reader.take(second, tables.of_sign(tuple(sign for sign, _ in seen)))
        near[kernel, row, column] = sign, len(model.table) - magnitude
        indices[which] = codebook_size - 1 - magnitude if sign > 0 else magnitude
    reader.end()
    return indices


def _turns(kernel: Counts, area: int) -> tuple[Counts, turns.Lanes]:
    """The order in which weights (n,) of ascending kernels come, and the lanes of each magnitude and sign (n, 2)."""
    block, within = np.divmod(kernel, BLOCK // area)
    is_odd = within % 2
    group = 2 * block + is_odd
    first = np.bincount(group, minlength=1).cumsum() - np.bincount(group, minlength=1)
    in_order = np.argsort(group, kind="stable")
    rank = np.empty(len(kernel), np.int64)  # in its group
    rank[in_order] = np.arange(len(kernel)) - first[group[in_order]]
    order = np.lexsort((is_odd, rank, block))
    return order, (2 * is_odd[order, None] + np.arange(2)).astype(np.uint8)


class _Tables:
    """The first slots of symbols, by what is around."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tilted: dict[int, list[int]] = {}
        self._signs: dict[tuple[int, ...], list[int]] = {}

    def of_magnitude(self, levels: int, kept: int) -> list[int]:
        tilt = int(self._model.tilt(np.array(levels), np.array(kept)))
        if tilt not in self._tilted:
            self._tilted[tilt] = turns.starts_of(frequencies.tilted(self._model.table, tilt))
        return self._tilted[tilt]

    def of_sign(self, signs: tuple[int, ...]) -> list[int]:
        if signs not in self._signs:
            self._signs[signs] = [0, int(self._model.of_sign(np.array(signs))), SLOTS]
        return self._signs[signs]


@dataclass(frozen=True)
class _Seen:
    """Where kept weights are. kernel, row, column: of each (n,), rows and columns from 1. kept: in its kernel."""

    kernels: Kernels
    kernel: Counts
    row: Counts
    column: Counts
    kept: Counts

    @classmethod
    def of(cls, positions: Counts, kernels: Kernels) -> _Seen:
        which, places = np.divmod(positions, kernels.size)
        _, kernel, kept = np.unique(which, return_inverse=True, return_counts=True)
        row, column = np.divmod(places, kernels.width)
        return cls(kernels, kernel, row + 1, column + 1, kept[kernel])

    def around(self, values: Counts, steps: tuple[tuple[int, int], ...]) -> Counts:
        """Those of the weights so many rows down and columns right, 0 where none are (n, steps)."""
        grid = self._grid(values)
        return np.stack([grid[self.kernel, self.row + down, self.column + right] for down, right in steps], 1)

    def _grid(self, values: Counts) -> Counts:
        """With an empty row above and an empty column on both sides."""
        found = np.zeros(
            (int(self.kernel.max(initial=-1)) + 1, self.kernels.height + 1, self.kernels.width + 2), np.int16
        )
        found[self.kernel, self.row, self.column] = values
        return found.astype(np.int64)


def _tilt(of_levels: list[int], levels: Counts, kept: Counts) -> Counts:
    found: Counts = np.clip(of_levels[0] * levels + of_levels[1] * kept >> _TILT_LOG, _LOWEST_TILT, _HIGHEST_TILT)
    return found


def _fit_levels(magnitudes: Counts, sums: Counts, kept: Counts) -> list[int]:
    """a and b; of many magnitudes a table alone tells enough."""
    alphabet = int(magnitudes.max(initial=0)) + 1
    if alphabet > _MOST_FITTED_LEVELS:
        return [0, 0]
    contexts, histogram = loglinear.histogram(np.stack([sums, kept], 1), magnitudes, alphabet)
    return tilts.fit_tilts(histogram, contexts / (1 << _TILT_LOG))


def _fit_signs(signs: Counts, around: Counts) -> list[int]:
    contexts, histogram = loglinear.histogram(around, (signs > 0).astype(np.int64), 2)
    features = np.stack([np.zeros(contexts.shape), contexts * (_SIGN_UNIT / 256)], 1)
    return nibbles.rounded(loglinear.fit(histogram, features))


def _entries(model: Model, magnitudes: Counts, tilt: Counts, signs: Counts, around: Counts) -> turns.Entries:
    """Of each weight its magnitude's and its sign's."""
    found, which = np.unique(tilt, return_inverse=True)
    of_tilts = np.stack([turns.entries_of(frequencies.tilted(model.table, int(each))) for each in found])
    of_ones = model.of_sign(around)
    is_one = signs > 0
    of_signs = np.where(is_one, of_ones, SLOTS - of_ones | of_ones << 16)
    return np.stack([of_tilts[which, magnitudes], of_signs.astype(np.uint32)], 1)
