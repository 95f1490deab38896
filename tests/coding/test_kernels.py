from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from convolutions import assert_same, convolution, decoded
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import (
    Coded,
    KeptIndices,
    frequencies,
    kernel_masks,
    kernel_values,
    kernels,
    native,
    nibbles,
    positions,
    tilts,
    turns,
)
from dqc_plugin.coding.best import best
from dqc_plugin.coding.kernel_masks import Kernels
from dqc_plugin.coding.kernel_values import BLOCK
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


def _assert_comes_back(kept: KeptIndices, codewords: int) -> None:
    """In every form, and the same bytes, with C and without."""
    forms = _forms(kept, codewords)
    for coded in forms:
        assert_same(decoded(coded, kept, codewords), kept)
    with without_c() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert _forms(kept, codewords) == forms
        for coded in forms:
            assert_same(decoded(coded, kept, codewords), kept)


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
    assert all(kernels.are_in(coded.positions) for coded in _forms(kept, codewords))
    _assert_comes_back(kept, codewords)


def _uniform(kept: KeptIndices, codewords: int, seed: int) -> KeptIndices:
    """The same weights, of which every index is as likely."""
    random = np.random.default_rng(seed)
    return replace(kept, indices=random.integers(0, codewords, len(kept.indices)).astype(np.uint8))


LINES = st.sampled_from([(h, w) for h in range(1, 10) for w in range(1, 10) if 1 < h * w <= 9]) | st.tuples(
    st.integers(1, 16), st.integers(1, 16)
).filter(lambda lines: 9 < lines[0] * lines[1] <= 128)
BLOCKS = st.sampled_from([(0, 1), (0, 4), (1, 0), (1, 1), (2, 3)])  # and kernels more


