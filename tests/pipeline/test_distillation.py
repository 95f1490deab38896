from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dqc_plugin
from dqc_plugin.errors import DQCError, ScheduleError
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


@pytest.fixture
def taught(schedule: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A schedule whose only stage learns from a trained network of another architecture."""
    trained = dqc_plugin.run({**schedule, "stages": [{"train": {"epochs": 4}}]}, tmp_path / "teacher")
    teacher = {"model": schedule["model"], "checkpoint": str(trained.folder / "model.safetensors")}
    schedule["model"] = {"name": "resnet20", "width": 4, "in_channels": 1}
    schedule["stages"] = [{"train": {"epochs": 6, "distill": {"weight": 1.0, "teacher": teacher}}}]
    return schedule


def test_another_network_may_teach_also_the_first_stage(taught: dict[str, Any], tmp_path: Path) -> None:
    result = dqc_plugin.run(taught, tmp_path / "student")
    assert result.stages[0]["metric"] > 0.5  # without a label
    again = load_schedule(json.loads(json.dumps(load_schedule(taught).canonical())))
    assert again == load_schedule(taught)
    taught["stages"][0]["train"]["distill"]["teacher"]["model"] = {"name": "lenet5"}
    digest = load_schedule(taught).digest()
    taught["stages"][0]["train"]["distill"]["teacher"]["model"] = "lenet5"
    assert load_schedule(taught).digest() == digest


def test_a_teacher_that_cannot_teach_is_told_before_anything_is_trained(taught: dict[str, Any], tmp_path: Path) -> None:
    teacher = taught["stages"][0]["train"]["distill"]["teacher"]
    kept = dict(teacher)
    for changed, message in [
        ({"model": 5}, r"^stages\[0\].train.distill.teacher.model: must be a name, or a mapping .* not 5$"),
        ({"model": "lenet6"}, r"stages\[0\].train.distill.teacher.model.name: .*did you mean 'lenet5'"),
        ({"model": {"name": "resnet20", "widht": 3}}, r"teacher.model.widht: unknown key; did you mean 'width'"),
        ({"checkpoint": "none.pt"}, r"distill.teacher.checkpoint: no such file: none.pt"),
        ({"checkpont": "none.pt"}, r"distill.teacher.checkpont: unknown key"),
        ({"model": "resnet20"}, r"model.safetensors: no entry 'conv1.weight' of the model"),
    ]:
        taught["stages"][0]["train"]["distill"]["teacher"] = {**kept, **changed}
        with pytest.raises(DQCError, match=message):
            dqc_plugin.run(taught, tmp_path / "student")
    taught["stages"][0]["train"]["distill"]["teacher"] = kept
    taught["model"]["classes"] = 12
    with pytest.raises(ScheduleError, match=r"its outputs have shape \[10\], those of the network that learns \[12\]"):
        dqc_plugin.run(taught, tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_the_first_stage_has_no_teacher() -> None:
    stages = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "epochs": 1}]
    schedule = {"version": 1, "name": "m", "train": {"distill": {}}, "stages": stages}
    with pytest.raises(ScheduleError, match=r"^train.distill: the first stage has no network to learn from"):
        load_schedule(schedule)
    stages[0] = {"train": {"epochs": 1, "distill": None}}
    assert load_schedule(schedule).stages[1].train.distill == Distill()  # type: ignore[union-attr]
