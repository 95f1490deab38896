from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dqc_plugin
from dqc_plugin.pipeline.family import run_family
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.schedule import load_family


class Watcher(Reporter):
    def __init__(self) -> None:
        self.begun: list[int] = []

    def stage(self, number: int, total: int, title: str, resumed: bool) -> None:
        self.begun.append(number)


def run(schedule: dict[str, Any], folder: Path, *siblings: Path) -> tuple[dqc_plugin.RunResult, list[int]]:
    watcher = Watcher()
    return dqc_plugin.run(schedule, folder, siblings=siblings, reporter=watcher), watcher.begun


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def test_shared_stages_are_not_trained_again_and_the_file_is_the_same(schedule: dict[str, Any], tmp_path: Path) -> None:
    run(schedule, tmp_path / "sibling")
    schedule["stages"][2]["bits"] = 3
    alone, all_stages = run({**schedule, "name": "other"}, tmp_path / "alone")
    reused, stages = run({**schedule, "name": "other"}, tmp_path / "reused", tmp_path / "none", tmp_path / "sibling")
    assert all_stages == [0, 1, 2, 3] and stages == [2, 3]
    assert alone.file is not None and reused.file is not None
    assert reused.file.read_bytes() == alone.file.read_bytes()
    assert without_times(reused.records) == without_times(alone.records)


def test_another_seed_or_other_versions_share_nothing(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["stages"] = schedule["stages"][:1]
    run(schedule, tmp_path / "sibling")
    assert run({**schedule, "seed": 4}, tmp_path / "seed", tmp_path / "sibling")[1] == [0]
    facts = tmp_path / "sibling" / "environment.json"
    environment = json.loads(facts.read_text())
    for other in ({"python": "3.0"}, {"continued": [{**environment, "threads": 99}]}):
        facts.write_text(json.dumps({**environment, **other}))
        assert run(schedule, tmp_path / next(iter(other)), tmp_path / "sibling")[1] == [0]
    facts.write_text(json.dumps(environment))
    assert run(schedule, tmp_path / "same", tmp_path / "sibling")[1] == []


def test_a_family_takes_over_stages_of_the_families_beside_it(schedule: dict[str, Any], tmp_path: Path) -> None:
    floats = load_family({**schedule, "name": "floats", "stages": schedule["stages"][:1]})
    whole = load_family({**schedule, "name": "whole", "matrix": {"bits": {"stages.2.bits": [3]}}})
    run_family(floats, tmp_path / "floats")
    watcher = Watcher()
    assert run_family(whole, tmp_path / "whole", watcher) == []
    assert watcher.begun == [1, 2, 3]
