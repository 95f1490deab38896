from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqc_plugin.coding import nibbles
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.errors import ArtifactError


@given(values=st.lists(st.integers(-8, 7), max_size=20))
def test_numbers_come_back_from_four_bits_each(values: list[int]) -> None:
    data = nibbles.put(values)
    assert len(data) == (len(values) + 1) // 2
    cursor = Cursor(data)
    assert nibbles.take(cursor, len(values)) == values
    cursor.end()


def test_the_lowest_four_bits_come_first() -> None:
    assert nibbles.put([1, -1, 7, -8]) == b"\xf1\x87"


def test_what_is_cut_is_an_error() -> None:
    with pytest.raises(ArtifactError):
        nibbles.take(Cursor(b"\x00"), 3)


def test_the_nearest_numbers() -> None:
    assert nibbles.rounded(np.array([-9.7, -1.6, 0.4, 3.51, 1e9])) == [-8, -2, 0, 4, 7]
