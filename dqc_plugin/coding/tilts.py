"""Tilted tables, for an encoder: one table of symbols that stand for small numbers, and what makes large ones likelier.

``frequencies.tilted`` makes the table of a context: tilted by t, symbol s has 2^(s t / 8) times the weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import loglinear, nibbles
from dqc_plugin.coding.loglinear import CODE, Floats

Counts = NDArray[np.int64]


def fit_tilts(histogram: Counts, drives: Floats) -> list[int]:
    """How each drive tilts (k,), between -8 and 7, where symbols occur so often in contexts (contexts, alphabet).

    drives (contexts, k): the tilt of a context is the sum of its drives, each times what is returned.
    """
    if not histogram.sum():
        return [0] * drives.shape[1]
    by_drives = CODE * np.arange(histogram.shape[1])[:, None] * drives[:, None]
    features = np.concatenate([_singles(histogram), by_drives], 2)
    return nibbles.rounded(loglinear.fit(histogram, features, _where_seen(histogram))[histogram.shape[1] - 1 :])


def fit_table(symbols: Counts, tilt: Counts, alphabet: int) -> Counts:
    """How often symbols (alphabet,) would occur untilted: those (n,) that occur are of tables tilted so (n,)."""
    tilts, which = np.unique(tilt, return_inverse=True)
    histogram = np.bincount(which * alphabet + symbols, minlength=len(tilts) * alphabet).reshape(len(tilts), alphabet)
    offsets = CODE * tilts[:, None] * np.arange(alphabet) + _where_seen(histogram)
    logits = np.concatenate([[0.0], loglinear.fit(histogram, _singles(histogram), offsets)])
    powers = np.exp(logits - logits.max()) * (histogram.sum(0) > 0)
    counts: Counts = np.ceil(len(symbols) * powers / powers.sum()).astype(np.int64)
    return counts


def _singles(histogram: Counts) -> Floats:
    """A feature for each symbol but the first."""
    contexts, alphabet = histogram.shape
    return np.broadcast_to(np.eye(alphabet)[:, 1:], (contexts, alphabet, alphabet - 1))


def _where_seen(histogram: Counts) -> Floats:
    found: Floats = np.broadcast_to(np.where(histogram.sum(0) > 0, 0.0, -np.inf), histogram.shape)
    return found
