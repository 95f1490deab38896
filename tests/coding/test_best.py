from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import Coded, KeptIndices, ans, contexts, entropy, native, signs
from dqc_plugin.coding.best import best
from dqc_plugin.coding.coders import huffman
from dqc_plugin.errors import ArtifactError
from dqc_plugin.registry import lookup


def _network(shape: tuple[int, ...], zeros: float, codewords: int, spread: float = 0.0, seed: int = 0) -> KeptIndices:
    """Weights of a power-of-two codebook; ``spread`` makes rows and columns differ in their densities, in nats."""
    random = np.random.default_rng(seed)
    size, rows = math.prod(shape), shape[0] if shape else 1
    by_row, by_column = random.normal(0, spread, (rows, 1)), random.normal(0, spread, (1, max(size // max(rows, 1), 1)))
    chances = (1 - zeros) * np.exp(by_row + by_column)
    positions = np.flatnonzero(random.random(chances.shape).reshape(-1)[:size] < chances.reshape(-1)[:size])
    magnitudes = np.minimum(random.geometric(0.45, len(positions)) - 1, (codewords - 1) // 2)
    mirrored = random.integers(0, 2, len(positions)) == 1
    indices = np.where(mirrored, codewords - 1 - magnitudes, magnitudes).astype(np.uint8)
    return KeptIndices(size, None if len(positions) == size else positions, indices, shape)


def _size(coded: Coded) -> int:
    return len(coded)


def _ideal_bytes(kept: KeptIndices) -> float:
    gaps = 0.0 if kept.positions is None else entropy(np.diff(kept.positions, prepend=-1) - 1)
    return len(kept.indices) * (gaps + entropy(kept.indices)) / 8


def _entropy_of_all(kept: KeptIndices) -> float:
    """Bytes of an ideal order-0 coder, to which a dropped weight is one more symbol."""
    symbols = np.full(kept.size, 256)
    symbols[slice(None) if kept.positions is None else kept.positions] = kept.indices
    return kept.size * entropy(symbols) / 8


def _assert_same(found: KeptIndices, kept: KeptIndices) -> None:
    found = found.ascending()
    assert found.size == kept.size
    np.testing.assert_array_equal(found.indices, kept.indices)
    assert (found.positions is None) == (kept.positions is None)
    if kept.positions is not None:
        np.testing.assert_array_equal(found.positions, kept.positions)


SHAPES = st.sampled_from([(0,), (1,), (7,), (3, 0), (300,), (20, 30), (6, 10, 3, 3), (40, 8, 2), (2, 600)])


@settings(deadline=None, max_examples=200)
@given(
    shape=SHAPES,
    zeros=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]),
    codewords=st.integers(1, 256),
    spread=st.sampled_from([0.0, 1.0, 3.0]),
    seed=st.integers(0, 9999),
)
def test_both_forms_come_back(shape: tuple[int, ...], zeros: float, codewords: int, spread: float, seed: int) -> None:
    kept = _network(shape, zeros, codewords, spread, seed)
    coded = best.encode(kept, codewords)
    _assert_same(best.decode(coded, kept.size, len(kept.indices), codewords), kept)
    assert _size(coded) <= _size(huffman.encode(kept, codewords))
    if kept.size:
        plan, _ = contexts.plans(kept, codewords)[0]
        by_ans = ans.encode(kept, codewords, plan)
        if by_ans:
            _assert_same(best.decode(by_ans, kept.size, len(kept.indices), codewords), kept)


@pytest.mark.parametrize("zeros", [0.5, 0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("codewords", [7, 31, 255])
def test_within_half_a_percent_of_the_entropy(zeros: float, codewords: int) -> None:
    """At 98 % the entropy of 8,000 gaps is by chance 30 to 45 bytes below that of the coin that made them."""
    kept = _network((500, 800), zeros, codewords)
    coded = best.encode(kept, codewords)
    _assert_same(best.decode(coded, kept.size, len(kept.indices), codewords), kept)
    assert _size(coded) <= 1.005 * _ideal_bytes(kept) + (2 if zeros > 0.95 else 0)
    assert _size(coded) <= 1.002 * _entropy_of_all(kept)
    assert _size(huffman.encode(kept, codewords)) <= 1.015 * _ideal_bytes(kept)


def test_contexts_save_what_rows_and_columns_tell() -> None:
    kept = _network((500, 800), 0.95, 31, spread=1.0)
    plan, bits = contexts.plans(kept, 31)[0]
    coded = best.encode(kept, 31)
    assert plan.order.contexts > 4
    assert _size(coded) < 0.9 * _ideal_bytes(kept)
    assert _size(coded) == pytest.approx(bits / 8, rel=0.01)
    _assert_same(best.decode(coded, kept.size, len(kept.indices), 31), kept)


def test_a_dense_tensor_has_contexts_too() -> None:
    random = np.random.default_rng(0)
    means = random.uniform(0, 7, (200, 1))
    magnitudes = np.clip(random.normal(means, 0.8, (200, 300)), 0, 7).round().astype(int)
    indices = np.where(random.random((200, 300)) < 0.5, magnitudes, 15 - magnitudes).astype(np.uint8).reshape(-1)
    kept = KeptIndices(60_000, None, indices, (200, 300))
    coded = best.encode(kept, 16)
    assert _size(coded) < 0.85 * _ideal_bytes(kept)
    _assert_same(best.decode(coded, 60_000, 60_000, 16), kept)


def test_gaps_that_are_not_random_have_tables() -> None:
    positions = np.arange(0, 300_000, 10) + np.random.default_rng(0).integers(0, 2, 30_000)
    kept = KeptIndices(300_000, positions, np.zeros(30_000, np.uint8))
    coded = best.encode(kept, 31)
    assert _size(coded) <= 1.01 * _ideal_bytes(kept)
    _assert_same(best.decode(coded, 300_000, 30_000, 31), kept)


def test_whole_filters_pruned() -> None:
    kept_rows = np.random.default_rng(0).random(500) < 0.3
    positions = np.flatnonzero(np.repeat(kept_rows, 800))
    kept = KeptIndices(400_000, positions, np.arange(len(positions), dtype=np.uint8) % 2 * 30, (500, 800))
    assert _size(best.encode(kept, 31)) < len(positions) / 8 + 250


def test_even_indices_are_packed() -> None:
    indices = np.random.default_rng(0).integers(0, 16, 200_000).astype(np.uint8)
    assert _size(best.encode(KeptIndices(200_000, None, indices, (200, 1000)), 16)) <= 100_001


@pytest.mark.parametrize(("zeros", "codewords"), [(0.0, 16), (0.5, 31), (0.9, 31), (0.97, 7), (0.9, 256)])
def test_the_estimate_of_huffman(zeros: float, codewords: int) -> None:
    kept = _network((500, 800), zeros, codewords)
    assert huffman.estimate(kept, codewords) == pytest.approx(_size(huffman.encode(kept, codewords)), rel=0.01)


SMALL = [_network((20, 50), 0.8, 31, spread=2.0), _network((30, 40), 0.0, 15), _network((900,), 0.9, 7)]


def _signs(kept: KeptIndices, codewords: int) -> bytes:
    """By their neighbours."""
    is_one = (kept.indices > codewords - 1 - kept.indices.astype(int)).astype(np.uint8)
    found = signs.encode(kept.positions, is_one, kept.size, signs.columns_of(kept.shape))
    assert found is not None
    return found


def _forms(kept: KeptIndices, codewords: int) -> Iterator[Coded | None]:
    """By the best plan, with signs in its way and by their neighbours, and beside positions of another form."""
    for of_neighbours in (b"", _signs(kept, codewords)) if len(kept.shape) > 1 else (b"",):
        plan, _ = contexts.plans(kept, codewords, of_neighbours)[0]
        yield ans.encode(kept, codewords, plan)
        yield ans.encode_values(kept, codewords, plan, huffman.encode(kept, codewords).positions)


CODED = [(kept, coded, codewords) for kept, codewords in zip(SMALL, (31, 15, 7), strict=True)
         for coded in _forms(kept, codewords)]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(data=st.data(), number=st.sampled_from(range(len(CODED))))
def test_any_bytes_decode_to_sound_indices_or_an_error(data: st.DataObject, number: int) -> None:
    kept, coded, codewords = CODED[number]
    assert coded is not None
    positions, indices = bytearray(coded.positions), bytearray(coded.indices)
    for stream in (positions, indices):
        for _ in range(data.draw(st.integers(0, 2))):
            stream[data.draw(st.integers(0, min(len(stream) - 1, 60)))] ^= data.draw(st.integers(1, 255))
        del stream[data.draw(st.sampled_from([len(stream), len(stream) - 1, len(stream) - 4, 3])) :]
    size = data.draw(st.sampled_from([kept.size, kept.size - 1, 0, 1 << 40]))
    try:
        found = best.decode(Coded(bytes(positions), bytes(indices)), size, len(kept.indices), codewords)
    except ArtifactError:
        return
    assert size == found.size and len(found.indices) == len(kept.indices)
    assert int(found.indices.max()) < codewords
    if found.positions is not None:
        ascending = np.sort(found.positions)
        assert len(ascending) == len(found.indices) and bool((np.diff(ascending, prepend=-1) > 0).all())
        assert int(ascending[-1]) < size


def test_every_cut_is_an_error() -> None:
    kept, coded, codewords = CODED[0]
    assert coded is not None
    for length in range(len(coded.positions)):
        with pytest.raises(ArtifactError):
            best.decode(Coded(coded.positions[:length], coded.indices), kept.size, len(kept.indices), codewords)
    for length in range(len(coded.indices)):
        with pytest.raises(ArtifactError):
            best.decode(Coded(coded.positions, coded.indices[:length]), kept.size, len(kept.indices), codewords)


@pytest.mark.parametrize("first", [0x81, 0x8F, 0xB1, 0xF0, 0x44, 0x80])
def test_unknown_forms_are_refused(first: int) -> None:
    """Lanes without a stream, plain positions with lanes or classes, another older form, not all weights kept."""
    with pytest.raises(ArtifactError, match="unknown form"):
        best.decode(Coded(bytes([first]) + bytes(40), bytes(40)), 1000, 10, 31)


def test_huge_claims_take_no_memory() -> None:
    huge = 1 << 40
    claims = [
        (b"\x80", b"\x01\x02\x01" + bytes(8), huge, huge),
        (b"\x9f" + bytes(40), bytes(40), 1000, 10),
        (b"\xd0\xff\xff\xff\xff\x0f\xff" + bytes(40), bytes(40), 1000, 10),
        (b"\xd0\x0a\xff" + b"\x02\x01" * 40, bytes(40), 1000, 10),
        (b"\x80", b"\x0f\x02\x01" + bytes(8), 1000, 1000),
        (b"\x90" + bytes(40), bytes(40), 1000, huge),
        (b"\x40", b"\x01\x00\x01\x02\x01" + bytes(8), huge, huge),
        (b"\x41\x3f" + bytes(40), bytes(40), 1000, 10),
        (b"\x43\x00\xff\xff\xff\xff\x0f\x10\x10" + bytes(40), bytes(40), 1000, 10),
        (b"\x41\x00\x0a\xff\xff\xff\xff\x0f\x00" + bytes(40), bytes(40), 1000, 10),
        (b"\x40", b"\x00\x3f\x01\x02\x01" + bytes(8), 1000, 1000),
    ]
    tracemalloc.start()
    for positions, indices, size, count in claims:
        with pytest.raises(ArtifactError):
            best.decode(Coded(positions, indices), size, count, 31)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_tensor_that_costs_nothing_takes_bytes_all_the_same() -> None:
    kept = KeptIndices(5_000_000, np.array([17]), np.array([0], np.uint8))
    coded = best.encode(kept, 31)
    assert _size(coded) >= 5_000_000 / 2040
    _assert_same(best.decode(coded, 5_000_000, 1, 31), kept)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from([(200, 200), (20_000,), (3, 70_000), (64, 64, 3, 3)]),
    kept=st.sampled_from([1, 30, None]),
    odd=st.sampled_from([0, 1, 10]),
    codewords=st.sampled_from([2, 7, 31]),
    seed=st.integers(0, 2**31),
)
def test_tensors_of_nearly_one_codeword_come_back(
    shape: tuple[int, ...], kept: int | None, odd: int, codewords: int, seed: int
) -> None:
    rng, size = np.random.default_rng(seed), math.prod(shape)
    positions = None if kept is None else np.sort(rng.choice(size, kept, replace=False))
    indices = np.full(size if kept is None else kept, codewords - 1, np.uint8)
    indices[rng.integers(0, len(indices), odd)] = rng.integers(0, codewords, odd)
    some = KeptIndices(size, positions, indices, shape)
    _assert_same(best.decode(best.encode(some, codewords), size, len(indices), codewords), some)


def test_the_registry_has_it() -> None:
    assert lookup("coder", "best").load() is best


@pytest.mark.skipif(native.LIBRARY is None, reason="no C")
@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 400), value=st.integers(0, 255), in_values=st.booleans(), by_neighbours=st.booleans())
def test_c_and_python_find_the_same_in_damaged_classes(
    at: int, value: int, in_values: bool, by_neighbours: bool
) -> None:
    kept = _network((40, 60), 0.85, 15, 1.0, at % 4)
    plan, _ = contexts.plans(kept, 15, _signs(kept, 15) if by_neighbours else b"")[0]
    coded = ans.encode(kept, 15, plan)
    assert coded is not None
    assert coded.positions[0] == (0xD0 if by_neighbours else 0xDE)
    streams = [bytearray(coded.positions), bytearray(coded.indices)]
    damaged = streams[in_values]
    damaged[at % len(damaged)] = value
    found = _decoded(Coded(*map(bytes, streams)), kept)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert _decoded(Coded(*map(bytes, streams)), kept) == found


def _decoded(coded: Coded, kept: KeptIndices) -> str | tuple[list[int], list[int]]:
    """Positions and indices, or the error."""
    try:
        found = best.decode(coded, kept.size, len(kept.indices), 15)
    except ArtifactError as error:
        return str(error)
    return np.asarray(found.positions).tolist(), found.indices.tolist()
