from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from nni.compression.pruning import LevelPruner
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.artifact import load
from dqc_plugin.codebooks import from_record
from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.weight_sharing import WeightSharingQuantizer

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]
Batch = tuple[Tensor, Tensor]


def config(**settings: Any) -> list[dict[str, Any]]:
    own = {"gradient": "mean", **settings}
    return [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int3", "target_settings": {"weight": own}}]


def test_centroids_train_and_indices_stay(network: nn.Sequential, make_evaluator: MakeEvaluator, batch: Batch) -> None:
    pruner = LevelPruner(network, [{"op_types": ["Linear"], "sparse_ratio": 0.5}], make_evaluator(network))
    pruner.compress()
    quantizer = WeightSharingQuantizer.from_compressor(pruner, config())
    target = quantizer.targets[1]
    before = [t.detach().clone() for t in (target.centroids, target.indices, target.latent)]
    model, calibration = quantizer.compress(6, None)
    assert not torch.equal(target.centroids, before[0])
    assert torch.equal(target.indices, before[1]) and torch.equal(target.latent, before[2])
    model.eval()
    plain = quantizer.export_model()
    assert torch.equal(plain(batch[0]), model(batch[0]))
    weight, mask = plain[4].weight, target.mask
    assert (weight[mask == 0] == 0).all() and not torch.signbit(weight[mask == 0]).any()
    codebook = from_record(calibration["4"]["weight"])
    assert torch.equal(codebook.quantize(weight, mask), weight) and codebook.size == 8


def test_the_codebook_ascends_where_centroids_cross(network: nn.Sequential) -> None:
    quantizer = WeightSharingQuantizer(network, config())
    with torch.no_grad():
        quantizer.targets[0].centroids.copy_(quantizer.targets[0].centroids.flip(0))
    weight = quantizer.export_model()[0].weight
    assert torch.equal(quantizer.targets[0].codebook.quantize(weight), weight)


def test_frozen_centroids_stay(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = WeightSharingQuantizer(network, config(freeze_after_steps=2), make_evaluator(network))
    seen = []
    step = quantizer.after_step
    quantizer.after_step = lambda: (step(), seen.append(quantizer.targets[0].centroids.detach().clone()))
    quantizer.compress(5, None)
    assert not torch.equal(seen[0], seen[1]) and torch.equal(seen[1], seen[4])


def test_state_dict_and_calibration_round_trip(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    pristine = copy.deepcopy(network)
    quantizer = WeightSharingQuantizer(network, config(), make_evaluator(network))
    model, calibration = quantizer.compress(5, None)
    plain = quantizer.export_model()
    other = WeightSharingQuantizer(pristine, config())
    other.bound_model.load_state_dict(model.state_dict())
    other.refresh()
    assert other.targets[0].step == 5
    assert torch.equal(other.export_model()[0].weight, plain[0].weight)
    again = WeightSharingQuantizer(copy.deepcopy(plain), config())
    again.update_calibration_config(calibration)
    assert str(again.get_calibration_config()) == str(calibration)
    assert torch.equal(again.export_model()[4].weight, plain[4].weight)
    calibration["0"]["weight"]["values"] = torch.ones(4)
    with pytest.raises(ConfigError, match=r"0.weight: .*shape \[4\], not \[8\]"):
        again.update_calibration_config(calibration)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": "kmeans"}, "init: Input should be 'linear'"),
        ({"granularity": "out_channel"}, "granularity must be default"),
        ({"inits": "linear"}, "unknown key 'inits'; did you mean 'init'"),
    ],
)
def test_bad_settings(network: nn.Sequential, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WeightSharingQuantizer(network, config(**settings))


def test_a_schedule_down_to_the_file(tmp_path: Path) -> None:
    schedule = {
        "version": 1, "name": "shared", "model": {"name": "lenet300", "image_size": 8}, "data": "digits",
        "train": {"batch_size": 128, "optimizer": {"name": "sgd", "lr": 0.01}},
        "stages": [
            {"train": {"epochs": 1}},
            {"pruner": "level", "sparsity": 0.8, "epochs": 1},
            {"quantizer": "weight_sharing", "bits": 4, "epochs": 1, "gradient": "mean"},
            {"coder": "huffman", "file": "shared.dqc"},
        ],
    }  # fmt: skip
    result = dqc_plugin.run(schedule, tmp_path)
    assert result.file is not None
    loaded = load(result.file)
    for name, value in result.model.state_dict().items():
        assert torch.equal(loaded[name], value)
