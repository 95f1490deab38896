from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dqc_plugin.coding.packed import pack, packed_length, unpack, width_of
from dqc_plugin.errors import ArtifactError


def _bit_by_bit(symbols: NDArray[np.uint8], width: int) -> bytes:
    number = sum(int(symbol) << width * place for place, symbol in enumerate(symbols))
    return number.to_bytes(packed_length(len(symbols), width), "little")


@settings(deadline=None, max_examples=100)
@given(width=st.integers(1, 8), count=st.integers(0, 70), seed=st.integers(0, 2**32 - 1))
def test_packing_is_the_little_endian_number_of_the_symbols(width: int, count: int, seed: int) -> None:
    symbols = np.random.default_rng(seed).integers(0, 1 << width, count).astype(np.uint8)
    data = pack(symbols, width)
    assert data == _bit_by_bit(symbols, width)
    np.testing.assert_array_equal(unpack(data, count, width), symbols)


@pytest.mark.parametrize(("alphabet", "width"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (31, 5), (32, 5), (256, 8)])
def test_width_of_an_alphabet(alphabet: int, width: int) -> None:
    assert width_of(alphabet) == width


@pytest.mark.parametrize("length", [0, 4, 6])
def test_another_length_than_the_symbols_need_is_an_error(length: int) -> None:
    with pytest.raises(ArtifactError, match="8 packed symbols of 5 bits take 5 bytes"):
        unpack(bytes(length), 8, 5)


def test_a_huge_count_takes_no_memory() -> None:
    with pytest.raises(ArtifactError):
        unpack(b"1234", 1 << 50, 8)
