from __future__ import annotations

import numpy as np
import pytest

from dqc_plugin.coding import kernel_values
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.kernel_masks import Kernels
from dqc_plugin.coding.kernel_values import BLOCK, Model
from dqc_plugin.errors import ArtifactError

SQUARE = Kernels(3, 3)


def _encode(magnitudes: np.ndarray, signs: np.ndarray, kernels: Kernels = SQUARE) -> bytes:
    indices = np.where(signs > 0, 6 - magnitudes, magnitudes).astype(np.uint8)
    data = kernel_values.encode(np.arange(len(indices)), indices, 7, kernels)
    np.testing.assert_array_equal(kernel_values.read(data, np.arange(len(indices)), 7, kernels), indices)
    return data


def _model(data: bytes) -> Model:
    return Model.take(Cursor(data), SQUARE, 7)


def _random_signs(count: int) -> np.ndarray:
    return np.random.default_rng(1).choice([-1, 1], count)


def test_signs_of_neighbours_tell_a_sign() -> None:
    of_kernels = np.repeat(_random_signs(2000), 9)
    signs = np.where(np.random.default_rng(2).random(18_000) < 0.9, of_kernels, -of_kernels)
    magnitudes = np.zeros(18_000, np.int64)
    data = _encode(magnitudes, signs)
    assert min(_model(data).of_signs[:2]) > 0
    assert len(data) < 0.75 * len(_encode(magnitudes, _random_signs(18_000)))


def test_signs_that_alternate_are_told_too() -> None:
    checkered = np.resize([1, -1], 9) * np.repeat(_random_signs(2000), 9).reshape(-1, 9)
    data = _encode(np.zeros(18_000, np.int64), checkered.reshape(-1))
    assert max(_model(data).of_signs[:2]) < 0
    assert len(data) < 18_000 / 8 * 0.6


def test_levels_of_neighbours_tell_a_magnitude() -> None:
    random = np.random.default_rng(3)
    magnitudes = np.minimum(np.repeat(random.integers(0, 3, 2000), 9) + (random.random(18_000) < 0.1), 3)
    data = _encode(magnitudes, _random_signs(18_000))
    assert _model(data).of_levels[0] < 0
    assert len(data) < 0.96 * len(_encode(random.permutation(magnitudes), _random_signs(18_000)))


def test_the_number_of_kept_weights_tells_a_magnitude() -> None:
    """Where few weights of a kernel are kept, these are small."""
    random = np.random.default_rng(4)
    kept = np.where(random.random((2000, 1)) < 0.5, 1, 9) > np.arange(9)
    magnitudes = np.where(kept.sum(1, keepdims=True) == 1, 3, random.integers(0, 2, (2000, 9)))[kept]
    data = kernel_values.encode(np.flatnonzero(kept), magnitudes.astype(np.uint8), 7, SQUARE)
    assert _model(data).of_levels[1] < 0


@pytest.mark.parametrize("kernels", [BLOCK // 9, BLOCK // 9 + 1, 2 * (BLOCK // 9) + 2, 1, 2])
def test_a_last_block_may_be_full_or_hold_a_kernel(kernels: int) -> None:
    _encode(np.zeros(9 * kernels, np.int64), _random_signs(9 * kernels))


def test_the_lanes_of_a_stream_go_by_every_other_kernel_of_a_block() -> None:
    """Of kernels that keep 2, 0, 3 and 1 weights, that of 2 is the first and that of 3 the third."""
    order, lanes = kernel_values._turns(np.array([0, 0, 2, 2, 2, 3]), 9)
    assert order.tolist() == [0, 5, 1, 2, 3, 4]
    assert lanes.tolist() == [[0, 1], [2, 3], [0, 1], [0, 1], [0, 1], [0, 1]]


def test_a_stream_of_other_weights_is_an_error() -> None:
    data = _encode(np.zeros(90, np.int64), _random_signs(90))
    for places in (np.arange(89), np.arange(91)):
        with pytest.raises(ArtifactError):
            kernel_values.read(data, places, 7, SQUARE)
