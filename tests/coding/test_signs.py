from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dqc_plugin.coding import native, signs
from dqc_plugin.errors import ArtifactError

IS_NATIVE = native.LIBRARY is not None
SHAPES = st.sampled_from([(7,), (20, 30), (6, 10, 3, 3), (40, 8, 2), (2, 600), (1, 50), (50, 1)])
Positions = NDArray[np.int64]
Signs = NDArray[np.uint8]


def _smooth(size: int, zeros: float, seed: int, change: float = 0.2) -> tuple[Positions, Signs]:
    """Signs that mostly are those of the weight before."""
    random = np.random.default_rng(seed)
    positions = np.flatnonzero(random.random(size) >= zeros)
    return positions, (np.cumsum(random.random(len(positions)) < change) % 2).astype(np.uint8)


def _encoded(shape: tuple[int, ...], zeros: float = 0.5, seed: int = 0) -> tuple[bytes, Positions, Signs]:
    positions, found = _smooth(math.prod(shape), zeros, seed)
    data = signs.encode(positions, found, math.prod(shape), signs.columns_of(shape))
    assert data is not None
    return data, positions, found


def _without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LIBRARY", None)


@settings(deadline=None, max_examples=80)
@given(shape=SHAPES, zeros=st.sampled_from([0.0, 0.5, 0.9]), seed=st.integers(0, 99))
def test_signs_come_back_and_c_and_python_write_the_same(shape: tuple[int, ...], zeros: float, seed: int) -> None:
    size, columns = math.prod(shape), signs.columns_of(shape)
    positions, wanted = _smooth(size, zeros, seed)
    places = None if len(positions) == size else positions
    data = signs.encode(places, wanted, size, columns)
    if data is None:
        assert not len(wanted) or -(-size // columns) + columns > size
        return
    order = np.random.default_rng(seed).permutation(len(wanted)) if places is not None else np.arange(size)
    shuffled = None if places is None else positions[order]
    np.testing.assert_array_equal(signs.decode(data, shuffled, len(wanted), size, columns), wanted[order])
    with pytest.MonkeyPatch.context() as monkeypatch:
        _without_c(monkeypatch)
        assert signs.encode(places, wanted, size, columns) == data
        np.testing.assert_array_equal(signs.decode(data, shuffled, len(wanted), size, columns), wanted[order])


def test_signs_that_neighbours_tell_are_cheap() -> None:
    data, positions, _ = _encoded((100, 200))
    assert len(data) < 0.8 * len(positions) / 8  # a sign that is the last one's four times of five has 0.72 bits


def test_random_signs_cost_a_bit() -> None:
    random = np.random.default_rng(0).integers(0, 2, 20_000).astype(np.uint8)
    data = signs.encode(None, random, 20_000, 200)
    assert data is not None
    assert 2500 < len(data) < 2600


@pytest.mark.parametrize("width", [3, 7])
def test_the_width_of_a_filter_is_found(width: int) -> None:
    columns = np.sign(np.random.default_rng(0).normal(size=(64, 1, width)))  # equal signs above each other
    alike = np.broadcast_to(columns > 0, (64, 7, width)).reshape(-1).astype(np.uint8)
    data = signs.encode(None, alike, len(alike), 7 * width)
    assert data is not None
    assert abs(data[0] - width) <= 1


@pytest.mark.parametrize("with_c", [pytest.param(True, marks=pytest.mark.skipif(not IS_NATIVE, reason="no C")), False])
@pytest.mark.parametrize("length", range(0, 40))
def test_what_is_cut_is_an_error(length: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        _without_c(monkeypatch)
    data, positions, wanted = _encoded((20, 30))
    with pytest.raises(ArtifactError):
        signs.decode(data[: len(data) * length // 40], positions, len(wanted), 600, 30)


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 60), value=st.integers(0, 255))
def test_damage_is_an_error_or_gives_signs_with_c_and_without(at: int, value: int) -> None:
    data, positions, wanted = _encoded((20, 30))
    damaged = bytearray(data)
    damaged[at % len(data)] = value

    def found() -> list[int] | str:
        try:
            return signs.decode(bytes(damaged), positions, len(wanted), 600, 30).tolist()
        except ArtifactError as error:
            return str(error)

    with_c = found()
    assert isinstance(with_c, str) or set(with_c) <= {0, 1}
    with pytest.MonkeyPatch.context() as monkeypatch:
        _without_c(monkeypatch)
        assert found() == with_c


@pytest.mark.parametrize(("size", "columns", "distance"), [
    *((600, 0, 1), (600, 601, 1), (600, 600, 1), (600, 1, 1), (600, 30, 0), (100, 10, 101)),
])  # fmt: skip
def test_no_matrix_takes_more_memory_than_the_weights(size: int, columns: int, distance: int) -> None:
    with pytest.raises(ArtifactError, match="matrix"):
        signs.decode(bytes([distance]) + bytes(20), np.array([3, 5]), 2, size, columns)


def test_large_tensors_are_left_to_tables() -> None:
    size = signs.MOST_WEIGHTS + 1
    assert signs.encode(np.array([5]), np.array([1], np.uint8), size, 1) is None
