"""What holds for every quantizer of the methods that DQC is compared with: INQ, TWN, TTQ, BinaryConnect."""

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
from dqc_plugin.errors import ConfigError, ScheduleError, WeightError
from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.registry import lookup
from dqc_plugin.schedule import load_schedule, resolve

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]
SIZES = {"inq": 17, "ternary": 3, "ttq": 3, "binary_connect": 2}
LAYERS = {"op_types": ["Conv2d", "Linear"]}


def config(name: str, **settings: Any) -> list[dict[str, Any]]:
    options = lookup("quantizer", name).load_options()(**settings)
    return [{**LAYERS, **lookup("quantizer", name).load().config_entry(options)}]


def build(name: str, network: nn.Module, evaluator: TorchEvaluator | None = None) -> CodebookQuantizer:
    quantizer: CodebookQuantizer = lookup("quantizer", name).load()(network, config(name), evaluator, steps_per_epoch=2)
    return quantizer


@pytest.mark.parametrize("name", SIZES)
def test_export_equals_the_simulated_network(
    network: nn.Sequential, make_evaluator: MakeEvaluator, batch: tuple[Tensor, Tensor], name: str
) -> None:
    keys, before = set(network.state_dict()), network[4].weight.clone()
    quantizer = build(name, network, make_evaluator(network))
    model, calibration = quantizer.compress(None, 5)
    model.eval()
    plain = quantizer.export_model()
    assert torch.equal(plain(batch[0]), model(batch[0])) and set(plain.state_dict()) == keys
    codebook = from_record(calibration["4"]["weight"])
    assert torch.equal(codebook.quantize(plain[4].weight), plain[4].weight) and codebook.size == SIZES[name]
    assert not torch.equal(quantizer.targets[1].latent, before)


@pytest.mark.parametrize("name", SIZES)
def test_a_pruner_keeps_its_masks(
    network: nn.Sequential, make_evaluator: MakeEvaluator, batch: tuple[Tensor, Tensor], name: str
) -> None:
    prune = [{**LAYERS, "target_names": ["weight"], "sparse_ratio": 0.5}]
    pruner = LevelPruner(network, prune, make_evaluator(network))
    pruner.compress()
    mask = pruner.get_masks()["4"]["weight"].clone()
    kind = lookup("quantizer", name).load()
    quantizer = kind.from_compressor(pruner, config(name), steps_per_epoch=2)
    model, _ = quantizer.compress(8, None)
    model.eval()
    plain = quantizer.export_model()
    assert torch.equal(plain(batch[0]), model(batch[0])) and torch.equal(pruner.get_masks()["4"]["weight"], mask)
    pruned = plain[4].weight[mask == 0]
    assert pruned.numel() and (pruned == 0).all() and not torch.signbit(pruned).any()
    assert plain[4].weight.unique().numel() <= SIZES[name] + 1


@pytest.mark.parametrize("name", SIZES)
def test_a_pruned_weight_does_not_count(network: nn.Sequential, name: str) -> None:
    with torch.no_grad():
        network[4].weight.uniform_(0.05, 0.1)[:5].neg_()
        network[4].weight[0, 0] = 0.001
    pruner = LevelPruner(network, [{"op_names": ["4"], "target_names": ["weight"], "sparse_ratio": 1 / 2880}])
    pruner.compress()
    kind, entries = lookup("quantizer", name).load(), config(name)
    first = kind.from_compressor(pruner, entries)
    before = first.targets[1].codebook.codewords.clone()
    with torch.no_grad():
        first.targets[1].latent[0, 0] = 100.0
    first.targets[1].frozen = False
    first.refresh()
    assert torch.equal(first.targets[1].codebook.codewords, before)


