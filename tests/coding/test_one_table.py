from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import huffman, one_table


@settings(deadline=None, max_examples=150)
@given(data=st.one_of(st.binary(max_size=400), st.binary(max_size=2).map(lambda pair: pair * 150)))
def test_zlib_reads_it(data: bytes) -> None:
    symbols = np.frombuffer(data, np.uint8)
    np.testing.assert_array_equal(huffman.decode(one_table.encode(symbols), len(symbols)), symbols)


def test_codes_that_would_be_too_long_are_cut() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 24:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    symbols = np.repeat(np.arange(24, dtype=np.uint8), fibonacci)
    coded = one_table.encode(symbols)
    np.testing.assert_array_equal(huffman.decode(coded, len(symbols)), symbols)
    counts = np.array(fibonacci)
    assert one_table.code_lengths(counts, 15).max() <= 15 < one_table.code_lengths(counts, 99).max()
    assert len(coded) * 8 <= 1.002 * int((counts * one_table.code_lengths(counts, 99)).sum())


def test_one_table_for_all() -> None:
    """Two halves of other symbols: 2.25 bits a symbol, as the end has a code too; tables for each half take 1.6."""
    random = np.random.default_rng(0)
    symbols = np.concatenate([random.integers(0, 2, 80_000), random.integers(2, 4, 80_000)]).astype(np.uint8)
    assert len(huffman.encode(symbols)) < 34_000
    assert 44_700 < len(one_table.encode(symbols)) < 45_060


@pytest.mark.parametrize(
    ("counts", "lengths"), [([4, 2, 1, 1, 0], [1, 2, 3, 3, 0]), ([0, 7], [0, 1]), ([1, 1], [1, 1]), ([0], [0])]
)
def test_lengths(counts: list[int], lengths: list[int]) -> None:
    assert one_table.code_lengths(np.array(counts), 15).tolist() == lengths
