from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dqc_plugin
from dqc_plugin.errors import ScheduleError
from dqc_plugin.pipeline.distillation import Distillation
from dqc_plugin.schedule import load_schedule
from dqc_plugin.schedule.settings import Distill


def test_the_loss_is_hintons() -> None:
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    inputs, outputs = torch.randn(5, 4), torch.randn(5, 3, requires_grad=True)
    loss = Distillation(teacher, Distill(weight=0.3, temperature=2.0))(torch.tensor(1.5), inputs, outputs)
    wanted = (teacher[0](inputs) / 2).softmax(1)
    divergence = (wanted * (wanted.log() - (outputs / 2).log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(loss, 0.7 * 1.5 + 0.3 * 4 * divergence)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters()) and outputs.grad is not None


def test_the_teacher_is_the_last_trained_network_and_pulls_the_student(
    schedule: dict[str, Any], tmp_path: Path
) -> None:
    schedule["stages"] = [{"train": {"epochs": 3}}, {"quantizer": "dqc", "bits": 4, "epochs": 3}]
    schedule["stages"][1]["distill"] = {"weight": 1.0, "temperature": 2}
    taught = dqc_plugin.run(schedule, tmp_path / "taught")
    assert taught.stages[1]["metric"] > 0.8  # without a label
    losses = [record["loss"] for record in taught.records if record["event"] == "epoch" and record["stage"] == 1]
    assert losses[-1] < losses[0]


def test_a_network_of_the_caller_teaches_itself(tmp_path: Path) -> None:
    stages = [{"quantizer": "dqc", "bits": 8, "epochs": 1, "distill": {"weight": 1.0}, "optimizer": {"lr": 1e-9}}]
    schedule = {"version": 1, "name": "own", "data": "digits", "stages": stages}
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    result = dqc_plugin.run(schedule, tmp_path, model=network)
    assert result.records[0]["loss"] < 0.05  # 2 exponents of 128 apart are the only difference


def test_the_first_stage_has_no_teacher() -> None:
    stages = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "epochs": 1}]
    schedule = {"version": 1, "name": "m", "train": {"distill": {}}, "stages": stages}
    with pytest.raises(ScheduleError, match=r"^train.distill: the first stage has no network to learn from"):
        load_schedule(schedule)
    stages[0] = {"train": {"epochs": 1, "distill": None}}
    assert load_schedule(schedule).stages[1].train.distill == Distill()  # type: ignore[union-attr]
