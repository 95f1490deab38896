from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

import dqc_plugin
from dqc_plugin.pipeline.batch_norm import estimate_batch_norm


def test_the_statistics_are_plain_averages_over_the_batches() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.BatchNorm1d(3, track_running_stats=False)).train()
    batches = [torch.randn(8, 3) * scale for scale in (1.0, 5.0, 9.0)]
    model(batches[0])
    estimate_batch_norm(model, batches)
    torch.testing.assert_close(model[0].running_mean, torch.stack([batch.mean(0) for batch in batches]).mean(0))
    torch.testing.assert_close(model[0].running_var, torch.stack([batch.var(0) for batch in batches]).mean(0))
    assert model[0].momentum == 0.1 and not any(module.training for module in model.modules())


def test_a_stage_ends_with_statistics_of_its_final_weights(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["model"] = {"name": "resnet20", "width": 4, "in_channels": 1}
    schedule["stages"] = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "bits": 3, "epochs": 1}]
    plain = dqc_plugin.run(schedule, tmp_path / "plain").model.state_dict()
    schedule["stages"][1]["batch_norm_batches"] = 14
    estimated = dqc_plugin.run(schedule, tmp_path / "estimated").model.state_dict()
    changed = {name for name, value in plain.items() if not torch.equal(value, estimated[name])}
    assert changed == {name for name in plain if name.endswith(("running_mean", "running_var", "batches_tracked"))}
    assert int(estimated["bn1.num_batches_tracked"]) == 14