def _blocks(lines: tuple[int, int], blocks: tuple[int, int], zeros: float, codewords: int, seed: int) -> KeptIndices:
    rows, kernels = 1 + seed % 5, blocks[0] * (BLOCK // (lines[0] * lines[1])) + blocks[1]
    return convolution((rows, -(-kernels // rows), *lines), zeros, codewords, seed)


@settings(deadline=None, max_examples=30)
@given(lines=LINES, blocks=BLOCKS, zeros=st.sampled_from([0.0, 0.5, 0.9]), seed=st.integers(0, 99))
def test_kernels_of_any_lines_come_back_from_any_number_of_blocks(
    lines: tuple[int, int], blocks: tuple[int, int], zeros: float, seed: int
) -> None:
    _assert_comes_back(_blocks(lines, blocks, zeros, 7, seed), 7)


@settings(deadline=None, max_examples=12)
@given(shape=st.sampled_from(SHAPES), zeros=st.sampled_from([0.0, 0.5]), codewords=st.integers(2, 256))
def test_every_index_of_a_codebook_comes_back(shape: tuple[int, ...], zeros: float, codewords: int) -> None:
    _assert_comes_back(_uniform(convolution(shape, zeros, 2, codewords), codewords, codewords), codewords)


def _rows_apart(kept: KeptIndices, seed: int) -> KeptIndices:
    """All weights of some rows of kernels, hardly any of others."""
    shares = np.random.default_rng(seed).choice([0.02, 0.5, 1.0], (kept.shape[0], 1))
    places = np.flatnonzero(np.random.default_rng(seed).random((kept.shape[0], kept.size // kept.shape[0])) < shares)
    places = places if len(places) else np.array([seed % kept.size])
    return replace(kept, positions=places, indices=np.zeros(len(places), np.uint8))


def _numbers(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-8, 7), min_size=count, max_size=count)


_ENDS = {
    "tells": [7, -8] * 4 + [7, 7, -8],
    "of_levels": [7, -8],
    "of_signs": [-8] * 4,
    "blocks": (1, 0),
    "lines": (3, 3),
}


@settings(deadline=None, max_examples=40)
@given(
    lines=LINES,
    blocks=BLOCKS,
    codewords=st.sampled_from([2, 7, 256]),
    of_lines=_numbers(2),
    tells=_numbers(11),
    of_levels=_numbers(2),
    of_signs=_numbers(4),
    seed=st.integers(0, 99),
)
@example(codewords=7, of_lines=[7, 7], seed=9, **_ENDS)
@example(codewords=256, of_lines=[-8, -8], seed=9, **_ENDS)
def test_whatever_the_heads_tell_comes_back(
    lines: tuple[int, int],
    blocks: tuple[int, int],
    codewords: int,
    of_lines: list[int],
    tells: list[int],
    of_levels: list[int],
    of_signs: list[int],
    seed: int,
) -> None:
    """Not only what fits: the numbers take tilts, masks and chances to their ends."""
    kept = _uniform(_rows_apart(_blocks(lines, blocks, 0.7, 2, seed), seed), codewords, seed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(kernel_masks, "_fit_tilts", lambda *_: of_lines)
        monkeypatch.setattr(kernel_masks, "_fit_tells", lambda _, found: tells[: found.size + 2])
        monkeypatch.setattr(kernel_values, "_fit_levels", lambda *_: of_levels)
        monkeypatch.setattr(kernel_values, "_fit_signs", lambda *_: of_signs)
        monkeypatch.setattr(tilts, "fit_table", lambda found, _, alphabet: np.bincount(found, minlength=alphabet))
        _assert_comes_back(kept, codewords)


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
    assert len(_forms(kept, 7)) == 2
    _assert_comes_back(kept, 7)


def test_a_tensor_without_kept_weights_has_another_form() -> None:
    assert _forms(KeptIndices(90, np.arange(0), np.zeros(0, np.uint8), (5, 2, 3, 3)), 7) == []


def test_gaps_beyond_what_a_field_holds() -> None:
    places = np.array([0, 255, 511, 766, 1021, 5000, 8999])
    kept = KeptIndices(9000, places, np.zeros(7, np.uint8), (100, 10, 3, 3))
    _assert_comes_back(kept, 3)


def test_a_tensor_that_takes_too_few_bytes_for_its_weights_has_another_form() -> None:
    """A decoder would refuse it, so as not to be asked for much memory."""
    for rows, forms in ((60, 2), (200, 0)):
        kept = KeptIndices(900 * rows, np.array([17]), np.zeros(1, np.uint8), (rows, 100, 3, 3))
        assert len(_forms(kept, 7)) == forms


def test_a_tensor_of_more_weights_than_are_encoded_so_has_another_form(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = convolution((8, 8, 3, 3), 0.5, 7)
    monkeypatch.setattr(kernels, "MOST_WEIGHTS", kept.size)
    assert _coded(kept, 7)
    monkeypatch.setattr(kernels, "MOST_WEIGHTS", kept.size - 1)
    assert not _coded(kept, 7)


def test_which_positions_are_of_this_form() -> None:
    first_bytes = [first for first in range(256) if kernels.are_in(bytes([first, 0x22]))]
    assert first_bytes == [ALL_KEPT, MASKS, PLAIN]
    assert not kernels.are_in(b"")


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


@settings(deadline=None, max_examples=80)
@given(
    kind=st.sampled_from(["changed", "cut", "longer"]),
    lines=st.sampled_from([(1, 2), (3, 3), (5, 5)]),
    form=st.integers(0, 1),
    at=st.integers(0, 20) | st.integers(0, 5000),
    in_values=st.booleans(),
    value=st.integers(0, 255),
)
def test_damage_of_blocks_of_many_codewords(
    kind: str, lines: tuple[int, int], form: int, at: int, in_values: bool, value: int
) -> None:
    kept, forms = _LARGE[lines]
    coded = forms[form % len(forms)]
    streams = [coded.positions, coded.indices]
    at %= len(streams[in_values])
    before, after = streams[in_values][:at], streams[in_values][at + (kind != "longer") :]
    streams[in_values] = before + (b"" if kind == "cut" else bytes([value])) + after
    found = decoded(Coded(*streams), kept, 256)
    assert found is None or len(found.indices) == len(kept.indices)
    with without_c() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert_same(decoded(Coded(*streams), kept, 256), found)


def _large(lines: tuple[int, int]) -> tuple[KeptIndices, list[Coded]]:
    kept = _uniform(_blocks(lines, (2, 3), 0.8, 2, 0), 256, 0)
    return kept, _forms(kept, 256)


_LARGE = {lines: _large(lines) for lines in ((1, 2), (3, 3), (5, 5))}


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("form", range(5))
def test_every_cut_is_an_error(form: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = _CODED[form]
    cuts = [Coded(coded.positions[:length], coded.indices) for length in range(len(coded.positions))]
    cuts += [Coded(coded.positions, coded.indices[:length]) for length in range(len(coded.indices))]
    assert [len(cut) for cut in cuts if decoded(cut, kept, 7)] == []


@settings(deadline=None, max_examples=100)
@given(
    form=st.sampled_from([ALL_KEPT, MASKS, PLAIN]),
    lines=st.integers(0, 255),
    streams=st.tuples(st.binary(max_size=60), st.binary(max_size=60)),
    size=st.integers(1, 40) | st.integers(1, 120).map(lambda kernels: 9 * kernels),
    share=st.floats(0, 1),
)
def test_any_bytes_are_an_error_or_the_same_with_c_and_without(
    form: int, lines: int, streams: tuple[bytes, bytes], size: int, share: float
) -> None:
    coded = Coded(bytes([form, lines]) + streams[0], streams[1])
    count = max(1, int(share * size))
    claimed = KeptIndices(size, None, np.zeros(count, np.uint8))
    found = decoded(coded, claimed, 7)
    with without_c() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert_same(decoded(coded, claimed, 7), found)


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("form", range(5))
def test_what_follows_a_stream_is_an_error(form: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = _CODED[form]
    assert decoded(Coded(coded.positions, coded.indices + bytes(2)), kept, 7) is None
    if coded.positions[0] != PLAIN:
        assert decoded(Coded(coded.positions + bytes(2), coded.indices), kept, 7) is None


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("more", [-1, 1])
def test_another_number_of_kept_weights_is_an_error(more: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where their mean in a kernel, and with it all tables, are the same."""
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept = convolution((16, 20, 3, 3), 0.6991, 7)
    count = len(kept.indices)
    assert 64 * (count + more) // 320 == 64 * count // 320
    for coded in _forms(kept, 7):
        with pytest.raises(ArtifactError):
            kernels.decode(coded, kept.size, count + more, 7)


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
        (b"\x61\x22\x08", 432, 1 << 60),
        (b"\x61\x22\x08", 0, 1),
        (b"\x61\x00\x08", 432, 173),  # kernels of one weight
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


def _all_kept(lines: Kernels, count: int) -> Coded:
    """Sound but for their kernels."""
    head = bytes([ALL_KEPT, lines.height - 1 | lines.width - 1 << 4])
    values = kernel_values.encode(np.arange(count), np.arange(count).astype(np.uint8) % 7, 7, lines)
    return Coded(head, values)


@pytest.mark.parametrize("with_c", [True, False])
def test_kernels_of_more_weights_than_there_may_be_are_refused(with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    assert kernels.decode(_all_kept(Kernels(16, 8), 512), 512, 512, 7)
    for lines in (Kernels(16, 9), Kernels(16, 16)):
        with pytest.raises(ArtifactError, match="cannot stand for"):
            kernels.decode(_all_kept(lines, 4 * lines.size), 4 * lines.size, 4 * lines.size, 7)


@pytest.mark.parametrize("with_c", [True, False])
def test_half_a_kernel_is_refused(with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    assert kernels.decode(_all_kept(Kernels(3, 3), 18), 18, 18, 7)
    with pytest.raises(ArtifactError, match="cannot stand for"):
        kernels.decode(_all_kept(Kernels(3, 3), 20), 20, 20, 7)


@pytest.mark.parametrize("with_c", [True, False])
def test_tables_of_steps_have_no_long_codes(with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = next((kept, coded) for kept, coded in _CODED if coded.positions[0] == MASKS)
    of_counts = bytearray(coded.positions)
    assert of_counts[10] > 2 * 10 and not of_counts[10] % 2  # steps for counts of 0 to 9
    of_counts[10] += 1
    assert decoded(Coded(bytes(of_counts), coded.indices), kept, 7) is None


@pytest.mark.parametrize("with_c", [True, False])
def test_masks_of_more_weights_than_they_may_have_are_refused(with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    for lines, is_sound in ((Kernels(3, 3), True), (Kernels(2, 5), False)):
        places, size = np.arange(0, 6 * lines.size, 2), 6 * lines.size
        masks = kernel_masks.encode(places, size, lines, 3)
        head = bytes([MASKS, lines.height - 1 | lines.width - 1 << 4])
        coded = Coded(head + masks, kernel_values.encode(places, np.zeros(len(places), np.uint8), 7, lines))
        kept = KeptIndices(size, places, np.zeros(len(places), np.uint8))
        assert_same(decoded(coded, kept, 7), kept if is_sound else None)


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("columns", [49, 96])
def test_a_row_that_is_cut_is_refused(columns: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though of 48 kernels in one row no column has a second one."""
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept = convolution((1, 48, 3, 3), 0.5, 7)
    coded = _forms(kept, 7)[-1]
    assert coded.positions[:3] == b"\x61\x22\x30"
    damaged = Coded(coded.positions[:2] + bytes([columns]) + coded.positions[3:], coded.indices)
    assert decoded(damaged, kept, 7) is None


@pytest.mark.parametrize("with_c", [True, False])
def test_that_nothing_is_kept_is_refused(with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though masks may say so, and values of none."""
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    nothing = np.empty(0, np.uint32), np.empty(0, np.uint8)
    values = frequencies.encode(np.ones(1, np.int64)) + nibbles.put([0] * 6) + turns.encode(*nothing, 4)
    masks = kernel_masks.encode(np.empty(0, np.int64), 54, Kernels(3, 3), 3)
    with pytest.raises(ArtifactError, match="cannot stand for"):
        kernels.decode(Coded(b"\x61\x22" + masks, values), 54, 0, 7)


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("form", range(5))
def test_no_form_claims_more_weights_than_its_bytes_account_for(
    form: int, with_c: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = _CODED[form]
    kernel = kept.size // (kept.shape[0] * kept.shape[1])
    for count in (len(kept.indices), kernel << 40):
        tracemalloc.start()
        with pytest.raises(ArtifactError, match="cannot stand for"):
            kernels.decode(coded, kernel << 40, count, 7)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
        tracemalloc.stop()


NO_TABLES = [b"", b"\x00", b"\x04\x00", b"\x03\x00", b"\x03\xff", b"\xff\x7f"]
"""No codes, nothing but zeros (short and long), a code that there is not, and more symbols than there are."""


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("table", NO_TABLES)
def test_tables_that_cannot_be_are_refused(table: bytes, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = next((kept, coded) for kept, coded in _CODED if coded.positions[0] == MASKS)
    of_counts = coded.positions[:10] + table + bytes(8)  # after columns and numbers
    of_magnitudes = table + bytes(3 + 16)
    for damaged in (Coded(of_counts, coded.indices), Coded(coded.positions, of_magnitudes)):
        assert decoded(damaged, kept, 7) is None


@pytest.mark.parametrize("with_c", [True, False])
@pytest.mark.parametrize("form", range(5))
def test_sound_positions_without_values_are_refused(form: int, with_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_c:
        monkeypatch.setattr(native, "LIBRARY", None)
    kept, coded = _CODED[form]
    assert decoded(Coded(coded.positions, b""), kept, 7) is None


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


@pytest.mark.parametrize("form", range(5))
def test_best_reads_every_form(form: int) -> None:
    kept, coded = _CODED[form]
    assert_same(best.decode(coded, kept.size, len(kept.indices), 7).ascending(), kept)


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
