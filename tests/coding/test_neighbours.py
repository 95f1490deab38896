"""Values by neighbours are read, not written: the tests write them by the reader's own walk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import KeptIndices, decisions, native, neighbours, varint
from dqc_plugin.errors import ArtifactError

IS_NATIVE = native.LIBRARY is not None
SHAPES = st.sampled_from([(20, 30), (6, 10, 3, 3), (40, 8, 2), (12, 50)])


def _smooth(shape: tuple[int, ...], zeros: float, codewords: int, seed: int) -> KeptIndices:
    """Weights that mostly have the sign of the one before."""
    random = np.random.default_rng(seed)
    size = math.prod(shape)
    positions = np.flatnonzero(random.random(size) >= zeros)
    signs = np.cumsum(random.random(len(positions)) < 0.2) % 2
    magnitudes = np.minimum(random.geometric(0.5, len(positions)) - 1, (codewords - 1) // 2)
    indices = np.where(signs == 1, codewords - 1 - magnitudes, magnitudes).astype(np.uint8)
    return KeptIndices(size, None if len(positions) == size else positions, indices, shape)


def _encode(kept: KeptIndices, codewords: int, distance: int = 3, first: int = 1) -> bytes:
    columns, levels = math.prod(kept.shape[1:]), (codewords + 1) // 2
    layout = neighbours.Layout(kept.size, columns, distance, levels)
    assert layout.is_sound()
    positions = np.arange(kept.size) if kept.positions is None else kept.positions
    writer, table = decisions.Writer(), neighbours._table(first, levels, codewords)
    neighbours._walk(positions, layout, table, kept.indices, writer)
    head = bytes([0x20]) + varint.put(columns) + varint.put(distance) + bytes([levels, first])
    return head + decisions.join(*decisions.push(writer.decisions))


def _without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LIBRARY", None)


def _assert_same(found: KeptIndices, kept: KeptIndices) -> None:
    assert found.size == kept.size
    np.testing.assert_array_equal(found.indices, kept.indices)
    assert (found.positions is None) == (kept.positions is None)
    if kept.positions is not None:
        np.testing.assert_array_equal(found.positions, kept.positions)


@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, zeros=st.sampled_from([0.0, 0.5, 0.9]), codewords=st.integers(1, 9), seed=st.integers(0, 99))
def test_values_come_back_with_c_and_without(shape: tuple[int, ...], zeros: float, codewords: int, seed: int) -> None:
    kept = _smooth(shape, zeros, codewords, seed)
    data = _encode(kept, codewords, 1 + seed % 40, seed % ((codewords + 1) // 2 * 2))
    assert neighbours.are_in(data)
    _assert_same(neighbours.decode(data, kept.positions, kept.size, codewords), kept)
    with pytest.MonkeyPatch.context() as monkeypatch:
        _without_c(monkeypatch)
        _assert_same(neighbours.decode(data, kept.positions, kept.size, codewords), kept)


@pytest.mark.parametrize("with_c", [pytest.param(True, marks=pytest.mark.skipif(not IS_NATIVE, reason="no C")), False])
@pytest.mark.parametrize("length", range(0, 40))
def test_what_is_cut_is_an_error(length: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        _without_c(monkeypatch)
    kept = _smooth((20, 30), 0.5, 7, 0)
    data = _encode(kept, 7)
    with pytest.raises(ArtifactError):
        neighbours.decode(data[: len(data) * length // 40], kept.positions, kept.size, 7)


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 60), value=st.integers(0, 255))
def test_damage_is_an_error_or_gives_indices_of_the_codebook(at: int, value: int) -> None:
    kept = _smooth((20, 30), 0.5, 7, 0)
    data = bytearray(_encode(kept, 7))
    data[at % len(data)] = value
    try:
        found = neighbours.decode(bytes(data), kept.positions, kept.size, 7)
    except ArtifactError:
        return
    assert len(found.indices) == len(kept.indices)
    assert int(found.indices.max()) < 7


def test_no_layout_takes_more_memory_than_the_weights() -> None:
    kept = _smooth((600, 2), 0.0, 255, 0)
    data = bytes([0x20, 2, 1, 60, 0]) + bytes(16)
    with pytest.raises(ArtifactError, match="unknown form"):
        neighbours.decode(data, None, kept.size, 255)
