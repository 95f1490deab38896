from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import entropy, symbols
from dqc_plugin.errors import ArtifactError


@settings(deadline=None, max_examples=200)
@given(
    alphabet=st.integers(1, 256),
    share=st.floats(0, 1),
    count=st.integers(0, 300),
    entropy_coded=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_round_trip(alphabet: int, share: float, count: int, entropy_coded: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    used = random.permutation(alphabet)[: max(1, int(share * alphabet))]
    values = random.choice(used, count).astype(np.uint8)
    data = symbols.encode(values, alphabet, entropy_coded)
    np.testing.assert_array_equal(symbols.decode(data, count, alphabet), values)


@pytest.mark.parametrize("used", [2, 3, 6, 14])
def test_skewed_symbols_of_small_alphabets_come_near_their_entropy(used: int) -> None:
    shares = 0.6 ** np.arange(used)
    values = np.random.default_rng(0).choice(used, 100_000, p=shares / shares.sum()).astype(np.uint8)
    size = len(symbols.encode(values, 31, entropy_coded=True))
    assert size * 8 <= 1.02 * entropy(values) * len(values)


def test_few_symbols_of_a_large_alphabet_are_packed_as_ranks() -> None:
    values = np.array([0, 30] * 50, np.uint8)
    assert len(symbols.encode(values, 31, entropy_coded=False)) == 1 + 4 + 13


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        (b"", 0, "unknown form"),
        (b"\x20", 8, "unknown form"),
        (b"\x09" + bytes(9), 8, "do not fit a byte"),
        (b"\x03" + bytes(9), 8, "3 symbols out of 31 do not fit a byte"),
        (b"\x10\0\0\0\0" + bytes(5), 8, "lists none"),
        (b"\x10\0", 8, "packed symbols"),
        (b"\x00\xff\xff\xff\xff\xff", 8, "out of range"),
        (b"\x00\x00", 8, "8 packed symbols of 5 bits take 5 bytes, not 1"),
    ],
)
def test_streams_that_cannot_be(data: bytes, count: int, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        symbols.decode(data, count, 31)
