from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.coding import native, turns
from dqc_plugin.coding.frequencies import to_slots
from dqc_plugin.errors import ArtifactError


def _tables(random: np.random.Generator) -> list[np.ndarray]:
    """Some, of few and of many symbols, one of them of one symbol, which has all slots."""
    return [to_slots(random.integers(0, 1000, alphabet) ** 2 + 1) for alphabet in (1, 2, 9, 128)]


def _encode(tables: list[np.ndarray], which: np.ndarray, symbols: np.ndarray, lanes: np.ndarray, count: int) -> bytes:
    of_tables = [turns.entries_of(table) for table in tables]
    entries = np.array([of_tables[k][symbol] for k, symbol in zip(which, symbols, strict=True)], np.uint32)
    found = turns.encode(entries, lanes, count)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(native, "LIBRARY", None)
        assert turns.encode(entries, lanes, count) == found
    return found


@settings(deadline=None, max_examples=80)
@given(count=st.integers(0, 400), lanes=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_symbols_of_changing_tables_come_back(count: int, lanes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    tables = _tables(random)
    which, of_lanes = random.integers(0, len(tables), count), random.integers(0, lanes, count).astype(np.uint8)
    symbols = np.array([random.choice(len(tables[k]), p=tables[k] / tables[k].sum()) for k in which], np.int64)
    reader = turns.Reader(_encode(tables, which, symbols, of_lanes, lanes), lanes)
    starts = [turns.starts_of(table) for table in tables]
    assert [reader.take(lane, starts[k]) for lane, k in zip(of_lanes, which, strict=True)] == symbols.tolist()
    reader.end()


def _coded() -> tuple[bytes, list[int]]:
    random = np.random.default_rng(0)
    table = to_slots(np.array([1, 2, 3]))
    symbols, lanes = random.integers(0, 3, 200), np.resize(np.arange(2, dtype=np.uint8), 200)
    return _encode([table], np.zeros(200, int), symbols, lanes, 2), turns.starts_of(table)


def test_a_stream_costs_what_the_tables_say() -> None:
    random = np.random.default_rng(0)
    table = to_slots(np.array([900, 90, 10]))
    symbols = random.choice(3, 20_000, p=[0.9, 0.09, 0.01])
    data = _encode([table], np.zeros(20_000, int), symbols, np.resize(np.arange(2, dtype=np.uint8), 20_000), 2)
    ideal = -np.log2(table / table.sum())[symbols].sum() / 8
    assert ideal < len(data) < ideal * 1.001 + 10


@pytest.mark.parametrize("length", [0, 1, 7, 8, 20, -4, -2, -1])
def test_what_is_cut_is_an_error(length: int) -> None:
    data, starts = _coded()
    with pytest.raises(ArtifactError):
        reader = turns.Reader(data[:length], 2)
        for at in range(200):
            reader.take(at % 2, starts)


def test_what_does_not_end_where_it_should_is_an_error() -> None:
    data, starts = _coded()
    for more, symbols in ((b"", 199), (b"\0\0", 200)):
        reader = turns.Reader(data + more, 2)
        for at in range(symbols):
            reader.take(at % 2, starts)
        with pytest.raises(ArtifactError, match="end where it should"):
            reader.end()
