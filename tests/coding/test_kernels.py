from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from convolutions import assert_same, convolution, decoded
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import Coded, KeptIndices, kernels, native, positions
from dqc_plugin.coding.best import best
from dqc_plugin.errors import ArtifactError

SHAPES = [
    (20, 30, 3, 3),
    (5, 3, 1, 2),
    (4, 6, 2, 1),
    (6, 4, 5, 5),
    (3, 70, 7),
    (4, 3, 2, 2, 2),
    (2, 3, 16, 8),
    (1, 1, 9),
]
ALL_KEPT, MASKS, PLAIN = range(96, 99)
without_c = pytest.MonkeyPatch.context


def _coded(kept: KeptIndices, codewords: int) -> Coded | None:
    return kernels.encode(kept, codewords, lambda: positions.encode(kept.positions, kept.size, True))


def _forms(kept: KeptIndices, codewords: int) -> list[Coded]:
    """All that may be read: positions that other coders have may stand beside kernels of any size."""
    coded = _coded(kept, codewords)
    if coded is None or coded.positions[0] != MASKS:
        return [coded] if coded else []
    plain = positions.encode(kept.positions, kept.size, True)
    return [Coded(bytes([PLAIN, coded.positions[1]]) + plain, coded.indices), coded]


@settings(deadline=None, max_examples=50)
@given(
    shape=st.sampled_from(SHAPES),
    zeros=st.sampled_from([0.0, 0.3, 0.7, 0.95]),
    codewords=st.integers(2, 256),
    seed=st.integers(0, 99),
)
def test_every_form_comes_back_and_is_the_same_with_c_and_without(
    shape: tuple[int, ...], zeros: float, codewords: int, seed: int
) -> None:
    kept = convolution(shape, zeros, codewords, seed)
    forms = _forms(kept, codewords)
    for coded in forms:
        assert kernels.are_in(coded.positions)
        assert_same(decoded(coded, kept, codewords), kept)
    with without_c() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert _forms(kept, codewords) == forms
        for coded in forms:
            assert_same(decoded(coded, kept, codewords), kept)


@pytest.mark.parametrize(
    ("shape", "zeros", "form"),
    [
        ((8, 8, 3, 3), 0.0, ALL_KEPT),
        ((8, 8, 3, 3), 0.5, MASKS),
        ((8, 8, 5, 5), 0.5, PLAIN),
        ((8, 8, 2, 4), 0.5, MASKS),
        ((8, 72), 0.5, None),
        ((8, 8, 1, 1), 0.5, None),
        ((8, 8, 17), 0.5, None),
        ((2, 2, 16, 9), 0.5, None),
    ],
)
def test_which_form_a_shape_has(shape: tuple[int, ...], zeros: float, form: int | None) -> None:
    kept = convolution(shape if len(shape) > 2 else (*shape, 1), zeros, 7)
    coded = _coded(KeptIndices(kept.size, kept.positions, kept.indices, shape), 7)
    assert (coded.positions[0] if coded else None) == form


@pytest.mark.parametrize("places", [[0], [1079], [500], [3, 4, 5], list(range(1079))])
def test_kernels_that_keep_nothing_and_kernels_that_keep_all(places: list[int]) -> None:
    kept = KeptIndices(1080, np.array(places), np.arange(len(places), dtype=np.uint8) % 7, (10, 12, 3, 3))
    forms = _forms(kept, 7)
    assert len(forms) == 2
    for coded in forms:
        assert_same(decoded(coded, kept, 7), kept)


def test_a_tensor_without_kept_weights_has_another_form() -> None:
    assert _forms(KeptIndices(90, np.arange(0), np.zeros(0, np.uint8), (5, 2, 3, 3)), 7) == []


def test_gaps_beyond_what_a_field_holds() -> None:
    places = np.array([0, 255, 511, 766, 1021, 5000, 8999])
    kept = KeptIndices(9000, places, np.zeros(7, np.uint8), (100, 10, 3, 3))
    for coded in _forms(kept, 3):
        assert_same(decoded(coded, kept, 3), kept)


def _damaged(coded: Coded, kind: str, where: float, value: int) -> Coded:
    both = bytearray(coded.positions + coded.indices)
    at, split = int(where * len(both)), len(coded.positions)
    if kind == "changed":
        both[at] = value
    elif kind == "cut":
        del both[at]
        split -= at < split
    else:
        both.insert(at, value)
        split += at < split
    return Coded(bytes(both[:split]), bytes(both[split:]))


