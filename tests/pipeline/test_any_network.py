"""Networks as users bring them: prune, quantize, file, load, and the same outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.schedule.compressible import compressible_layers


class Convolutions(nn.Module):
    """Depthwise, grouped, one- and three-dimensional and transposed convolutions, batch norm; digits (N, 1, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 16, 1, groups=2)
        self.up = nn.ConvTranspose2d(16, 8, 2)
        self.volume = nn.Conv3d(1, 2, 3, padding=1)
        self.up_volume = nn.ConvTranspose3d(2, 2, 3, padding=1)
        self.line = nn.Conv1d(16, 4, 3)
        self.up_line = nn.ConvTranspose1d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 79, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = torch.relu(self.norm(self.stem(images)))
        features = torch.relu(self.up(torch.relu(self.grouped(self.depthwise(features)))))
        features = self.up_volume(self.volume(features[:, None])).flatten(1, 2).flatten(2)
        return self.head(torch.relu(self.up_line(self.line(features))).flatten(1))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Embedded pixels through torch's encoder, which reads the weights of its parts without calling them."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Embedding(17, 16)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = (images.flatten(1)[:, ::2] * 6 + 6).long().clamp(0, 16)
        return self.head(self.encoder(self.levels(tokens)).mean(1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """An LSTM and a GRU, whose weights stay floats, with one linear layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(8, 16, batch_first=True)
        self.memory_too = nn.GRU(16, 16, batch_first=True)
        self.twice = nn.Linear(16, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        features, _ = self.memory_too(self.memory(images[:, 0])[0])
        return self.head(self.twice(torch.relu(self.twice(features[:, -1]))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [Convolutions, Attention, Recurrent])
@pytest.mark.parametrize("epochs", [0, 1])
def test_prune_quantize_file_load(make: Callable[[], nn.Module], epochs: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    schedule = {
        "version": 1,
        "name": "any",
        "data": "digits",
        "train": {"optimizer": {"lr": 0.05}},
        "stages": [
            {"train": {"epochs": 1}},
            {"pruner": "level", "sparsity": 0.5, "epochs": epochs},
            {"quantizer": "dqc", "bits": 4, "epochs": epochs},
            {"coder": "huffman", "file": "net.dqc"},
        ],
    }
    model = make()
    result = dqc_plugin.run(schedule, model=model, out=tmp_path / "run")
    last = result.stages[-1]
    assert last["same_outputs"] is True
    assert last["metric"] == result.stages[-2]["metric"]
    loaded = dqc_plugin.load(tmp_path / "run" / "net.dqc")
    for name, weights in loaded.items():
        if weights.dim() > 1 and not name.startswith("memory"):
            assert len(weights.unique()) <= 15, name
            assert abs(float((weights == 0).float().mean()) - 0.5) < 0.35, name


@pytest.mark.parametrize("make", [Convolutions, Attention])
def test_every_kind_of_layer_is_part_of_one_graph(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make().eval()
    config_list = [
        {"op_names": [layer.module_name], "target_names": [layer.parameter], "quant_dtype": "int4"}
        for layer in compressible_layers(model)
    ]
    dqc_plugin.DQCQuantizer(model, config_list)
    torch.compiler.reset()
    images = torch.randn(4, 1, 8, 8)
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(images), model(images))


@pytest.mark.parametrize("quantizer", ["lsq", "ttq", "weight_sharing"])
def test_quantizers_that_train_numbers_of_their_own_know_networks_with_a_class_token(
    quantizer: str, with_token: nn.Module, tmp_path: Path
) -> None:
    stages = [{"train": {"epochs": 1}}, {"quantizer": quantizer, "epochs": 1}]
    schedule = {"version": 1, "name": "token", "data": "digits", "stages": stages}
    result = dqc_plugin.run(schedule, model=with_token, out=tmp_path / "run")
    assert bool(result.model.get_parameter("token").any())
