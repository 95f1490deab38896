from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import native, positions
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.errors import ArtifactError


def _array(found: object) -> object:
    return found.positions() if isinstance(found, Gaps) else found


@settings(deadline=None, max_examples=150)
@given(size=st.integers(0, 3000), density=st.floats(0, 1), entropy_coded=st.booleans(), seed=st.integers(0, 999))
def test_round_trip(size: int, density: float, entropy_coded: bool, seed: int) -> None:
    kept = np.flatnonzero(np.random.default_rng(seed).random(size) < density)
    decoded = positions.decode(positions.encode(kept, size, entropy_coded), len(kept), size)
    np.testing.assert_array_equal(_array(decoded), kept)


def test_all_kept_takes_no_bytes() -> None:
    assert positions.encode(None, 1000, True) == b""
    assert positions.decode(b"", 1000, 1000) is None


@pytest.mark.parametrize("kept", [[], [0], [399_999], [7, 200_000]])
@pytest.mark.parametrize("entropy_coded", [True, False])
def test_long_empty_stretches_cost_a_byte_for_2040_weights(kept: list[int], entropy_coded: bool) -> None:
    data = positions.encode(np.array(kept, np.int64), 400_000, entropy_coded)
    assert 400_000 / 2040 <= len(data) < (240 if entropy_coded else 430)
    np.testing.assert_array_equal(_array(positions.decode(data, len(kept), 400_000)), kept)


def test_pruned_filters_cost_little() -> None:
    kept = np.flatnonzero(np.repeat(np.random.default_rng(0).random(500) < 0.3, 800))
    assert len(positions.encode(kept, 400_000, True)) < 600


@pytest.mark.parametrize(("zeros", "form"), [(0.1, 0), (0.4, 0), (0.9, 4), (0.98, 7)])
def test_a_mask_or_gaps_whichever_is_smaller(zeros: float, form: int) -> None:
    """form: 0 for a mask, else the width of gap fields."""
    kept = np.flatnonzero(np.random.default_rng(0).random(400_000) >= zeros)
    assert positions.encode(kept, 400_000, True)[0] == form


@pytest.mark.parametrize(
    ("data", "count", "size", "message"),
    [
        (b"", 3, 4, "no positions are given for 3 of 4 weights"),
        (b"\x09\x00\x00", 3, 4, "unknown form"),
        (b"\x00\x00\x0f", 3, 4, "keeps 4 weights instead of 3"),
        (b"\x04\x00\x00", 1, 1 << 40, "3 bytes of positions cannot stand for"),
        (b"\x04\xff\xff\xff\xff\x0f\x00", 1, 4000, "packed symbols"),
        (b"\x04\x80", 1, 4, "cut or too long"),
    ],
)
def test_streams_that_cannot_be(data: bytes, count: int, size: int, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        positions.decode(data, count, size)


@pytest.mark.skipif(native.LIBRARY is None, reason="no C")
@settings(deadline=None)
@given(size=st.integers(0, 3000), density=st.floats(0, 1), seed=st.integers(0, 999))
def test_octets_of_a_mask_are_counted(size: int, density: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(size) < density
    expected = np.bincount(np.packbits(mask, bitorder="little"), minlength=256)
    np.testing.assert_array_equal(native.octet_histogram(np.flatnonzero(mask), size), expected)
