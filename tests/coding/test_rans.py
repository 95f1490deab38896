from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import native, rans
from dqc_plugin.coding.frequencies import bits, to_slots
from dqc_plugin.coding.rans import SLOTS, Decoder, Segment, lanes_log
from dqc_plugin.errors import ArtifactError


def _segment(random: np.random.Generator, count: int) -> Segment:
    """Symbols of a random alphabet, some of which do not occur, and a table for them."""
    weights = random.integers(0, 1000, random.integers(1, 257)) ** 2 + 1
    weights[random.random(len(weights)) < 0.3] = 0
    weights[-1] = 1
    frequencies = to_slots(weights)
    return random.choice(len(weights), count, p=frequencies / SLOTS).astype(np.uint8), frequencies


def _encode(parts: list[list[Segment]], lanes: int, payload: bytes | None) -> tuple[bytes, bytes, int]:
    """With C, if it is there, and without."""
    found = rans.encode(parts, lanes, payload)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert rans.encode(parts, lanes, payload) == found
    return found


def _decode(low: bytes, data: bytes, parts: list[list[Segment]], lanes: int, bare: bool = False) -> tuple[bytes, bytes]:
    """With C, if it is there, and without."""
    found = _decode_here(low, data, parts, lanes, bare)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert _decode_here(low, data, parts, lanes, bare) == found
    return found


def _decode_here(low: bytes, data: bytes, parts: list[list[Segment]], lanes: int, bare: bool) -> tuple[bytes, bytes]:
    decoder = Decoder(low, data, lanes, bare)
    for part in parts:
        found = decoder.take([(len(symbols), frequencies) for symbols, frequencies in part])
        np.testing.assert_array_equal(found, np.concatenate([symbols for symbols, _ in part]))
    return decoder.finish()


@settings(deadline=None, max_examples=150)
@given(
    counts=st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=4), min_size=1, max_size=3),
    lanes=st.sampled_from([1, 2, 5, 8, 9, 64, 256]),
    payload_length=st.integers(0, 3000),
    after=st.binary(max_size=9),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_payload_and_what_follows_come_back(
    counts: list[list[int]], lanes: int, payload_length: int, after: bytes, seed: int
) -> None:
    random = np.random.default_rng(seed)
    parts = [[_segment(random, count) for count in part] for part in counts]
    payload = random.bytes(payload_length)
    low, data, used = _encode(parts, lanes, payload)
    assert len(low) == 4 * lanes <= used
    found, rest = _decode(low, data + after, parts, lanes)
    assert found == payload.ljust(used, b"\0")[:used] and rest == after


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(0, 200), min_size=1, max_size=3), seed=st.integers(0, 999))
def test_a_bare_stream(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [[_segment(random, count)] for count in counts]
    low, data, used = _encode(parts, 1, None)
    assert _decode(low, data, parts, 1, bare=True) == (b"", b"") and used == 0
    ideal = sum(bits(np.bincount(s, minlength=len(f)), f) for part in parts for s, f in part) / 8
    assert len(low) + len(data) <= ideal + 9


def test_a_lane_costs_about_a_bit() -> None:
    segment = _segment(np.random.default_rng(0), 100_000)
    low, data, used = rans.encode([[segment]], 512, np.random.default_rng(1).bytes(10_000))
    ideal = bits(np.bincount(segment[0], minlength=len(segment[1])), segment[1]) / 8
    assert ideal <= len(low) + len(data) - used <= ideal + 512 * 2 / 8 + 8


def test_a_symbol_of_all_slots_costs_nothing() -> None:
    frequencies = to_slots(np.array([0, 7]))
    symbols = np.ones(100_000, np.uint8)
    low, data, _ = rans.encode([[(symbols, frequencies)]], 4, b"")
    assert len(low) + len(data) == 32
    np.testing.assert_array_equal(Decoder(low, data, 4).take([(100_000, frequencies)]), symbols)


def test_cut_streams_are_errors() -> None:
    segment = _segment(np.random.default_rng(0), 400)
    for lanes in (1, 16):
        low, data, _ = rans.encode([[segment]], lanes, b"payload" * 40)
        for length in range(len(data)):
            with pytest.raises(ArtifactError):
                _decode_any(low, data[:length], segment, lanes, False)
        with pytest.raises(ArtifactError):
            Decoder(low[:-1], data, lanes)


def _decode_any(low: bytes, data: bytes, segment: Segment, lanes: int, bare: bool) -> None:
    decoder = Decoder(low, data, lanes, bare)
    decoder.take([(len(segment[0]), segment[1])])
    decoder.finish()


def test_a_bare_stream_must_end_at_one() -> None:
    segment = _segment(np.random.default_rng(0), 100)
    low, data, _ = rans.encode([[segment]], 1, None)
    with pytest.raises(ArtifactError, match="does not end where it should"):
        _decode_any(low, data + b"more", segment, 1, True)


@pytest.mark.parametrize("lanes", [1, 2, 16])
def test_a_stream_of_zeros_is_an_error(lanes: int) -> None:
    segment = _segment(np.random.default_rng(0), 100)
    with pytest.raises(ArtifactError, match="does not end where it should"):
        _decode_any(bytes(4 * lanes), bytes(4 * lanes + 400), segment, lanes, False)


@settings(deadline=None, max_examples=200)
@given(noise=st.binary(min_size=8, max_size=200), lanes=st.sampled_from([1, 2, 16]), bare=st.booleans())
def test_noise_decodes_to_symbols_of_the_alphabet_or_an_error(noise: bytes, lanes: int, bare: bool) -> None:
    frequencies = to_slots(np.array([5, 0, 3, 900, 1]))
    try:
        decoder = Decoder(noise[: 4 * lanes], noise[4 * lanes :], lanes, bare and lanes == 1)
        assert set(decoder.take([(50, frequencies)]).tolist()) <= {0, 2, 3, 4}
        decoder.finish()
    except ArtifactError:
        pass


@pytest.mark.parametrize(
    ("symbols", "payload", "log"),
    [
        (0, 0, 0),
        (2047, 10**6, 0),
        (16_383, 10**6, 0),
        (32_767, 10**6, 1),
        (32_768, 10**6, 7),
        (10**6, 64, 3),
        (10**6, 10**6, 12),
        (10**9, 10**9, 13),
    ],
)
def test_lanes(symbols: int, payload: int, log: int) -> None:
    assert lanes_log(symbols, payload) == log
