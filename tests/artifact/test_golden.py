"""Files written by earlier versions load for ever. A golden file is never written again."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifact_networks import assert_same, every_context, every_kind, every_neighbour

from dqc_plugin.artifact import inspect, load, verify
from dqc_plugin.artifact.index import Quantized
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.coding import neighbours

GOLDEN = Path(__file__).parent / "golden"


def test_version_1() -> None:
    verify(GOLDEN / "v1.dqc")
    assert_same(load(GOLDEN / "v1.dqc"), every_kind().tensors)
    assert inspect(GOLDEN / "v1.dqc").metadata == {"schedule": "0a1b", "n": 1}


@pytest.mark.parametrize("coder", ["best", "huffman", "packed"])
def test_version_1_with_every_coder(coder: str) -> None:
    verify(GOLDEN / f"v1-{coder}.dqc")
    assert_same(load(GOLDEN / f"v1-{coder}.dqc"), every_context().tensors)
    assert {row.coder for row in inspect(GOLDEN / f"v1-{coder}.dqc").layers} == {coder}


def test_the_golden_file_of_best_has_every_form() -> None:
    """Positions: gaps, classes, both, and what huffman does; values: signs apart and not."""
    with open_reader(GOLDEN / "v1-best.dqc") as reader:
        blobs = [
            (entry, blob[entry.codebook_length :]) for entry, blob in reader.blobs() if isinstance(entry, Quantized)
        ]
    forms = {streams[0] if entry.positions_length else None for entry, streams in blobs}
    assert forms >= {0x41, 0x42, 0x43, 0, None}


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
