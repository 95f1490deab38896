"""Convolutions as coders take them, with weights that are alike in a kernel; and the comparison of what comes back."""

from __future__ import annotations

import math

import numpy as np

from dqc_plugin.coding import Coded, KeptIndices, kernels
from dqc_plugin.coding.coders import Decoded
from dqc_plugin.errors import ArtifactError


def convolution(shape: tuple[int, ...], zeros: float, codewords: int, seed: int = 0) -> KeptIndices:
    """Kernels of many kept weights lie in rows and columns with others; some kernels have weights of one sign."""
    random = np.random.default_rng(seed)
    of_kernels = (shape[0], shape[1], 1)
    of_lines = random.normal(0, 0.5, (shape[0], 1, 1)) + random.normal(0, 0.5, (1, shape[1], 1))
    of_weights = random.normal(0, 1, (*shape[:2], math.prod(shape[2:])))
    scores = of_lines + random.normal(0, 1, of_kernels) + of_weights
    kept = scores >= np.quantile(scores, zeros) if zeros else np.ones(scores.shape, bool)
    is_one = random.random(scores.shape) < random.beta(0.7, 0.7, of_kernels)
    magnitudes = np.minimum(
        random.geometric(random.uniform(0.3, 0.9, of_kernels), scores.shape) - 1, (codewords - 1) // 2
    )
    indices = np.where(is_one, codewords - 1 - magnitudes, magnitudes).astype(np.uint8)[kept]
    positions = np.flatnonzero(kept)
    return KeptIndices(kept.size, None if len(positions) == kept.size else positions, indices, shape)


def decoded(coded: Coded, kept: KeptIndices, codewords: int) -> KeptIndices | None:
    """None for an ArtifactError."""
    try:
        found: Decoded = kernels.decode(coded, kept.size, len(kept.indices), codewords)
        return found.ascending()
    except ArtifactError:
        return None


def assert_same(found: KeptIndices | None, kept: KeptIndices | None) -> None:
    assert (found is None) == (kept is None)
    if found is not None and kept is not None:
        assert found.size == kept.size
        np.testing.assert_array_equal(found.indices, kept.indices)
        np.testing.assert_array_equal(_places(found), _places(kept))


def _places(kept: KeptIndices) -> np.ndarray:
    return np.arange(kept.size) if kept.positions is None else kept.positions
