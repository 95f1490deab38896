from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import frequencies, native, packed, varint
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.rans import SLOTS
from dqc_plugin.errors import ArtifactError


@settings(deadline=None, max_examples=200)
@given(counts=st.lists(st.one_of(st.just(0), st.integers(0, 10**7)), min_size=1, max_size=256))
def test_a_table_has_slots_for_all_that_occurs_and_nothing_else(counts: list[int]) -> None:
    """But for a table of steps, which has some for all symbols up to the last that occurs."""
    wanted = np.array(counts)
    table = frequencies.encode(wanted)
    has_steps = varint.take(table)[0] > 2 * len(counts) + 1
    cursor = Cursor(table)
    found = frequencies.take(cursor, len(counts))
    cursor.end()
    assert int(found.sum()) == SLOTS
    if wanted.any():
        expected = np.arange(len(wanted)) <= wanted.nonzero()[0][-1] if has_steps else wanted > 0
        np.testing.assert_array_equal(found > 0, expected)


def test_a_table_costs_little_and_loses_little() -> None:
    counts = np.bincount(np.random.default_rng(0).geometric(0.2, 100_000).clip(max=40))
    table = frequencies.encode(counts)
    ideal = -float((counts[1:] * np.log2(counts[1:] / counts.sum())).sum())
    assert len(table) <= 43
    assert frequencies.bits(counts, frequencies.take(Cursor(table), len(counts))) <= 1.001 * ideal


def test_few_counts_take_half_a_byte_each() -> None:
    assert frequencies.encode(np.array([3000, 0, 1000, 0, 0])) == bytes([6, 0xF | 0 << 4, 12])
    assert len(frequencies.encode(np.array([3, 0, 1, 0, 0]))) == 2


def test_what_is_like_its_neighbours_takes_three_bits_each() -> None:
    counts = (4_000 * 0.55 ** np.arange(16)).astype(int) + 1
    table = frequencies.encode(counts)
    assert len(table) == 1 + 6 and table[0] == 2 * (16 + 16)
    ideal = -float((counts * np.log2(counts / counts.sum())).sum())
    assert frequencies.bits(counts, frequencies.take(Cursor(table), 16)) <= 1.002 * ideal


@pytest.mark.parametrize(("step", "last"), [(0, 1), (7, 176)])
def test_steps_stay_within_the_codes(step: int, last: int) -> None:
    """From the first or the last code steps lead nowhere: the table is that of these codes in full."""
    table = varint.put(2 * (32 + 32)) + packed.pack(np.full(31, step, np.uint8), 3)
    found = frequencies.take(Cursor(table), 32)
    assert len(set(found[-20:-1].tolist())) == 1
    by_codes = varint.put(2 * 32 + 1) + bytes([89, *(min(max(89 + (step * 8 - 28) * i, 1), 176) for i in range(1, 32))])
    np.testing.assert_array_equal(found, frequencies.take(Cursor(by_codes), 32))
    assert by_codes[-1] == last


