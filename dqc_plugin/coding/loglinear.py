"""Fits of loglinear models to histograms: how an encoder finds the few numbers that tables are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

CODE = np.log(2) / 8
"""The logarithm of a step of a table's codes (``frequencies.py``)."""
_STEPS, _LARGEST_STEP = 20, 4.0
_RIDGE = 0.01  # of weights as large as they are written: keeps those that the histogram says nothing of near 0


def histogram(contexts: Counts, symbols: Counts, alphabet: int) -> tuple[Counts, Counts]:
    """The contexts that occur (c, k), and how often each symbol does in them (c, alphabet).

    contexts (n, k): of each of the symbols (n,); k numbers, of few values.
    """
    least = contexts.min(0, initial=0)
    keys = np.ravel_multi_index(tuple((contexts - least).T), tuple(contexts.max(0, initial=0) - least + 1))
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    counts = np.bincount(which * alphabet + symbols, minlength=len(first) * alphabet)
    return contexts[first], counts.reshape(-1, alphabet)


def fit(counts: Counts, features: Floats, offsets: Floats | None = None) -> Floats:
    """Weights (k,) with which outcomes in their contexts, seen so often (contexts, outcomes), are likeliest.

    The probability of an outcome is in proportion to e^(its features (contexts, outcomes, k) times the weights, and its
    offset); offsets of -inf are outcomes that cannot be. By Newton's method.
    """
    is_seen = counts.sum(1) > 0
    offsets = np.zeros(counts.shape) if offsets is None else offsets
    counts, features, offsets = counts[is_seen], features[is_seen], offsets[is_seen]
    weights, totals = np.zeros(features.shape[2]), counts.sum(1)[:, None]
    of_all = features.reshape(counts.size, len(weights))
    for _ in range(_STEPS):
        expected = _probabilities(features @ weights + offsets) * totals
        gradient = (counts - expected).reshape(-1) @ of_all - _RIDGE * weights
        sums = (expected[:, None] @ features)[:, 0]
        second = (expected.reshape(-1, 1) * of_all).T @ of_all
        hessian = second - (sums / totals).T @ sums + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights += np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 0.01:
            break
    return weights


def _probabilities(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    found: Floats = powers / powers.sum(1, keepdims=True)
    return found
