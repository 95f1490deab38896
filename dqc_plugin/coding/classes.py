"""Rows and columns of a tensor in classes, and the contexts that they make.

A tensor of n weights is seen as a matrix. Class 0 holds rows (columns) without a kept weight; the others count from 1.
The context of a weight is the sum of its row's and its column's class, less 2: where classes are steps of log-odds,
rows and columns of many weights meet in high contexts. Weights of class 0 are in no context.

Weights are taken in the order of their contexts; in a context by their row's class, then row by row and in a row by
column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """The weights at the crossings of some rows and columns, all of one context. start: place of the first one."""

    context: int
    start: int
    rows: Places
    columns: Places

    @property
    def size(self) -> int:
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True)
class Whole:
    """All weights in one context and in their own order: like :class:`Classes`, without a matrix."""

    size: int
    contexts = 1

    @property
    def sizes(self) -> list[int]:
        return [self.size]

    def to_places(self, positions: Places) -> Places:
        return positions

    def to_positions(self, places: Places) -> Places:
        return places

    def in_order(self, values: Labels) -> Labels:
        return values

    def in_rows(self, values: Labels) -> Labels:
        return values


@dataclass(frozen=True)
class Classes:
    """rows, columns: the class of each, uint8; row_levels, column_levels: number of classes but class 0."""

    rows: Labels
    columns: Labels
    row_levels: int
    column_levels: int

    @property
    def contexts(self) -> int:
        return self.row_levels + self.column_levels - 1

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Those that are not empty, in the order of their weights."""
        return tuple(self._blocks())

    @cached_property
    def sizes(self) -> list[int]:
        """Weights in each context."""
        heights = np.bincount(self.rows, minlength=self.row_levels + 1)
        widths = np.bincount(self.columns, minlength=self.column_levels + 1)
        return [int(size) for size in np.convolve(heights[1:], widths[1:])]

    def to_places(self, positions: Places) -> Places:
        """The place in the order of the contexts of each weight, none of class 0."""
        rows, columns = np.divmod(positions, len(self.columns))
        starts = np.zeros((self.row_levels + 1, self.column_levels + 1), np.int64)
        widths = np.bincount(self.columns, minlength=self.column_levels + 1)
        for block in self.blocks:
            starts[self.rows[block.rows[0]], self.columns[block.columns[0]]] = block.start
        of_row, of_column = self.rows[rows], self.columns[columns]
        in_block = _ranks(self.rows)[rows] * widths[of_column] + _ranks(self.columns)[columns]
        return starts[of_row, of_column] + in_block

    def to_positions(self, places: Places) -> Places:
        """The weights at ascending places, in that order."""
        positions = np.empty_like(places)
        ends = np.searchsorted(places, [block.start + block.size for block in self.blocks])
        begin = 0
        for block, end in zip(self.blocks, ends.tolist(), strict=True):
            rows, columns = np.divmod(places[begin:end] - block.start, len(block.columns))
            positions[begin:end] = block.rows[rows] * len(self.columns) + block.columns[columns]
            begin = end
        return positions

    def in_order(self, values: Labels) -> Labels:
        """Values of all weights (n,), none of class 0, by place."""
        matrix = values.reshape(len(self.rows), len(self.columns))
        return np.concatenate([matrix[np.ix_(block.rows, block.columns)].reshape(-1) for block in self.blocks])

    def in_rows(self, values: Labels) -> Labels:
        """The inverse of :meth:`in_order`."""
        found = np.empty(len(self.rows) * len(self.columns), np.uint8)
        matrix = found.reshape(len(self.rows), len(self.columns))
        for block in self.blocks:
            part = values[block.start : block.start + block.size]
            matrix[np.ix_(block.rows, block.columns)] = part.reshape(len(block.rows), len(block.columns))
        return found

    def _blocks(self) -> Iterator[Block]:
        rows = [np.flatnonzero(self.rows == level + 1) for level in range(self.row_levels)]
        columns = [np.flatnonzero(self.columns == level + 1) for level in range(self.column_levels)]
        start = 0
        for context in range(self.contexts):
            for row_level in range(max(0, context - self.column_levels + 1), min(context + 1, self.row_levels)):
                block = Block(context, start, rows[row_level], columns[context - row_level])
                if block.size:
                    yield block
                start += block.size


def _ranks(labels: Labels) -> Places:
    """How many of the same label stand before each."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    ranks = np.empty(len(labels), np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks
