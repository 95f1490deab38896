from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import Coded, Coder, KeptIndices, entropy
from dqc_plugin.coding.coders import huffman, packed
from dqc_plugin.errors import ArtifactError
from dqc_plugin.registry import lookup


def _pruned(size: int, zeros: float, codewords: int, seed: int = 0) -> KeptIndices:
    """Weights as pruning and a power-of-two codebook leave them: large ones, few magnitudes, two signs."""
    random = np.random.default_rng(seed)
    positions = np.flatnonzero(random.random(size) >= zeros)
    half = codewords // 2
    magnitudes = np.minimum(random.geometric(0.45, len(positions)) - 1, half - 1)
    indices = (magnitudes + half * random.integers(0, 2, len(positions))).astype(np.uint8)
    return KeptIndices(size, None if len(positions) == size else positions, indices)


def _ideal_bytes(kept: KeptIndices) -> float:
    gaps = 0.0 if kept.positions is None else entropy(np.diff(kept.positions, prepend=-1) - 1)
    return len(kept.indices) * (gaps + entropy(kept.indices)) / 8


def _size(coded: Coded) -> int:
    return len(coded)


def _assert_round_trip(coder: Coder, kept: KeptIndices, codewords: int) -> Coded:
    coded = coder.encode(kept, codewords)
    decoded = coder.decode(coded, kept.size, len(kept.indices), codewords)
    np.testing.assert_array_equal(decoded.indices, kept.indices)
    assert decoded.size == kept.size
    if kept.positions is None:
        assert decoded.positions is None
    else:
        np.testing.assert_array_equal(decoded.positions, kept.positions)
    return coded


@settings(deadline=None, max_examples=150)
@given(
    coder=st.sampled_from([huffman, packed]),
    size=st.one_of(st.integers(0, 4), st.integers(0, 2000)),
    zeros=st.sampled_from([0.0, 0.3, 0.9, 0.99, 1.0]),
    codewords=st.integers(2, 256),
    seed=st.integers(0, 999),
)
def test_round_trip(coder: Coder, size: int, zeros: float, codewords: int, seed: int) -> None:
    _assert_round_trip(coder, _pruned(size, zeros, codewords, seed), codewords)


@pytest.mark.parametrize("zeros", [0.0, 0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("codewords", [3, 7, 15, 31, 255])
def test_huffman_is_within_one_and_a_half_percent_of_the_entropy(zeros: float, codewords: int) -> None:
    kept = _pruned(400_000, zeros, codewords)
    assert _size(_assert_round_trip(huffman, kept, codewords)) <= 1.015 * _ideal_bytes(kept)


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9])
def test_huffman_is_never_larger_than_packed(zeros: float) -> None:
    kept = _pruned(5000, zeros, 31)
    assert _size(huffman.encode(kept, 31)) < _size(packed.encode(kept, 31)) <= 5000 * 6 / 8 + 16


def test_three_weights_take_a_few_bytes() -> None:
    kept = KeptIndices(3, None, np.array([0, 30, 15], np.uint8))
    assert _size(huffman.encode(kept, 31)) == 3


def test_a_file_may_mix_coders() -> None:
    kept = _pruned(1000, 0.9, 31)
    for encoder, decoder in ((huffman, packed), (packed, huffman)):
        decoded = decoder.decode(encoder.encode(kept, 31), 1000, len(kept.indices), 31)
        np.testing.assert_array_equal(decoded.indices, kept.indices)


@settings(deadline=None, max_examples=300)
@given(data=st.data(), zeros=st.sampled_from([0.0, 0.5, 0.9]))
def test_any_bytes_decode_to_sound_indices_or_an_error(data: st.DataObject, zeros: float) -> None:
    kept = _pruned(300, zeros, 31)
    coded = huffman.encode(kept, 31)
    positions, indices = bytearray(coded.positions), bytearray(coded.indices)
    for stream in (positions, indices):
        if stream:
            stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(0, 255))
    size = data.draw(st.sampled_from([300, 299, 0, 1 << 40]))
    try:
        decoded = huffman.decode(Coded(bytes(positions), bytes(indices)), size, len(kept.indices), 31)
    except ArtifactError:
        return
    assert size == decoded.size and len(decoded.indices) == len(kept.indices)
    assert int(decoded.indices.max()) < 31
    if decoded.positions is not None:
        assert bool((np.diff(decoded.positions, prepend=-1) > 0).all())
        assert len(decoded.positions) == len(decoded.indices) and int(decoded.positions[-1]) < size


def test_the_registry_has_both() -> None:
    assert lookup("coder", "huffman").load() is huffman
    assert lookup("coder", "packed").load() is packed
