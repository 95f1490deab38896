from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dqc_plugin.coding import floats, native
from dqc_plugin.coding.floats import Layout
from dqc_plugin.errors import ArtifactError

IS_NATIVE = native.LIBRARY is not None
FLOAT32 = Layout(32, 23)
LAYOUTS = [(np.float16, Layout(16, 10)), (np.float32, FLOAT32), (np.float64, Layout(64, 52))]
Bits = NDArray[np.uint64]


def _bits(values: NDArray[np.floating]) -> Bits:
    return values.view(f"<u{values.itemsize}").astype(np.uint64)


def _encoded(values: NDArray[np.float32]) -> bytes:
    data = floats.encode(_bits(values), FLOAT32)
    assert data is not None
    return data


def _rounded(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Normal floats, as bfloat16 cuts them."""
    values = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    return (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(LAYOUTS),
    values=st.lists(st.one_of(st.just(0.0), st.floats(), st.floats(-2, 2, width=16)), min_size=1, max_size=60),
)
def test_floats_come_back_and_c_and_python_write_the_same(
    kind: tuple[type[np.floating], Layout], values: list[float]
) -> None:
    dtype, layout = kind
    with np.errstate(over="ignore"):
        bits = _bits(np.array(values).astype(dtype))
    data = floats.encode(bits, layout)
    if data is None:
        exponents = bits[bits > 0] >> np.uint64(layout.mantissa) & np.uint64(layout.exponents - 1)
        assert int(exponents.max() - exponents.min()) >= floats.MOST_STEPS
        return
    np.testing.assert_array_equal(floats.decode(data, len(bits), layout), bits)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert floats.encode(bits, layout) == data
        np.testing.assert_array_equal(floats.decode(data, len(bits), layout), bits)


def test_a_rounded_float_costs_its_mantissa_and_less_than_four_bits() -> None:
    assert len(_encoded(_rounded(1000))) < 1000 * (7 + 3.7) / 8
    assert len(_encoded(np.abs(_rounded(1000)))) < 1000 * (7 + 2.7) / 8  # signs that are all alike cost nothing


def test_zeros_and_equal_floats_cost_next_to_nothing() -> None:
    assert len(_encoded(np.zeros(64, np.float32))) == 4
    assert len(_encoded(np.ones(64, np.float32))) <= 8
    some = np.where(np.random.default_rng(0).random(1000) < 0.1, _rounded(1000), np.float32(0))
    assert len(_encoded(some)) < 0.2 * 2000


def test_many_floats_and_floats_far_apart_have_no_such_form() -> None:
    assert floats.encode(_bits(_rounded(floats.MOST_FLOATS + 1)), FLOAT32) is None
    assert floats.encode(np.zeros(0, np.uint64), FLOAT32) is None
    assert floats.encode(_bits(np.array([2.0, 1e-39], np.float32)), FLOAT32) is None
    assert floats.encode(np.zeros(10_000, np.uint64), FLOAT32) is None  # four bytes must not ask for so much memory


@pytest.mark.parametrize("with_c", [pytest.param(True, marks=pytest.mark.skipif(not IS_NATIVE, reason="no C")), False])
@pytest.mark.parametrize("length", range(0, 40))
def test_what_is_cut_is_an_error(length: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    data = _encoded(_rounded(60))
    with pytest.raises(ArtifactError):
        floats.decode(data[: len(data) * length // 40], 60, FLOAT32)


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 90), value=st.integers(0, 255))
def test_damage_is_an_error_or_gives_floats_with_c_and_without(at: int, value: int) -> None:
    data = _encoded(np.where(np.arange(60) % 5 > 0, _rounded(60), np.float32(0)))
    damaged = bytearray(data)
    damaged[at % len(data)] = value

    def found() -> list[int] | str:
        try:
            return floats.decode(bytes(damaged), 60, FLOAT32).tolist()
        except ArtifactError as error:
            return str(error)

    with_c = found()
    assert isinstance(with_c, str) or max(with_c) < 1 << 32
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert found() == with_c


@pytest.mark.parametrize(
    ("data", "count"),
    [
        *((b"\x18\x7f\x00\x01", 4), (b"\x17\x80\x02\x00\x01", 4), (b"\x17\x7f\x05\x01", 4)),
        *((b"\x17\x7f\x00\x01", 0), (b"\x17\x7f\x00\x01", 1 << 14), (b"\x17\x7f\x01" + b"\x01" * 5000, 1 << 15)),
    ],
)
def test_heads_that_ask_for_what_cannot_be_are_errors(data: bytes, count: int) -> None:
    with pytest.raises(ArtifactError, match="cannot be theirs"):
        floats.decode(data, count, FLOAT32)
