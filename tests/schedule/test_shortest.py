from __future__ import annotations

from pathlib import Path

import pytest

from dqc_plugin.schedule import load_schedule, shortest

READY = sorted((Path(__file__).parents[2] / "schedules").glob("*.yml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_it_loads_as_the_same_schedule(path: Path) -> None:
    schedule = load_schedule(path)
    assert load_schedule(shortest(schedule)).canonical() == schedule.canonical()


def test_only_what_is_not_default_is_left() -> None:
    written = {
        "version": 1,
        "name": "small",
        "model": "lenet5",
        "data": {"name": "mnist"},
        "stages": [
            {"train": {"epochs": 3}},
            {"quantizer": "dqc", "bits": 3, "layers": {"fc1": {"bits": 2}, "fc2": {"bits": 3}}, "epochs": 2},
            {"coder": "huffman", "file": "net.dqc"},
        ],
    }
    data = shortest(load_schedule({**written, "seed": 0, "precision": "float32"}))
    assert data["stages"] == written["stages"]
    assert set(data) <= set(written)
