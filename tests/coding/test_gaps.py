from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import gaps, native
from dqc_plugin.errors import ArtifactError


@settings(deadline=None, max_examples=150)
@given(size=st.integers(0, 3000), density=st.floats(0, 1), width=st.sampled_from(gaps.WIDTHS), seed=st.integers(0, 999))
def test_round_trip(size: int, density: float, width: int, seed: int) -> None:
    positions = np.flatnonzero(np.random.default_rng(seed).random(size) < density)
    fields = gaps.encode(positions, size, width)
    found = gaps.Gaps(fields, (1 << width) - 1).check(len(positions), size)
    np.testing.assert_array_equal(found.positions(), positions)


def test_a_gap_is_fillers_and_a_rest() -> None:
    np.testing.assert_array_equal(gaps.encode(np.array([0, 1, 5, 9]), 14, 2), [0, 0, 3, 0, 3, 0, 3])


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 2000), density=st.floats(0, 0.3), seed=st.integers(0, 999))
def test_the_narrowest_width_takes_the_fewest_bits(size: int, density: float, seed: int) -> None:
    positions = np.flatnonzero(np.random.default_rng(seed).random(size) < density)
    lengths = {width: width * len(gaps.encode(positions, size, width)) for width in gaps.WIDTHS}
    chosen = gaps.Histogram.of(positions, size).narrowest()
    assert lengths[chosen] == min(lengths.values())


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 3000), density=st.floats(0, 0.3), width=st.sampled_from(gaps.WIDTHS))
def test_the_histogram_tells_the_fields(size: int, density: float, width: int) -> None:
    positions = np.flatnonzero(np.random.default_rng(size).random(size) < density)
    last_gap = size - 1 - int(positions.max(initial=-1))
    expected = np.bincount(gaps.encode(positions, size, width), minlength=1 << width)
    expected[last_gap % ((1 << width) - 1)] += 1
    np.testing.assert_array_equal(gaps.Histogram.of(positions, size).of_fields((1 << width) - 1), expected)


@pytest.mark.parametrize(
    ("fields", "count", "size", "message"),
    [
        ([0, 3, 0], 2, 4, "reach 5 of 4"),
        ([0, 3, 0], 2, 8, "reach 5 of 8"),
        ([], 0, 3, "reach 0 of 3"),
        ([0, 3, 0], 3, 5, "hold 2 positions instead of 3"),
        ([0, 3, 0], 1, 5, "hold 2 positions instead of 1"),
    ],
)
def test_fields_that_do_not_fill_the_tensor(fields: list[int], count: int, size: int, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        gaps.Gaps(np.array(fields, np.uint8), 3).check(count, size)


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, 3000))
def test_the_histogram_is_the_same_with_c_and_without(data: st.DataObject, size: int) -> None:
    kept = data.draw(st.sets(st.integers(0, size - 1), max_size=40))
    positions = np.array(sorted(kept), np.int64)
    found = gaps.Histogram.of(positions, size)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        expected = gaps.Histogram.of(positions, size)
    np.testing.assert_array_equal(found.short, expected.short)
    np.testing.assert_array_equal(found.long, expected.long)
