from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding.groups import group, most_in_a_byte, ungroup
from dqc_plugin.errors import ArtifactError


@pytest.mark.parametrize(
    ("alphabet", "most"), [(1, 8), (2, 8), (3, 5), (4, 4), (6, 3), (7, 2), (16, 2), (17, 1), (256, 1)]
)
def test_how_many_fit_a_byte(alphabet: int, most: int) -> None:
    assert most_in_a_byte(alphabet) == most


@settings(deadline=None, max_examples=100)
@given(alphabet=st.integers(1, 256), count=st.integers(0, 40), data=st.data())
def test_round_trip(alphabet: int, count: int, data: st.DataObject) -> None:
    together = data.draw(st.integers(1, most_in_a_byte(alphabet)))
    symbols = np.array(data.draw(st.lists(st.integers(0, alphabet - 1), min_size=count, max_size=count)), np.uint8)
    numbers = group(symbols, alphabet, together)
    assert len(numbers) == -(-count // together)
    letters = np.arange(alphabet, dtype=np.uint8)
    np.testing.assert_array_equal(ungroup(numbers, count, letters, together), symbols)


def test_the_first_symbol_is_the_lowest_digit() -> None:
    np.testing.assert_array_equal(group(np.array([1, 2, 0, 2], np.uint8), 3, 3), [1 + 2 * 3, 2])
    np.testing.assert_array_equal(group(np.array([1, 0, 1], np.uint8), 2, 8), [0b101])


def test_letters_are_what_digits_stand_for() -> None:
    np.testing.assert_array_equal(ungroup(np.array([5], np.uint8), 2, np.array([7, 9, 30], np.uint8), 2), [30, 9])


def test_a_number_that_no_group_gives_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="out of range"):
        ungroup(np.array([9], np.uint8), 2, np.arange(3, dtype=np.uint8), 2)
