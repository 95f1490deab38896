"""Positions by the masks of a convolution's kernels: how many weights of each are kept, and which.

Kernels of many kept weights lie in rows and columns (output and input channels) with others; in a kernel kept weights
lie side by side. The tensor is a matrix of kernels of 2 to 9 weights.

The columns (varint); the tilts of rows and columns, then what each weight of a kernel tells, what two kept side by side
and what two above each other (``nibbles.py``); a table (``frequencies.py``) of the counts of kept weights; the stream
(``turns.py``), of each kernel in turn its count, of lane 0, and its mask, of lane 1.

Each row and column has an average A, in 64ths, that starts at the mean M = floor(64 kept / kernels), a row's at its
first kernel, and grows by floor((64 count - A) / 8) with each of its kernels. The table of counts is tilted by
t = floor((row tilt (A_row - M) + column tilt (A_column - M)) / 128), from -16 to 15; the average of a row is here that
before its last kernel, M for two kernels, so that a decoder need not wait for the count of that. The value of a mask
(bit i is weight i) is 3 times the sum of what its weights and pairs tell. The masks of a count, in the order of their
numbers, have the weights of codes max(1, 176 - largest value + value), in 2^12 slots, each of which is 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import frequencies, loglinear, nibbles, tilts, turns, varint
from dqc_plugin.coding.cursor import Cursor, Data
from dqc_plugin.coding.loglinear import CODE
from dqc_plugin.coding.rans import SLOTS
from dqc_plugin.errors import ArtifactError

LARGEST = 9
"""Weights of a kernel that has a mask."""
LANES = 2
_MEAN_LOG, _AVERAGE_LOG, _TILT_LOG = 6, 3, 7
_LOWEST_TILT, _HIGHEST_TILT = -16, 15
_TELLS = 3  # codes of what weights and pairs tell
_SLOTS = 1 << 12  # of a table of masks: few lie in a processor's nearest cache
_COARSE_LOG, _MOST_FITTED = 5, 1 << 15  # averages in one context, and kernels, where tilts are looked for
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Kernels:
    """Of a tensor, their weights row by row."""

    height: int
    width: int

    @property
    def size(self) -> int:
        return self.height * self.width


@dataclass(frozen=True)
class Model:
    """How masks are told. tilts: of rows and of columns. tells: of weights and of pairs. table: of counts."""

    kernels: Kernels
    columns: int
    mean: int
    tilts: list[int]
    tells: list[int]
    table: Counts

    @classmethod
    def take(cls, cursor: Cursor, kernels: Kernels, size: int, count: int) -> Model:
        """What a head says; ArtifactError if it cannot be of ``count`` kept of ``size`` weights."""
        columns, rows = cursor.count(), size // kernels.size
        if size % kernels.size or not columns or rows % columns:
            raise ArtifactError(f"{size} weights do not make rows of {columns} kernels of {kernels.size}")
        numbers = nibbles.take(cursor, 2 + kernels.size + 2)
        table = frequencies.take(cursor, kernels.size + 1)
        return cls(kernels, columns, (count << _MEAN_LOG) // rows, numbers[:2], numbers[2:], table)

    def tilt(self, of_row: Counts, of_column: Counts) -> Counts:
        """Of the table of counts, where these are the averages (n,)."""
        return _tilt(self.tilts, of_row - self.mean, of_column - self.mean)

    @cached_property
    def of_counts(self) -> list[Counts]:
        """For each count the frequencies of its masks."""
        values = _TELLS * (_features(self.kernels) @ np.array(self.tells))
        of_counts = [values[masks] for masks in _masks_of(self.kernels.size)]
        codes = [frequencies.LAST_CODE + of_count - of_count.max() for of_count in of_counts]
        return [frequencies.of_codes(of_count, _SLOTS) * (SLOTS // _SLOTS) for of_count in codes]


def encode(positions: Counts, size: int, kernels: Kernels, columns: int) -> bytes:
    """Ascending positions (n,) of ``size`` weights in rows of so many kernels."""
    masks = _to_masks(positions, size, kernels.size)
    counts = _kept_in(kernels.size)[masks]
    of_row, of_column = _averages(counts.reshape(-1, columns), (len(positions) << _MEAN_LOG) // len(masks))
    of_lines = _fit_tilts(counts, of_row, of_column, kernels.size)
    tilt = _tilt(of_lines, of_row, of_column)
    table = frequencies.encode(tilts.fit_table(counts, tilt, kernels.size + 1))
    head = varint.put(columns) + nibbles.put([*of_lines, *_fit_tells(masks, kernels)]) + table
    model = Model.take(Cursor(head), kernels, size, len(positions))
    entries = _entries(model, masks, counts, tilt)
    lanes = np.resize(np.arange(LANES, dtype=np.uint8), entries.size)
    return head + turns.encode(entries.reshape(-1), lanes, LANES)


def read(data: Data, size: int, count: int, kernels: Kernels) -> Counts:
    """The ``count`` positions (count,); ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    model = Model.take(cursor, kernels, size, count)
    area, reader = kernels.size, turns.Reader(cursor.rest(), LANES)
    found: list[int] = []
    tilted: dict[int, list[int]] = {}
    starts = [turns.starts_of(of_count) for of_count in model.of_counts]
    before, of_row, of_columns = model.mean, model.mean, [model.mean] * model.columns
    for kernel in range(size // area):
        column = kernel % model.columns
        before, of_row = (before, of_row) if column else (model.mean, model.mean)
        tilt = int(_tilt(model.tilts, np.array(before - model.mean), np.array(of_columns[column] - model.mean)))
        if tilt not in tilted:
            tilted[tilt] = turns.starts_of(frequencies.tilted(model.table, tilt))
        kept = reader.take(0, tilted[tilt])
        mask = int(_masks_of(area)[kept][reader.take(1, starts[kept])])
        before = of_row
        of_row += (kept << _MEAN_LOG) - of_row >> _AVERAGE_LOG
        of_columns[column] += (kept << _MEAN_LOG) - of_columns[column] >> _AVERAGE_LOG
        found += [kernel * area + place for place in range(area) if mask >> place & 1]
        if len(found) > count:
            break
    if len(found) != count:
        raise ArtifactError(f"masks do not keep {count} weights")
    reader.end()
    return np.array(found, np.int64)


def _tilt(of_lines: list[int], of_row: Counts, of_column: Counts) -> Counts:
    sums = of_lines[0] * of_row + of_lines[1] * of_column >> _TILT_LOG
    found: Counts = np.clip(sums, _LOWEST_TILT, _HIGHEST_TILT)
    return found


def _entries(model: Model, masks: Counts, counts: Counts, tilt: Counts) -> turns.Entries:
    """Of each kernel its count's and its mask's."""
    found, which = np.unique(tilt, return_inverse=True)
    of_tilts = np.stack([turns.entries_of(frequencies.tilted(model.table, int(each))) for each in found])
    of_masks = np.zeros(1 << model.kernels.size, np.uint32)
    for of_count, table in zip(_masks_of(model.kernels.size), model.of_counts, strict=True):
        of_masks[of_count] = turns.entries_of(table)
    return np.stack([of_tilts[which, counts], of_masks[masks]], 1)


def _to_masks(positions: Counts, size: int, area: int) -> Counts:
    """The mask of each kernel."""
    kernels, places = np.divmod(positions, area)
    return np.bincount(kernels, 1 << places, size // area).astype(np.int64)


def _averages(counts: Counts, mean: int) -> tuple[Counts, Counts]:
    """At each kernel (n,), less the mean: of the row before the last kernel, and the column; counts (rows, columns)."""
    found = []
    for lines in (counts.T, counts):  # those of all rows at once, one kernel after another; then of all columns
        average, before = np.zeros(lines.shape[1], np.int64), np.empty(lines.shape, np.int64)
        for at, of_kernels in enumerate(lines):
            before[at] = average
            average += (of_kernels << _MEAN_LOG) - mean - average >> _AVERAGE_LOG
        found.append(before)
    of_rows, of_columns = found
    return np.concatenate([of_rows[:1], of_rows[:-1]]).T.reshape(-1), of_columns.reshape(-1)


def _fit_tilts(counts: Counts, of_row: Counts, of_column: Counts, area: int) -> list[int]:
    """What the averages tell of the counts; kernels with averages that are much alike count as one context."""
    coarse = np.stack([of_row[:_MOST_FITTED], of_column[:_MOST_FITTED]], 1) >> _COARSE_LOG
    contexts, histogram = loglinear.histogram(coarse, counts[:_MOST_FITTED], area + 1)
    drives = (contexts + 0.5) * (1 << _COARSE_LOG) / (1 << _TILT_LOG)
    return tilts.fit_tilts(histogram, drives)


def _fit_tells(masks: Counts, kernels: Kernels) -> list[int]:
    """What weights and pairs tell of masks whose counts are known."""
    kept, all_masks = _kept_in(kernels.size), np.arange(1 << kernels.size)
    is_of = kept == np.arange(kernels.size + 1)[:, None]
    seen = np.where(is_of, np.bincount(masks, minlength=len(all_masks)), 0)
    features = np.broadcast_to(_TELLS * CODE * _features(kernels), (*is_of.shape, kernels.size + 2))
    return nibbles.rounded(loglinear.fit(seen, features, np.where(is_of, 0.0, -np.inf)))


@cache
def _features(kernels: Kernels) -> Counts:
    """Of each mask its weights, and how many pairs are side by side and above each other (masks, size + 2)."""
    bits = np.arange(1 << kernels.size)[:, None] >> np.arange(kernels.size) & 1
    grid = bits.reshape(-1, kernels.height, kernels.width)
    beside, above = (grid[:, :, 1:] & grid[:, :, :-1]).sum((1, 2)), (grid[:, 1:] & grid[:, :-1]).sum((1, 2))
    return np.column_stack([bits, beside, above])


@cache
def _kept_in(area: int) -> Counts:
    """How many weights each mask keeps."""
    kept: Counts = (np.arange(1 << area)[:, None] >> np.arange(area) & 1).sum(1)
    return kept


@cache
def _masks_of(area: int) -> list[Counts]:
    """Those of each count, ascending."""
    return [np.flatnonzero(_kept_in(area) == count) for count in range(area + 1)]
