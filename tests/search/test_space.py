from __future__ import annotations

from typing import Any

import pytest

from dqc_plugin.errors import ConfigError, ScheduleError
from dqc_plugin.schedule import Schedule, build_model, load_schedule, resolve
from dqc_plugin.search.space import fixed_stages, trial_schedule

SCHEDULE: dict[str, Any] = {
    "version": 1,
    "name": "s",
    "model": {"name": "lenet300", "image_size": 8},
    "data": "digits",
    "stages": [
        {"train": {"epochs": 3}},
        {"pruner": "level", "sparsity": 0.5, "epochs": 1},
        {"quantizer": "dqc", "bits": 4, "layers": {"fc3": "skip", "fc2": {"zero": False}}},
        {"coder": "huffman"},
    ],
}


def plans(parameters: dict[str, Any]) -> dict[str, Any]:
    schedule: Schedule = trial_schedule(load_schedule(SCHEDULE), parameters)
    return {plan.layer: plan for plan in resolve(schedule, build_model(schedule))}


def test_a_layer_keeps_what_it_had_beside_the_parameter() -> None:
    found = plans({"fc2.bits": 3, "fc1.sparsity": 0.9})
    assert [found[layer].bits for layer in ("fc1", "fc2", "fc3")] == [4, 3, None]
    assert found["fc2"].codebook_size == 8  # still without zero
    assert [found[layer].sparsity for layer in ("fc1", "fc2")] == [0.9, 0.5]


def test_the_whole_stage_and_any_path() -> None:
    found = plans({"bits": 5, "stages.1.sparsity": 0.8})
    assert [found[layer].bits for layer in ("fc1", "fc2")] == [5, 5]
    assert found["fc1"].sparsity == 0.8


def test_stages_before_the_first_that_varies_are_shared() -> None:
    schedule = load_schedule(SCHEDULE)
    assert fixed_stages(schedule, ["fc1.bits"]) == 2
    assert fixed_stages(schedule, ["fc1.bits", "fc1.sparsity"]) == 1
    assert fixed_stages(schedule, ["stages.0.epochs"]) == 0


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"fc9.bits": 3}, ConfigError, "fc9.bits: no such layer"),
        ({"fc3.bits": 3}, ConfigError, r"fc3.bits: the schedule's stages\[2\] leaves that layer out"),
        ({"fc1.bits": 99}, ScheduleError, "bits"),
        ({"bit": 3}, ConfigError, "'bit' is no layer's bits, zero or sparsity and no path; did you mean 'bits'"),
    ],
)
def test_parameters_that_fit_nothing(parameters: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        plans(parameters)
