"""A small tensor by ANS in one call into C: the same as step by step, of sound bytes and of any others."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import Coded, KeptIndices, ans, native, positions, signs
from dqc_plugin.coding.ans_heads import Order
from dqc_plugin.coding.ans_values import Form
from dqc_plugin.coding.classes import Classes, Whole
from dqc_plugin.coding.coders import Decoded, KeptByGaps
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.errors import ArtifactError

pytestmark = pytest.mark.skipif(native.LIBRARY is None, reason="no C")
Found = tuple[list[int], list[int]]


def _tensor(shape: tuple[int, ...], kept: float, codewords: int, seed: int) -> KeptIndices:
    """Runs of dropped rows and columns among the others, so that some classes are 0; at least one weight is kept."""
    random, size = np.random.default_rng(seed), math.prod(shape)
    is_kept = (random.random(size) < kept).reshape(shape[0], -1)
    if kept < 1:
        is_kept[random.random(shape[0]) < 0.2] = False
        is_kept[:, random.random(is_kept.shape[1]) < 0.2] = False
    is_kept[-1, -1] = True
    places = np.flatnonzero(is_kept)
    indices = np.minimum(random.geometric(0.3, len(places)) - 1, codewords - 1).astype(np.uint8)
    return KeptIndices(size, None if len(places) == size else places, indices, shape)


def _order(kept: KeptIndices, levels: tuple[int, int], seed: int) -> Order:
    """Any classes of rows and columns, 0 where nothing is kept; none for levels of 0."""
    if not all(levels):
        return Whole(kept.size)
    random, is_kept = np.random.default_rng(seed), np.zeros(kept.size, bool)
    is_kept[slice(None) if kept.positions is None else kept.positions] = True
    matrix = is_kept.reshape(kept.shape[0], -1)
    rows, columns = (
        np.where(matrix.any(axis), random.integers(1, most + 1, matrix.shape[1 - axis]), 0).astype(np.uint8)
        for axis, most in zip((1, 0), levels, strict=True)
    )
    return Classes(rows, columns, *levels)


def _signs(kept: KeptIndices, codewords: int) -> bytes | None:
    is_one = (kept.indices > codewords - 1 - kept.indices.astype(int)).astype(np.uint8)
    return signs.encode(kept.positions, is_one, kept.size, signs.columns_of(kept.shape))


@st.composite
def _coded(draw: st.DrawFn) -> tuple[KeptIndices, int, Coded]:
    """A tensor, the number of its codewords, and its bytes by a plan of any kind."""
    shape = draw(st.sampled_from([(30,), (7, 9), (40, 30), (6, 5, 3, 3), (3, 700)]))
    kept_share = draw(st.sampled_from([0.02, 0.3, 0.9, 1.0]))
    codewords, seed = draw(st.sampled_from([2, 7, 8, 31, 255, 256])), draw(st.integers(0, 999))
    kept = _tensor(shape, kept_share, codewords, seed)
    levels = draw(st.sampled_from([(0, 0), (1, 1), (2, 1), (1, 3), (5, 4), (16, 16)]))
    form = draw(st.sampled_from(list(Form)))
    found = (_signs(kept, codewords) if form == Form.BY_NEIGHBOURS else b"") if len(shape) > 1 else b""
    form = Form.APART if form == Form.BY_NEIGHBOURS and not found else form
    plan = ans.Plan(_order(kept, levels, seed), form, draw(st.integers(1, 4)), found or b"")
    if kept.positions is not None and draw(st.booleans()):
        coded = ans.encode_values(
            kept, codewords, plan, positions.encode(kept.positions, kept.size, draw(st.booleans()))
        )
    else:
        coded = ans.encode(kept, codewords, plan)
    return kept, codewords, coded if coded else Coded(b"\x80", b"")


def _decode(coded: Coded, size: int, count: int, codewords: int) -> Found | None:
    """Positions and indices; None for an error, which C and Python may word in two ways."""
    try:
        found = ans.decode(coded, size, count, codewords)
    except ArtifactError:
        return None
    return [] if found.positions is None else found.positions.tolist(), found.indices.tolist()


def _step_by_step(call: Callable[[], Found | None]) -> Found | None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        return call()


@settings(deadline=None, max_examples=300)
@given(_coded())
def test_the_same_as_step_by_step(case: tuple[KeptIndices, int, Coded]) -> None:
    kept, codewords, coded = case
    found = _decode(coded, kept.size, len(kept.indices), codewords)
    assert _step_by_step(lambda: _decode(coded, kept.size, len(kept.indices), codewords)) == found
    if coded.indices:
        places = [] if kept.positions is None else kept.positions.tolist()
        assert isinstance(found, tuple) and sorted(found[0]) == places and sorted(found[1]) == sorted(kept.indices)


@settings(deadline=None, max_examples=600)
@given(
    case=_coded(),
    at=st.integers(0, 1 << 20),
    value=st.integers(0, 255),
    cut=st.integers(0, 9),
    in_values=st.booleans(),
    size=st.sampled_from([0, 0, 0, 1, -1, 1000]),
    count=st.sampled_from([0, 0, 0, 1, -1]),
)
def test_damage_is_the_same_error_as_step_by_step(
    case: tuple[KeptIndices, int, Coded], at: int, value: int, cut: int, in_values: bool, size: int, count: int
) -> None:
    kept, codewords, coded = case
    streams = [bytearray(coded.positions), bytearray(coded.indices)]
    damaged = streams[in_values and len(coded.indices) > 0]
    at = at % len(damaged) if at % 2 else at % min(len(damaged), 40)  # heads are short, and most can be said of them
    damaged[at] = value
    del damaged[max(len(damaged) - cut, 1) if cut < 5 else len(damaged) :]
    if not streams[0][0] & 0xC0:
        return
    arguments = Coded(*map(bytes, streams)), kept.size + size, max(len(kept.indices) + count, 0), codewords
    found = _decode(*arguments)
    assert _step_by_step(lambda: _decode(*arguments)) == found


@settings(deadline=None, max_examples=400)
@given(
    positions=st.binary(min_size=1, max_size=60),
    values=st.binary(max_size=60),
    first=st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xD0, 0xE0, 0xD3]),
    size=st.integers(1, 3000),
    count=st.integers(0, 3000),
    codewords=st.integers(1, 256),
)
def test_any_bytes_are_the_same_as_step_by_step(
    positions: bytes, values: bytes, first: int, size: int, count: int, codewords: int
) -> None:
    arguments = Coded(bytes([first]) + positions[1:], values), size, min(count, size), codewords
    found = _decode(*arguments)
    assert _step_by_step(lambda: _decode(*arguments)) == found


@pytest.mark.parametrize("levels", [(0, 0), (4, 3)])
@pytest.mark.parametrize("form", list(Form))
def test_common_forms_take_one_call(levels: tuple[int, int], form: Form) -> None:
    kept = _tensor((40, 30), 0.3, 15, 0)
    found = _signs(kept, 15) if form == Form.BY_NEIGHBOURS else b""
    coded = ans.encode(kept, 15, ans.Plan(_order(kept, levels, 0), form, 2, found or b""))
    assert coded is not None
    assert native.decode_ans(coded.positions, coded.indices, kept.size, len(kept.indices), 15) is not None


@pytest.mark.parametrize("form", list(Form))
def test_a_tensor_with_all_weights_takes_one_call(form: Form) -> None:
    kept = _tensor((40, 30), 1.0, 15, 0)
    found = _signs(kept, 15) if form == Form.BY_NEIGHBOURS else b""
    coded = ans.encode(kept, 15, ans.Plan(Whole(kept.size), form, 1, found or b""))
    assert coded is not None
    at_once = native.decode_ans(coded.positions, coded.indices, kept.size, kept.size, 15)
    assert at_once is not None and at_once[0] is None
    np.testing.assert_array_equal(at_once[1], kept.indices)


@pytest.mark.parametrize(("rows", "decoded"), [(1 << 10, KeptIndices), (1 << 10 | 1, KeptByGaps)])
def test_a_large_tensor_keeps_gaps_in_place_of_positions(rows: int, decoded: type[Decoded]) -> None:
    kept = _tensor((rows, 1 << 10), 0.001, 7, 0)
    coded = ans.encode(kept, 7, ans.Plan(Whole(kept.size), Form.JOINT, 1))
    assert coded is not None
    found = ans.decode(coded, kept.size, len(kept.indices), 7)
    assert isinstance(found, decoded)
    if isinstance(found, KeptByGaps):
        assert isinstance(found.gaps, Gaps)
    np.testing.assert_array_equal(found.ascending().positions, kept.positions)


def test_gaps_that_reach_beyond_the_weights_are_refused() -> None:
    """Tables of their own do not depend on the size, so that the stream itself is sound."""
    places = np.arange(0, 3000, 3)
    kept = KeptIndices(3000, places, np.zeros(1000, np.uint8))
    coded = ans.encode(kept, 7, ans.Plan(Whole(3000), Form.JOINT, 1))
    assert coded is not None and coded.positions[0] & 0xF0 == 0xA0
    assert isinstance(_decode(coded, 2998, 1000, 7), tuple)
    with pytest.raises(ArtifactError, match="the gaps reach 2998 of 2997 weights"):
        ans.decode(coded, 2997, 1000, 7)
