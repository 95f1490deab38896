from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.pipeline.fold_batch_norm import fold_batch_norm


class Net(nn.Module):
    """A convolution of each kind: fed to batch norm alone, to something else too, through a ReLU in place."""

    def __init__(self) -> None:
        super().__init__()
        self.alone, self.both, self.rectified = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(3) for _ in range(3))
        self.plain = nn.BatchNorm2d(3, affine=False)

    def forward(self, images: Tensor) -> Tensor:
        features = self.bn1(self.alone(images))
        both = self.both(features)
        features = self.plain(self.bn2(both) + both)
        return self.bn3(torch.relu_(self.rectified(features)))


@pytest.fixture
def trained() -> Net:
    torch.manual_seed(0)
    net = Net().train()
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    for _ in range(50):
        net(3 * torch.randn(8, 3, 6, 6) + 1)
    return net.eval()


def test_statistics_and_biases_move_into_scale_and_shift(trained: Net) -> None:
    images = torch.randn(16, 3, 6, 6)
    outputs, before = trained(images), trained.state_dict()
    weights = fold_batch_norm(before, copy.deepcopy(trained), images)
    for norm in ("bn1", "bn2", "bn3"):
        assert not weights[f"{norm}.running_mean"].any() and not weights[f"{norm}.num_batches_tracked"]
        assert torch.equal(weights[f"{norm}.running_var"], torch.ones(3))
    moved = {name for name in ("alone", "both", "rectified") if not weights[f"{name}.bias"].any()}
    assert moved == {"alone"}
    assert all(
        torch.equal(weights[name], value)
        for name, value in before.items()
        if name.endswith("weight") and "bn" not in name
    )
    assert torch.equal(weights["plain.running_var"], trained.plain.running_var)
    trained.load_state_dict(weights)
    torch.testing.assert_close(trained(images), outputs, rtol=1e-4, atol=1e-4)


def test_what_a_codebook_has_stays(trained: Net) -> None:
    weights = fold_batch_norm(
        trained.state_dict(), copy.deepcopy(trained), torch.randn(4, 3, 6, 6), {"bn2.weight", "alone.bias"}
    )
    before = trained.state_dict()
    same = {name for name, value in before.items() if torch.equal(weights[name], value)}
    assert {name for name in before if name.startswith(("bn2", "alone"))} <= same
    assert not weights["bn1.running_mean"].any()


def test_a_file_with_folded_batch_norm_is_smaller_and_computes_the_same(
    schedule: dict[str, Any], tmp_path: Path
) -> None:
    schedule["model"] = {"name": "resnet20", "width": 4, "in_channels": 1}
    schedule["stages"] = [
        {"train": {"epochs": 1}},
        {"quantizer": "dqc", "epochs": 1},
        {"coder": "best", "file": "net.dqc"},
    ]
    keep = dqc_plugin.run(schedule, tmp_path / "keep")
    schedule["stages"][-1]["batch_norm"] = "fold"
    fold = dqc_plugin.run(schedule, tmp_path / "fold")
    assert keep.file is not None and fold.file is not None
    assert fold.file.stat().st_size < 0.9 * keep.file.stat().st_size
    inputs = torch.rand(10, 1, 8, 8)
    torch.testing.assert_close(fold.model.eval()(inputs), keep.model.eval()(inputs), rtol=1e-3, atol=1e-3)
    assert all(torch.equal(fold.model.state_dict()[name], value) for name, value in dqc_plugin.load(fold.file).items())
