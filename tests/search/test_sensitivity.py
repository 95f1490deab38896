from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dqc_plugin.errors import ConfigError
from dqc_plugin.schedule import load_schedule
from dqc_plugin.search.sensitivity import Profile, measure_sensitivity

STAGES: list[dict[str, Any]] = [
    {"train": {"epochs": 3}},
    {"pruner": "level", "sparsity": 0.5, "epochs": 1},
    {"quantizer": "dqc", "bits": 4, "layers": {"fc3": "skip"}},
    {"coder": "huffman"},
]


def profile(folder: Path, stages: list[dict[str, Any]] = STAGES, **arguments: Any) -> Profile:
    model = {"name": "lenet300", "image_size": 8}
    schedule = {"version": 1, "name": "s", "model": model, "data": "digits", "stages": stages}
    return measure_sensitivity(load_schedule(schedule), out=folder / "start", **arguments)


def test_more_bits_mean_less_noise_and_more_bytes(tmp_path: Path) -> None:
    found = profile(tmp_path, [STAGES[0], *STAGES[2:]], bits=(2, 3, 4), images=500)
    assert found.images == 512 and found.loss > 0
    assert [(row.layer, row.bits) for row in found.rows] == [(f"fc{n}", b) for n in (1, 2) for b in (2, 3, 4)]
    for two, three, four in (found.rows[:3], found.rows[3:]):
        assert two.sqnr_db < three.sqnr_db < four.sqnr_db
        assert two.bytes < three.bytes < four.bytes < 4 * four.weights
        assert two.loss_change > four.loss_change


def test_a_pruned_network_keeps_its_zeros_and_the_second_call_trains_nothing(tmp_path: Path) -> None:
    first = profile(tmp_path, bits=(4,), images=256)
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "start").rglob("*.pt"))
    assert profile(tmp_path, bits=(4,), images=256) == first
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "start").rglob("*.pt")) == before
    whole = profile(tmp_path / "whole", [STAGES[0], *STAGES[2:]], bits=(4,), images=256)
    assert all(row.bytes < other.bytes for row, other in zip(first.rows, whole.rows, strict=True))


@pytest.mark.parametrize(
    ("stages", "bits", "text"),
    [
        (STAGES, (1, 4), "bits must be from 2 to 8, not 1, 4"),
        ([STAGES[0], {"quantizer": "inq"}], (4,), "s: has no stage 'quantizer: dqc' or 'quantizer: sqc'"),
    ],
)
def test_what_cannot_be_measured(
    stages: list[dict[str, Any]], bits: tuple[int, ...], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=text):
        profile(tmp_path, stages, bits=bits)
    assert not (tmp_path / "start").exists()
