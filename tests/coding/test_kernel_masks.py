from __future__ import annotations

import numpy as np
import pytest
from convolutions import convolution

from dqc_plugin.coding import kernel_masks
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.kernel_masks import Kernels, Model
from dqc_plugin.errors import ArtifactError

SQUARE = Kernels(3, 3)


def _encode(positions: np.ndarray, size: int, columns: int, kernels: Kernels = SQUARE) -> bytes:
    return kernel_masks.encode(positions, size, kernels, columns)


def _model(data: bytes, size: int, count: int) -> Model:
    return Model.take(Cursor(data), SQUARE, size, count)


def test_masks_of_weights_that_lie_side_by_side_are_likelier() -> None:
    random = np.random.default_rng(0)
    pairs = random.integers(0, 3000, 2000) * 9 + random.choice([0, 1, 3, 4, 6, 7], 2000)
    positions = np.unique(np.concatenate([pairs, pairs + 1]))
    data = _encode(positions, 27_000, 50)
    beside, above = _model(data, 27_000, len(positions)).tells[-2:]
    assert beside > 3 and abs(above) < beside
    alone = np.sort(random.choice(27_000, len(positions), replace=False))
    assert len(data) < 0.85 * len(_encode(alone, 27_000, 50))


def test_rows_and_columns_tilt_the_table_of_counts() -> None:
    kept = convolution((40, 60, 3, 3), 0.6, 7)
    assert kept.positions is not None
    shuffled = np.random.default_rng(0).permutation(2400)[kept.positions // 9] * 9 + kept.positions % 9
    data, without = _encode(kept.positions, kept.size, 60), _encode(np.sort(shuffled), kept.size, 60)
    assert min(_model(data, kept.size, len(kept.positions)).tilts) > max(
        0, *_model(without, kept.size, len(kept.positions)).tilts
    )
    assert len(data) < len(without)


def test_places_that_weights_like_are_likelier() -> None:
    random = np.random.default_rng(0)
    kernels = np.flatnonzero(random.random(4000) < 0.5)
    positions = kernels * 9 + random.choice(9, len(kernels), p=[0.16, *[0.08] * 3, 0.27, *[0.0825] * 4])
    tells = _model(_encode(positions, 36_000, 40), 36_000, len(positions)).tells
    assert tells[4] == max(tells[:9]) and tells[4] > tells[0] > max(tells[1:4])


def test_another_number_of_kept_weights_is_an_error() -> None:
    positions = np.array([1, 2, 9, 17, 30])
    data = _encode(positions, 36, 2)
    np.testing.assert_array_equal(kernel_masks.read(data, 36, 5, SQUARE), positions)
    for count in (4, 6):
        with pytest.raises(ArtifactError):
            kernel_masks.read(data, 36, count, SQUARE)