@pytest.mark.parametrize(
    ("table", "message"),
    [(b"", "cut"), (b"\x0b\x11", "5 symbols instead of 4"), (b"\x12\x11", "9 symbols instead of 4"),
     (b"\x10", "bytes are announced"), (b"\x04\x00", "damaged"), (b"\x03\xff", "damaged"),
     (b"\x00", "damaged"), (b"\x08\x11", "bytes are announced")],
)  # fmt: skip
def test_tables_that_cannot_be(table: bytes, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        frequencies.take(Cursor(table), 4)


@settings(deadline=None, max_examples=100)
@given(size=st.integers(1, 1 << 56), share=st.floats(0, 1))
def test_geometric_tables_have_a_slot_for_every_gap(size: int, share: float) -> None:
    kept = min(size, max(1, int(size * share)))
    found = frequencies.geometric(kept, size, frequencies.filler_of(kept, size))
    assert int(found.sum()) == SLOTS and int(found.min()) >= 1
    assert len(found) == frequencies.filler_of(kept, size) + 1 <= 256


@pytest.mark.skipif(native.LIBRARY is None, reason="no C")
@settings(deadline=None, max_examples=200)
@given(size=st.integers(1, 1 << 56), share=st.floats(0, 1), weights=st.lists(st.integers(0, 1 << 39), min_size=1))
def test_c_makes_the_tables_of_python(size: int, share: float, weights: list[int]) -> None:
    kept, some = min(size, max(1, int(size * share))), np.array([*weights[:255], 1])
    found = frequencies.geometric(kept, size, frequencies.filler_of(kept, size)), frequencies.to_slots(some)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        np.testing.assert_array_equal(found[0], frequencies.geometric(kept, size, frequencies.filler_of(kept, size)))
        np.testing.assert_array_equal(found[1], frequencies.to_slots(some))


@pytest.mark.skipif(native.LIBRARY is None, reason="no C")
@settings(deadline=None, max_examples=300)
@given(head=st.integers(0, 70), codes=st.binary(max_size=40), alphabet=st.integers(1, 256))
def test_c_and_python_read_the_same_of_any_bytes(head: int, codes: bytes, alphabet: int) -> None:
    def found() -> list[int] | str:
        try:
            return frequencies.take(Cursor(bytes([head]) + codes), alphabet).tolist()
        except ArtifactError as error:
            return str(error)

    with_c = found()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert found() == with_c


def test_geometric_tables_follow_the_shares() -> None:
    found = frequencies.geometric(1, 10, frequencies.filler_of(1, 10)) / SLOTS
    np.testing.assert_allclose(found[:20], 0.1 * 0.9 ** np.arange(20), rtol=0.03)
    assert len(found) == 42 and found[41] == pytest.approx(0.9**41, rel=0.05)


@settings(deadline=None, max_examples=100)
@given(weights=st.lists(st.integers(0, 2**39), min_size=1, max_size=126), log=st.sampled_from([12, 14]))
def test_slots_are_the_same_with_c_and_without(weights: list[int], log: int) -> None:
    counts = np.array([*weights, 1])
    found = frequencies.to_slots(counts, 1 << log)
    assert int(found.sum()) == 1 << log and ((found > 0) == (counts > 0)).all()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        np.testing.assert_array_equal(frequencies.to_slots(counts, 1 << log), found)


def test_a_tilted_table_has_the_same_symbols_and_others_likelier() -> None:
    table = frequencies.to_slots(np.array([40, 30, 0, 20, 10]))
    np.testing.assert_allclose(frequencies.tilted(table, 0), table, atol=1)
    up, down = frequencies.tilted(table, 8), frequencies.tilted(table, -8)
    assert ((up > 0) == (table > 0)).all() and ((down > 0) == (table > 0)).all()
    np.testing.assert_allclose(up / up.sum(), np.array([40, 60, 0, 160, 160]) / 420, atol=0.01)
    np.testing.assert_allclose(down / down.sum(), np.array([40, 15, 0, 2.5, 0.625]) / 58.125, atol=0.01)


def test_codes_out_of_range_are_brought_into_it() -> None:
    found = frequencies.of_codes(np.array([-1000, 0, 1, 176, 177]), 1 << 12)
    np.testing.assert_array_equal(found, frequencies.of_codes(np.array([1, 1, 1, 176, 176]), 1 << 12))
    assert found.tolist() == [1, 1, 1, 2047, 2046]


@settings(deadline=None, max_examples=100)
@given(counts=st.lists(st.integers(0, 1000), max_size=127), tilt=st.integers(-32, 31))
def test_no_tilt_takes_a_symbol_its_slots(counts: list[int], tilt: int) -> None:
    table = frequencies.to_slots(np.array([*counts, 1]))
    found = frequencies.tilted(table, tilt)
    assert int(found.sum()) == SLOTS and ((found > 0) == (table > 0)).all()