@pytest.mark.parametrize("name", SIZES)
def test_a_state_dict_and_a_calibration_config_bring_all(
    network: nn.Sequential, make_evaluator: MakeEvaluator, name: str
) -> None:
    pristine, third = copy.deepcopy(network), copy.deepcopy(network)
    quantizer = build(name, network, make_evaluator(network))
    model, calibration = quantizer.compress(5, None)
    other = build(name, pristine)
    other.bound_model.load_state_dict(model.state_dict())
    assert other.targets[0].step == 5
    assert torch.equal(other.export_model()[0].weight, quantizer.export_model()[0].weight)
    last = build(name, third)
    last.update_calibration_config(calibration)
    again = last.get_calibration_config()["4"]["weight"]
    for key, value in calibration["4"]["weight"].items():
        assert torch.equal(again[key], value) if isinstance(value, Tensor) else again[key] == value, key
    calibration["4"]["weight"]["scale"] = torch.ones(7)
    with pytest.raises(ConfigError, match="4.weight: the calibration config has another codebook"):
        last.update_calibration_config(calibration)


@pytest.mark.parametrize("name", SIZES)
def test_not_a_number_is_an_error(network: nn.Sequential, name: str) -> None:
    with torch.no_grad():
        network[4].weight[0, 0] = torch.nan
    with pytest.raises(WeightError, match="4.weight holds NaN or infinity"):
        build(name, network)


@pytest.mark.parametrize("name", SIZES)
def test_per_channel_is_an_error(network: nn.Sequential, name: str) -> None:
    with pytest.raises(ConfigError, match="one codebook for a tensor"):
        lookup("quantizer", name).load()(network, [{**LAYERS, "granularity": "out_channel"}])


@pytest.mark.parametrize("name", SIZES)
def test_a_layer_of_zeros(network: nn.Sequential, name: str) -> None:
    with torch.no_grad():
        network[4].weight.zero_()
    exported = build(name, network).export_model()[4].weight
    assert (exported == (1 if name == "binary_connect" else 0)).all() and not torch.signbit(exported).any()


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_from_a_schedule_to_a_file(name: str, channels_last: bool, tmp_path: Path) -> None:
    model = {"name": "lenet5" if channels_last else "lenet300", "image_size": 8}
    stages = [
        {"train": {"epochs": 1}},
        {"pruner": "level", "sparsity": 0.5, "epochs": 1},
        {"quantizer": name, "epochs": 2},
    ]
    schedule = {
        "version": 1,
        "name": "tiny",
        "model": model,
        "data": "digits",
        "channels_last": channels_last,
        "train": {"batch_size": 256, "optimizer": {"name": "sgd", "lr": 0.02}, "gradient_clip_norm": 1.0},
        "stages": [*stages, {"coder": "huffman", "file": "tiny.dqc"}],
    }
    result = dqc_plugin.run(schedule, tmp_path)
    assert result.file is not None
    loaded = load(result.file)
    exported = torch.load(tmp_path / "checkpoints" / "stage-2-end.pt", weights_only=True)
    weights = exported["weights"]
    assert weights.keys() == loaded.keys() and all(torch.equal(loaded[key], value) for key, value in weights.items())
    fc = loaded["fc1.weight"]
    assert 2 <= fc.unique().numel() <= SIZES[name] + (name == "binary_connect")


def schedule_with(stage: dict[str, Any]) -> dict[str, Any]:
    head = {"version": 1, "name": "tiny", "model": {"name": "lenet300", "image_size": 8}, "data": "digits"}
    return {
        **head,
        "train": {"optimizer": {"name": "sgd", "lr": 0.1}},
        "stages": [{"train": {"epochs": 1}}, {**stage, "epochs": 1}],
    }


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_the_resolved_table(name: str, size: int) -> None:
    plans = resolve(load_schedule(schedule_with({"quantizer": name})), lookup("model", "lenet300").load()(image_size=8))
    assert [plan.codebook_size for plan in plans] == [size] * 3 and all(plan.freeze for plan in plans)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"quantizer": "inq", "portions": [0.5, 0.4, 1]}, "portions: .*must rise"),
        ({"quantizer": "inq", "portions": [0.5, 0.9]}, "portions: .*end at 1"),
        ({"quantizer": "inq", "partition": "dqc_author"}, "dqc_authors"),
        ({"quantizer": "ternary", "threshold": -1}, "threshold"),
        ({"quantizer": "ttq", "threshold": 1}, "threshold"),
        ({"quantizer": "binary_connect", "magnitude": "two"}, "magnitude"),
        ({"quantizer": "ternary", "bits": 3}, "bits"),
    ],
)
def test_bad_options(stage: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        load_schedule(schedule_with(stage))
