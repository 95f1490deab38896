from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import KeptIndices, native, neighbours
from dqc_plugin.coding.best import best
from dqc_plugin.errors import ArtifactError

IS_NATIVE = native.LIBRARY is not None
SHAPES = st.sampled_from([(7,), (20, 30), (6, 10, 3, 3), (40, 8, 2), (2, 600), (1, 50), (50, 1)])


def _smooth(shape: tuple[int, ...], zeros: float, codewords: int, seed: int) -> KeptIndices:
    """Weights that mostly have the sign of the one before."""
    random = np.random.default_rng(seed)
    size = math.prod(shape)
    positions = np.flatnonzero(random.random(size) >= zeros)
    signs = np.cumsum(random.random(len(positions)) < 0.2) % 2
    magnitudes = np.minimum(random.geometric(0.5, len(positions)) - 1, (codewords - 1) // 2)
    indices = np.where(signs == 1, codewords - 1 - magnitudes, magnitudes).astype(np.uint8)
    return KeptIndices(size, None if len(positions) == size else positions, indices, shape)


def _without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LIBRARY", None)


def _assert_same(found: KeptIndices, kept: KeptIndices) -> None:
    assert found.size == kept.size
    np.testing.assert_array_equal(found.indices, kept.indices)
    assert (found.positions is None) == (kept.positions is None)
    if kept.positions is not None:
        np.testing.assert_array_equal(found.positions, kept.positions)


@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, zeros=st.sampled_from([0.0, 0.5, 0.9]), codewords=st.integers(1, 256), seed=st.integers(0, 99))
def test_values_come_back_and_c_and_python_write_the_same(
    shape: tuple[int, ...], zeros: float, codewords: int, seed: int
) -> None:
    kept = _smooth(shape, zeros, codewords, seed)
    data = neighbours.encode(kept, codewords)
    if data is None:
        return
    assert neighbours.are_in(data)
    _assert_same(neighbours.decode(data, kept.positions, kept.size, codewords), kept)
    with pytest.MonkeyPatch.context() as monkeypatch:
        _without_c(monkeypatch)
        assert neighbours.encode(kept, codewords) == data
        _assert_same(neighbours.decode(data, kept.positions, kept.size, codewords), kept)


def test_signs_that_neighbours_tell_are_cheap() -> None:
    kept = _smooth((100, 200), 0.5, 15, 0)
    data = neighbours.encode(kept, 15)
    assert data is not None
    told = len(data) - len(neighbours.encode(_with_random_signs(kept), 15) or b"")
    assert -told > 0.2 * len(kept.indices) / 8  # a sign that is the last one's four times of five has 0.72 bits
    assert len(best.encode(kept, 15).indices) <= len(data)


def _with_random_signs(kept: KeptIndices) -> KeptIndices:
    magnitudes = np.minimum(kept.indices, 14 - kept.indices)
    turned = np.random.default_rng(1).integers(0, 2, len(magnitudes)) == 1
    return KeptIndices(kept.size, kept.positions, np.where(turned, 14 - magnitudes, magnitudes), kept.shape)


def test_the_width_of_a_filter_is_found() -> None:
    random = np.random.default_rng(0)
    columns = np.sign(random.normal(size=(64, 1, 7)))  # equal signs above each other, in filters of 7 x 7
    signs = np.broadcast_to(columns, (64, 7, 7)).reshape(-1) > 0
    kept = KeptIndices(signs.size, None, np.where(signs, 2, 0).astype(np.uint8), (64, 49))
    data = neighbours.encode(kept, 3)
    assert data is not None
    assert data[1:3] == bytes([49, 7])


@pytest.mark.parametrize("with_c", [pytest.param(True, marks=pytest.mark.skipif(not IS_NATIVE, reason="no C")), False])
@pytest.mark.parametrize("length", range(0, 40))
def test_what_is_cut_is_an_error(length: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        _without_c(monkeypatch)
    kept = _smooth((20, 30), 0.5, 7, 0)
    data = neighbours.encode(kept, 7)
    assert data is not None
    with pytest.raises(ArtifactError):
        neighbours.decode(data[: len(data) * length // 40], kept.positions, kept.size, 7)


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 60), value=st.integers(0, 255))
def test_damage_is_an_error_or_gives_indices_of_the_codebook(at: int, value: int) -> None:
    kept = _smooth((20, 30), 0.5, 7, 0)
    data = bytearray(neighbours.encode(kept, 7) or b"")
    data[at % len(data)] = value
    try:
        found = neighbours.decode(bytes(data), kept.positions, kept.size, 7)
    except ArtifactError:
        return
    assert len(found.indices) == len(kept.indices)
    assert int(found.indices.max()) < 7


def test_no_layout_takes_more_memory_than_the_weights() -> None:
    """Many levels of many rows would: an encoder leaves this form alone, a decoder refuses it."""
    kept = _smooth((600, 2), 0.0, 255, 0)
    assert neighbours.encode(kept, 255) is None
    data = bytes([0x20, 2, 1, 60, 0]) + bytes(16)
    with pytest.raises(ArtifactError, match="unknown form"):
        neighbours.decode(data, None, kept.size, 255)


def test_large_tensors_are_left_to_tables() -> None:
    size = neighbours.MOST_WEIGHTS + 1
    assert neighbours.encode(KeptIndices(size, np.array([5]), np.array([1], np.uint8), (size, 1)), 3) is None
