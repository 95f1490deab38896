from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import entropy, huffman
from dqc_plugin.errors import ArtifactError


def _skewed(count: int) -> np.ndarray:
    return np.minimum(np.random.default_rng(0).geometric(0.2, count), 255).astype(np.uint8)


@settings(deadline=None, max_examples=50)
@given(data=st.binary(max_size=300), runs=st.booleans(), least=st.integers(0, 50))
def test_round_trip(data: bytes, runs: bool, least: int) -> None:
    symbols = np.frombuffer(data, np.uint8)
    coded = huffman.encode(symbols, runs, least)
    assert len(coded) >= least
    np.testing.assert_array_equal(huffman.decode(coded, len(symbols)), symbols)


def test_size_is_within_two_percent_of_the_entropy() -> None:
    symbols = _skewed(100_000)
    assert len(huffman.encode(symbols)) * 8 <= 1.02 * entropy(symbols) * len(symbols)


def test_a_stream_cut_anywhere_is_an_error() -> None:
    coded = huffman.encode(_skewed(100))
    for length in range(len(coded)):
        with pytest.raises(ArtifactError):
            huffman.decode(coded[:length], 100)


@pytest.mark.parametrize("count", [0, 99, 101])
def test_another_number_of_symbols_is_an_error(count: int) -> None:
    with pytest.raises(ArtifactError, match=f"do not end after {count} symbols"):
        huffman.decode(huffman.encode(_skewed(100)), count)


def test_bytes_after_the_stream_are_an_error() -> None:
    with pytest.raises(ArtifactError, match="do not end"):
        huffman.decode(huffman.encode(_skewed(100)) + b"\0", 100)


def test_noise_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="damaged"):
        huffman.decode(b"\x07" * 40, 100)


def test_a_bomb_takes_no_memory() -> None:
    bomb = zlib.compress(bytes(50_000_000))[2:-4]
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="cannot hold"):
        huffman.decode(bomb, 50_000_000)
    with pytest.raises(ArtifactError, match="do not end"):
        huffman.decode(bomb, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
