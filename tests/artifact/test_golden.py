"""Files written by earlier versions load for ever. A golden file is never written again."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from artifact_networks import assert_same, every_context, every_float, every_kind, every_left_out, every_neighbour, raw

from dqc_plugin.artifact import inspect, load, verify
from dqc_plugin.artifact.index import Quantized
from dqc_plugin.artifact.packed_index import DICTIONARY
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.coding import frequencies, native, neighbours

GOLDEN = Path(__file__).parent / "golden"
SMALL = [{(0x43, 0x8F)}, {(0x43, 0xCD)}, {(None, 0)}, {(0, 0x20), (None, 0x20)}, {(4, 0x10)}]
KERNELS = [0xE1FD8487, 0xFE405480, 0xD9271F9F]  # CRC-32 of the tensors of that file


@pytest.mark.parametrize("version", [1, 2])
def test_every_version(version: int) -> None:
    file = GOLDEN / f"v{version}.dqc"
    verify(file)
    assert_same(load(file), every_kind().tensors)
    report = inspect(file)
    assert (report.version, report.metadata) == (version, {"schedule": "0a1b", "n": 1})


def test_the_dictionary_of_version_2_stays() -> None:
    assert zlib.crc32(DICTIONARY) == 0xD036D12F


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("coder", ["best", "huffman", "packed"])
def test_every_version_with_every_coder(version: int, coder: str) -> None:
    file = GOLDEN / f"v{version}-{coder}.dqc"
    verify(file)
    assert_same(load(file), every_context().tensors)
    assert {row.coder for row in inspect(file).layers} == {coder}


def test_the_golden_file_of_best_has_every_older_form() -> None:
    """Positions: gaps, classes, both, and what huffman does; values: signs apart and not."""
    assert {positions for positions, _ in _first_bytes("v1-best")} >= {0x41, 0x42, 0x43, 0, None}


def test_the_golden_files_of_signs_have_every_form() -> None:
    """Positions: gaps by class, with tables and without, gaps alone, classes of all weights, none, and what huffman
    does, with its values and with others; values, where they are told from the first byte: signs by neighbours."""
    assert_same(load(GOLDEN / "v1-contexts.dqc"), every_context().tensors)
    assert_same(load(GOLDEN / "v1-signs.dqc"), every_neighbour().tensors)
    found = [*_first_bytes("v1-contexts"), *_first_bytes("v1-signs")]
    assert {positions for positions, _ in found} >= {0xD0, 0xC0, 0xA0, 0xE0, 0xB0, 0x80, 0, None}
    assert {values >> 4 for positions, values in found if positions in (0xB0, 0x80)} == {2}


def test_the_golden_file_of_steps_has_tables_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[int] = set()
    read = frequencies._table
    monkeypatch.setattr(native, "LIBRARY", None)
    monkeypatch.setattr(frequencies, "_table", lambda *of_table: found.add(of_table[2]) or read(*of_table))
    assert_same(load(GOLDEN / "v1-steps.dqc"), every_context().tensors)
    assert found == {3, 4}


def test_the_golden_file_of_floats_has_their_form() -> None:
    assert_same(load(GOLDEN / "v1-floats.dqc"), every_float().tensors)
    with open_reader(GOLDEN / "v1-floats.dqc") as reader:
        assert {blob[0] for _, blob in reader.blobs()} == {3}


def _first_bytes(name: str) -> list[tuple[int | None, int]]:
    """Of positions and indices of each quantized tensor."""
    with open_reader(GOLDEN / f"{name}.dqc") as reader:
        layers = [
            (entry, blob[entry.codebook_length :]) for entry, blob in reader.blobs() if isinstance(entry, Quantized)
        ]
    return [(blob[0] if entry.positions_length else None, blob[entry.positions_length]) for entry, blob in layers]


@pytest.mark.parametrize("number", range(5))
def test_small_files_of_older_forms(number: int) -> None:
    """Classes, values by neighbours, and what huffman does: the seeds of benchmarks/fuzz_files.py. The tests of
    examples/plain_reader.py compare their weights."""
    verify(GOLDEN / f"v1-best-small-{number}.dqc")
    assert {row.coder for row in inspect(GOLDEN / f"v1-best-small-{number}.dqc").layers} == {"best"}
    assert set(_first_bytes(f"v1-best-small-{number}")) == SMALL[number]


def test_the_golden_file_of_neighbours_has_every_form_of_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask, gaps, gaps by class, and none; all values by neighbours."""
    found: list[int] = []
    decode = neighbours.decode
    monkeypatch.setattr(neighbours, "decode", lambda data, *rest: found.append(len(data)) or decode(data, *rest))
    assert_same(load(GOLDEN / "v1-neighbours.dqc"), every_neighbour().tensors)
    assert len(found) == 4
    with open_reader(GOLDEN / "v1-neighbours.dqc") as reader:
        layers = [(entry, blob) for entry, blob in reader.blobs() if isinstance(entry, Quantized)]
    assert [blob[entry.codebook_length] if entry.positions_length else None for entry, blob in layers] == [
        *(2, 0x43, 0),
        None,
    ]


def test_the_golden_file_of_kernels_has_every_form_of_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of a pruned ResNet-20, and one whose weights are all kept; masks, gaps and none."""
    file = GOLDEN / "v2-kernels.dqc"
    assert [positions for positions, _ in _first_bytes(file.stem)] == [97, 98, 96]
    tensors = load(file)
    assert [zlib.crc32(raw(weights)) for weights in tensors.values()] == KERNELS
    monkeypatch.setattr(native, "LIBRARY", None)
    assert_same(load(file), tensors)


def test_the_golden_file_of_heads_left_out_has_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps, all, and runs, each with signs apart and not; and classes."""
    file = GOLDEN / "v2-left-out.dqc"
    assert {positions for positions, _ in _first_bytes(file.stem)} == {0x9E, 0x9F, 0x8E, 0x8F, 0xBE, 0xBF, 0xDF}
    assert_same(load(file), every_left_out().tensors)
    monkeypatch.setattr(native, "LIBRARY", None)
    assert_same(load(file), every_left_out().tensors)
