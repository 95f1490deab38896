from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

import dqc_plugin
from dqc_plugin.pipeline.unused import zero_unused


def test_what_feeds_a_cut_off_or_silent_unit_is_zero_and_the_outputs_stay() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        model[0].weight.abs_()
        model[0].bias.fill_(0.5)
        model[2].weight[:, 1] = 0.0  # cut off
        model[0].weight[3].neg_()  # silent for inputs above 0
        model[0].bias[3] = -1.0
    batches = [(torch.rand(20, 6), torch.zeros(20)) for _ in range(3)]
    before = [model(inputs) for inputs, _ in batches]
    weights = zero_unused(model.state_dict(), copy.deepcopy(model), batches)
    assert not weights["0.weight"][[1, 3]].any() and not weights["0.bias"][[1, 3]].any()
    assert torch.equal(weights["0.weight"][[0, 2, 4]], model[0].weight[[0, 2, 4]])
    assert not weights["2.weight"][:, 3].any() and torch.equal(weights["2.bias"], model[2].bias)
    model.load_state_dict(weights)
    assert all(torch.equal(model(inputs), outputs) for (inputs, _), outputs in zip(batches, before, strict=True))


def test_a_file_without_unused_parameters_is_smaller(schedule: dict[str, Any], tmp_path: Path) -> None:
    schedule["stages"][1]["sparsity"] = 0.98
    keep = dqc_plugin.run(schedule, tmp_path / "keep")
    schedule["stages"][-1]["unused"] = "zero"
    zero = dqc_plugin.run(schedule, tmp_path / "zero")
    assert keep.file is not None and zero.file is not None
    assert zero.file.stat().st_size < keep.file.stat().st_size
    before, after = dqc_plugin.load(keep.file), dqc_plugin.load(zero.file)
    assert all(torch.equal(after[name], value) for name, value in zero.model.state_dict().items())
    assert all(torch.equal(value[value != 0], before[name][value != 0]) for name, value in after.items())
    assert int((before["fc1.bias"] != 0).sum()) > int((after["fc1.bias"] != 0).sum()) > 0
