from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import Coded, KeptIndices, one_table
from dqc_plugin.coding.deep_compression import DeepCompressionCoder, deep_compression
from dqc_plugin.errors import ArtifactError
from dqc_plugin.registry import lookup


def _kept(size: int, density: float, codewords: int, seed: int = 0) -> KeptIndices:
    random = np.random.default_rng(seed)
    positions = np.flatnonzero(random.random(size) < density)
    indices = random.integers(0, codewords, len(positions)).astype(np.uint8)
    return KeptIndices(size, None if len(positions) == size else positions, indices)


def _assert_round_trip(kept: KeptIndices, codewords: int, coder: DeepCompressionCoder = deep_compression) -> Coded:
    coded = coder.encode(kept, codewords)
    decoded = deep_compression.decode(coded, kept.size, len(kept.indices), codewords)
    assert decoded.size == kept.size
    np.testing.assert_array_equal(decoded.indices, kept.indices)
    assert (decoded.positions is None) == (kept.positions is None)
    if kept.positions is not None:
        np.testing.assert_array_equal(decoded.positions, kept.positions)
    return coded


@settings(deadline=None, max_examples=200)
@given(
    size=st.one_of(st.integers(0, 4), st.integers(0, 2000)),
    density=st.sampled_from([0.0, 0.01, 0.08, 0.5, 1.0]),
    codewords=st.sampled_from([1, 2, 31, 32, 255, 256]),
    gap_bits=st.integers(1, 8),
    seed=st.integers(0, 999),
)
def test_round_trip(size: int, density: float, codewords: int, gap_bits: int, seed: int) -> None:
    _assert_round_trip(_kept(size, density, codewords, seed), codewords, DeepCompressionCoder(gap_bits))


@settings(deadline=None, max_examples=100)
@given(gaps=st.lists(st.sampled_from([0, 1, 30, 31, 32, 33, 63, 64, 65]), min_size=1, max_size=12), full=st.booleans())
def test_gaps_around_the_limit_of_the_field(gaps: list[int], full: bool) -> None:
    """full: every weight has the codeword whose symbol is the filler's too."""
    ends = np.cumsum(np.array(gaps) + 1)
    indices = np.full(len(gaps) - 1, 255 if full else 0, np.uint8)
    kept = KeptIndices(int(ends[-1]) - 1, ends[:-1] - 1, indices)
    _assert_round_trip(kept, 256)
    _assert_round_trip(KeptIndices(kept.size, kept.positions, np.minimum(indices, 30)), 31)
    assert deep_compression.plain_size(kept, 31).entries == len(gaps) - 1 + sum(gap // 32 for gap in gaps)


def test_the_paper_s_figure_2() -> None:
    """Weights 1, 4 and 15 of 16 with three-bit fields: a filler zero 8 after the second, the third 3 after that."""
    kept = KeptIndices(16, np.array([1, 4, 15]), np.array([2, 0, 1], np.uint8))
    coded = _assert_round_trip(kept, 3, DeepCompressionCoder(3))
    assert coded.positions == b"\x03\x01" + one_table.encode(np.array([1, 2, 7, 2], np.uint8))
    assert coded.indices == one_table.encode(np.array([2, 0, 3, 1], np.uint8))


def test_bits_per_entry_are_near_the_paper_s() -> None:
    """5 -> 4.5 for the 400k weights of LeNet-5's ip1 at 8 %; positions without any order have 4.65 bits of entropy."""
    kept = _kept(400_000, 0.08, 31)
    plain, coded = deep_compression.plain_size(kept, 31), _assert_round_trip(kept, 31)
    assert plain.entries / len(kept.indices) == pytest.approx(1.075, abs=0.005)
    assert (plain.index_bits, plain.positions) == (5, -(-plain.entries * 5 // 8))
    assert 4.4 < 8 * len(coded.positions) / plain.entries < 4.75


@settings(deadline=None, max_examples=300)
@given(data=st.data(), codewords=st.sampled_from([31, 256]))
def test_any_bytes_decode_to_sound_indices_or_an_error(data: st.DataObject, codewords: int) -> None:
    kept = _kept(300, 0.1, codewords)
    coded = deep_compression.encode(kept, codewords)
    streams = bytearray(coded.positions), bytearray(coded.indices)
    for stream in streams:
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(0, 255))
        del stream[data.draw(st.sampled_from([len(stream), len(stream) // 2])) :]
    size = data.draw(st.sampled_from([300, 299, 0, 1 << 40]))
    try:
        decoded = deep_compression.decode(Coded(*map(bytes, streams)), size, len(kept.indices), codewords)
    except ArtifactError:
        return
    assert decoded.positions is not None and len(decoded.positions) == len(decoded.indices) == len(kept.indices)
    assert bool((np.diff(decoded.positions, prepend=-1) > 0).all()) and int(decoded.positions[-1]) < size
    assert int(decoded.indices.max()) < codewords


def _coded(fields: list[int], symbols: list[int], head: bytes) -> Coded:
    return Coded(*(part + one_table.encode(np.array(s, np.uint8)) for part, s in ((head, fields), (b"", symbols))))


@pytest.mark.parametrize(
    ("coded", "size", "message"),
    [
        (Coded(b"", b""), 9, "no positions are given for 2 of 9"),
        (_coded([0, 0], [0, 0], b"\x09\x00"), 9, "unknown width"),
        (_coded([0, 0], [0, 0], b"\x05\x80"), 9, "reach through"),
        (_coded([0, 0], [0, 0], b"\x05\x00"), 96, "cannot reach through 96"),
        (_coded([0, 0], [0, 0], b"\x05\x00"), 34, "reach 2 of 34"),
        (_coded([9, 9], [0, 0], b"\x05\x00"), 9, "reach 20 of 9"),
        (_coded([0, 32], [0, 0], b"\x05\x00"), 40, "does not fit its 5 bits"),
        (_coded([0, 30, 0], [0, 3, 0], b"\x05\x01"), 40, "a filler is not the longest"),
        (_coded([0, 31, 0], [0, 0, 0], b"\x05\x01"), 40, "of 3 kept weights instead of 2"),
        (_coded([0, 0], [0, 4], b"\x05\x00"), 9, "not one of the 3"),
        (_coded([0, 0, 0], [0, 0], b"\x05\x00"), 9, "do not end after 2 symbols"),
        (Coded(b"\x05\x00", b""), 9, "0 bytes cannot hold 2"),
    ],
)
def test_streams_that_cannot_be(coded: Coded, size: int, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        deep_compression.decode(coded, size, 2, 3)


def test_a_large_claim_takes_no_memory() -> None:
    claim = _coded([31] * 9, [3] * 9, b"\x05\xff\xff\xff\xff\x0f")
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="cannot hold"):
        deep_compression.decode(claim, 1 << 36, 0, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_the_registry_has_it() -> None:
    assert lookup("coder", "deep_compression").load() is deep_compression
