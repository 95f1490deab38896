from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dqc_plugin
from dqc_plugin.pipeline.averaging import WeightAverage


def test_the_average_is_the_published_sum() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(model[0].weight, 1.0)
    average = WeightAverage(model, decay=0.2)
    for value in (2.0, 3.0):
        nn.init.constant_(model[0].weight, value)
        nn.init.constant_(model[1].running_mean, value)
        average.update()
    average.replace_weights()
    assert model[0].weight.item() == pytest.approx(0.2 * (2 / 11 * 1.0 + 9 / 11 * 2.0) + 0.8 * 3.0)
    assert model[1].running_mean.item() == pytest.approx(0.2 * (9 / 11 * 2.0) + 0.8 * 3.0)


def test_what_does_not_train_stays_as_it_is() -> None:
    model = nn.Linear(50, 20)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = WeightAverage(model, decay=0.999)
    for _ in range(30):
        average.update()
    average.replace_weights()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_quantizer_stage_ends_with_the_codewords_of_the_average(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["stages"] = [{"train": {"epochs": 2}}, {"quantizer": "dqc", "bits": 3, "epochs": 2}]
    plain = dqc_plugin.run(schedule, tmp_path / "plain")
    schedule["stages"][1]["weight_averaging"] = {"decay": 0.99}
    averaged = dqc_plugin.run(schedule, tmp_path / "averaged")
    weight = averaged.model.get_parameter("fc1.weight")
    assert not torch.equal(weight, plain.model.get_parameter("fc1.weight"))
    assert len(weight.unique()) <= 7 and averaged.stages[1]["metric"] > 0.8
    epochs = [{**record, "seconds": 0} for record in averaged.records if record["event"] == "epoch"]
    assert epochs == [{**record, "seconds": 0} for record in plain.records if record["event"] == "epoch"]