@settings(deadline=None, max_examples=400)
@given(
    kind=st.sampled_from(["changed", "cut", "longer"]),
    form=st.integers(0, 4),
    where=st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1),
    value=st.integers(0, 255),
)
def test_damage_is_an_error_or_the_same_with_c_and_without(kind: str, form: int, where: float, value: int) -> None:
    kept, coded = _CODED[form]
    found = decoded(_damaged(coded, kind, where, value), kept, 7)
    if found is not None:
        assert len(found.indices) == len(kept.indices) and int(found.indices.max()) < 7
        assert found.positions is None or ((np.diff(found.positions) > 0).all() and found.positions[-1] < kept.size)
    with without_c() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert_same(decoded(_damaged(coded, kind, where, value), kept, 7), found)


def _every_form() -> Iterator[tuple[KeptIndices, Coded]]:
    for shape, zeros in (((6, 8, 3, 3), 0.6), ((6, 4, 5, 5), 0.5), ((6, 8, 3, 3), 0.0), ((9, 8, 3), 0.9)):
        kept = convolution(shape, zeros, 7)
        for coded in _forms(kept, 7):
            yield kept, coded


_CODED = list(_every_form())


def test_damage_is_tried_on_every_form() -> None:
    assert {coded.positions[0] for _, coded in _CODED[:5]} == {ALL_KEPT, MASKS, PLAIN}


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize(
    ("head", "size", "count"),
    [
        (b"\x61", 432, 173),  # no kernel
        (b"\x61\x33\x08", 432, 173),  # masks of 16 weights
        (b"\x62\xff\x02", 432, 173),  # kernels of 256 weights
        (b"\x61\x22\x08", 431, 173),  # half a kernel
        (b"\x61\x22\x00", 432, 173),  # no columns
        (b"\x61\x22\x09", 432, 173),  # columns that rows do not have
        (b"\x61\x22\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 432, 173),  # more columns than there are weights
        (b"\x61\x22\x08", 432, 0),
        (b"\x61\x22\x08", 432, 433),
        (b"\x60\x22", 432, 173),  # all kept, but they are not
        (b"\x61\x22\x08", 9 << 40, 173),
        (b"\x61\x22\x08", 9 << 40, 9 << 40),
    ],
)
def test_hostile_heads_are_refused(
    head: bytes, size: int, count: int, with_c: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = next((kept, coded) for kept, coded in _CODED if coded.positions[0] == MASKS)
    assert (kept.size, len(kept.indices), coded.positions[:3]) == (432, 173, b"\x61\x22\x08")
    tracemalloc.start()
    with pytest.raises(ArtifactError):
        kernels.decode(Coded(head + coded.positions[3:], coded.indices), size, count, 7)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("coded", [Coded(b"\x61\x22", b""), Coded(b"\x60\x22", b""), Coded(b"\x62\x22", b"")])
def test_empty_streams_are_refused(coded: Coded) -> None:
    with pytest.raises(ArtifactError):
        kernels.decode(coded, 9, 9, 7)


def test_best_takes_kernels_where_weights_of_a_kernel_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = convolution((64, 48, 3, 3), 0.5, 7)
    coded = best.encode(kept, 7)
    assert coded.positions[0] == MASKS
    assert_same(best.decode(coded, kept.size, len(kept.indices), 7).ascending(), kept)
    monkeypatch.setattr(kernels, "encode", lambda *_: None)
    assert len(coded) < 0.99 * len(best.encode(kept, 7))


def test_large_tensors_of_best_may_have_kernels_too() -> None:
    kept = convolution((512, 256, 3, 3), 0.5, 7)
    assert best.encode(kept, 7).positions[0] == MASKS


@settings(deadline=None, max_examples=25)
@given(shape=st.sampled_from(SHAPES), zeros=st.sampled_from([0.0, 0.5, 0.9, 0.99]), seed=st.integers(0, 99))
def test_kernels_never_take_more_than_a_hundredth_over_the_fewest(
    shape: tuple[int, ...], zeros: float, seed: int
) -> None:
    kept = convolution(shape, zeros, 7, seed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(kernels, "encode", lambda *_: None)
        fewest = len(best.encode(kept, 7))
    assert len(best.encode(kept, 7)) <= 1.01 * fewest
