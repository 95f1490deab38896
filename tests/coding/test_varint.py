from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import varint
from dqc_plugin.errors import ArtifactError


@settings(deadline=None)
@given(value=st.integers(0, 2**63 - 1), before=st.binary(max_size=3), after=st.binary(max_size=3))
def test_a_count_comes_back_with_the_offset_after_it(value: int, before: bytes, after: bytes) -> None:
    data = varint.put(value)
    assert varint.take(before + data + after, len(before)) == (value, len(before) + len(data))


def test_small_counts_take_one_byte() -> None:
    assert [varint.put(value) for value in (0, 127, 128)] == [b"\x00", b"\x7f", b"\x80\x01"]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 20])
def test_a_count_that_is_cut_or_too_long_is_an_error(data: bytes) -> None:
    with pytest.raises(ArtifactError, match="cut or too long"):
        varint.take(data)


@pytest.mark.parametrize("value", [-1, 2**63])
def test_only_counts_can_be_put(value: int) -> None:
    with pytest.raises(ArtifactError, match="not a count"):
        varint.put(value)
