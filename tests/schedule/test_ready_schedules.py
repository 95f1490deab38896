from __future__ import annotations

from pathlib import Path

import pytest

from dqc_plugin.schedule import CoderStage, build_model, load_schedule, resolve, totals

FOLDER = Path(__file__).parents[2] / "schedules"
READY = sorted(FOLDER.glob("*.yml"))


def test_there_are_ready_schedules() -> None:
    assert {"digits-quickstart.yml", "lenet5-prune-dqc-huffman.yml", "resnet20-dqc.yml"} <= {
        path.name for path in READY
    }


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_a_ready_schedule_resolves_and_is_named_after_its_file(path: Path) -> None:
    schedule = load_schedule(path)
    model = build_model(schedule)
    plans = resolve(schedule, model)
    assert schedule.name == path.stem
    assert all(plan.bits for plan in plans)
    assert totals(plans, model).ratio > 4
    assert isinstance(schedule.stages[-1], CoderStage)
