"""Which order of the weights needs the fewest bits by ANS: estimated from histograms, nothing is encoded.

Rows (columns) are put into classes by the log-odds of a weight being kept, or, where all are kept, by their mean
distance from the middle of the codebook, which grows with the logarithm of powers of two. One histogram over fine
classes serves all coarser ones: pairs of classes are merged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding.ans import Form, Plan
from dqc_plugin.coding.ans_heads import MOST_LEVELS
from dqc_plugin.coding.ans_values import alphabet_of, to_symbols
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.coders import KeptIndices

_STEPS = (0.3, 0.25, 0.2, 0.35)  # of log-odds, between the finest classes; of a large tensor only the first is tried
_LARGE = 1 << 20
_DOUBT = 3.0  # kept and dropped weights that every line is given: what few weights say is much chance
_MERGES = (0, 1, 2)  # times that pairs of classes become one
_HEAD_BITS, _CONTEXT_BITS = 64, 24
_FEWEST_WEIGHTS = 256
_LOSS_APART = 1.004
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def plans(kept: KeptIndices, codebook_size: int, signs: bytes = b"") -> list[tuple[Plan, float]]:
    """Plans for a tensor with weights, the best first, and their estimated bits.

    signs: by their neighbours, if not empty. One plan has no classes, the others are the best of a way to look at it.
    """
    form = Form.BY_NEIGHBOURS if signs else _form(kept, codebook_size)
    symbols, alphabet = to_symbols(kept.indices, codebook_size, form), alphabet_of(codebook_size, form)
    apart = {Form.JOINT: 0.0, Form.APART: float(len(symbols)), Form.BY_NEIGHBOURS: 8.0 * len(signs)}[form]
    hist = np.bincount(symbols, minlength=alphabet)
    bits, span = _bits(hist[None], np.array([kept.size]), kept.positions is not None)
    found = [(Plan(Whole(kept.size), form, span, signs), bits + apart)]
    steps = _STEPS if kept.size <= _LARGE else _STEPS[:1]
    for columns, step in itertools.product(_row_lengths(kept), steps):
        view = _View.of(kept, symbols, alphabet, columns, codebook_size, step)
        order, span, bits = min(view.orders(), key=lambda of_order: of_order[2])
        found.append((Plan(order, form, span, signs), bits + apart))
    return sorted(found, key=lambda pair: pair[1])


def _form(kept: KeptIndices, codebook_size: int) -> Form:
    """Signs stay apart if that costs next to nothing."""
    symbols = [to_symbols(kept.indices, codebook_size, form) for form in (Form.JOINT, Form.APART)]
    whole, magnitudes = (entropy_bits(np.bincount(values, minlength=1)[None]) for values in symbols)
    return Form.APART if magnitudes + len(kept.indices) <= _LOSS_APART * whole else Form.JOINT


def _row_lengths(kept: KeptIndices) -> set[int]:
    """Each output channel a row, or each of its input channels."""
    lengths = {math.prod(kept.shape[axis:]) for axis in (1, 2) if axis < len(kept.shape)}
    return {length for length in lengths if 1 < length < kept.size and kept.size >= _FEWEST_WEIGHTS}


@dataclass(frozen=True)
class _View:
    """A tensor as a matrix. rows, columns: fine classes. hist: kept weights by classes and symbol."""

    rows: NDArray[np.uint8]
    columns: NDArray[np.uint8]
    hist: Counts
    is_sparse: bool

    @classmethod
    def of(
        cls, kept: KeptIndices, symbols: NDArray[np.uint8], alphabet: int, length: int, codebook_size: int, step: float
    ) -> _View:
        positions = np.arange(kept.size) if kept.positions is None else kept.positions
        row, column = np.divmod(positions, length)
        height, energies = kept.size // length, None
        if kept.positions is None:
            energies = np.abs(2.0 * kept.indices - (codebook_size - 1))
        row_labels = _label(row, height, length, energies, step)
        column_labels = _label(column, length, height, energies, step)
        cells = (row_labels[row].astype(np.int64) * (MOST_LEVELS + 1) + column_labels[column]) * alphabet + symbols
        shape = (MOST_LEVELS + 1, MOST_LEVELS + 1, alphabet)
        hist = np.bincount(cells, minlength=math.prod(shape)).reshape(shape)
        return cls(row_labels, column_labels, hist, energies is None)

    def orders(self) -> Iterator[tuple[Classes, int, float]]:
        """Orders by classes, the contexts that share a table of values, and the bits of all but signs apart."""
        for merges in _MERGES:
            for of_rows, of_columns in ((merges, merges), (merges, None), (None, merges)):
                yield self._order(of_rows, of_columns)

    def _order(self, row_merges: int | None, column_merges: int | None) -> tuple[Classes, int, float]:
        row_map, row_levels = _merge(self.rows, row_merges)
        column_map, column_levels = _merge(self.columns, column_merges)
        order = Classes(row_map[self.rows], column_map[self.columns], row_levels, column_levels)
        contexts = row_map[:, None].astype(np.int64) + column_map - 2
        hists = np.stack([self.hist[contexts == context].sum(0) for context in range(order.contexts)])
        bits, span = _bits(hists, np.array(order.sizes), self.is_sparse)
        bits += _HEAD_BITS + 4 * (row_levels + column_levels)
        bits += sum(entropy_bits(np.bincount(labels)[None]) for labels in (order.rows, order.columns))
        return order, span, bits


def _label(lines: Counts, count: int, length: int, energies: Floats | None, step: float) -> NDArray[np.uint8]:
    """A fine class (count,) for each row or column of ``length`` weights; ``lines`` are those of the kept weights."""
    kept = np.bincount(lines, minlength=count)
    if energies is None:
        scores = np.log((kept + _DOUBT) / (length - kept + _DOUBT))
    else:
        scores = np.bincount(lines, energies, count) / length
        step = max(float(np.ptp(scores)) / MOST_LEVELS, 1.0)
    below = np.floor((scores.max() - scores) / step)
    labels: NDArray[np.uint8] = np.maximum(MOST_LEVELS - below, 1).astype(np.uint8)
    labels[kept == 0] = 0
    return labels


def _merge(labels: NDArray[np.uint8], merges: int | None) -> tuple[NDArray[np.uint8], int]:
    """What each fine class becomes, and how many there are then but class 0; None leaves only one."""
    fine = np.arange(MOST_LEVELS + 1)
    if merges is None:
        return (fine > 0).astype(np.uint8), 1
    coarse = (fine[1:] - 1) >> merges
    coarse = coarse - coarse[int(labels[labels > 0].min(initial=MOST_LEVELS)) - 1]
    merged = np.concatenate(([0], np.maximum(coarse, 0) + 1)).astype(np.uint8)
    return merged, int(merged.max())


def _bits(hists: Counts, sizes: Counts, is_sparse: bool) -> tuple[float, int]:
    """Bits for positions and values with a table for each context, and the best span of value tables."""
    contexts, alphabet = len(hists), len(np.trim_zeros(hists.sum(0), "b"))
    positions = 0.0
    if is_sparse:
        kept = hists.sum(1)
        positions = entropy_bits(np.stack([kept, sizes - kept], 1)) + _CONTEXT_BITS * contexts
    of_span = {}
    for span in sorted({1, 2, 3, 4, 6, 8, contexts}):
        groups = np.add.reduceat(hists, np.arange(0, contexts, span), axis=0)
        used = int((groups.sum(1) > 0).sum())
        of_span[span] = entropy_bits(groups) + used * (8 + 4 * alphabet)
    span = min(of_span, key=lambda span: of_span[span])
    return positions + of_span[span], span


def entropy_bits(hists: Counts) -> float:
    """Bits of all symbols of histograms (h, alphabet), each with a table of its own."""
    wide = hists.astype(np.float64)
    totals = wide.sum(1)
    return float((totals * np.log2(np.maximum(totals, 1))).sum() - (wide * np.log2(np.maximum(wide, 1))).sum())
