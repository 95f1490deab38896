"""A quantizer after each of NNI's pruners, and together with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.compression.base.compressor import Pruner
from nni.compression.pruning import LevelPruner, LinearPruner
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer
from dqc_plugin.pruners import build

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]
PRUNE = [{"op_types": ["Conv2d", "Linear"], "target_names": ["weight"], "sparse_ratio": 0.5}]
QUANTIZE = [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int3"}]
PRUNERS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "level": ({}, ()),
    "l1": ({}, ()),
    "l2": ({}, ()),
    "fpgm": ({}, ()),
    "slim": ({"training_steps": 3}, ()),
    "taylor": ({"training_steps": 3}, ()),
    "movement": ({"warmup_step": 1, "cooldown_begin_step": 5}, (8, None)),
    "agp": ({"interval_steps": 2, "total_times": 3}, (8, None)),
    "linear": ({"interval_steps": 2, "total_times": 3}, (8, None)),
}


def masks(pruner: Pruner) -> dict[str, Tensor]:
    return {name: targets["weight"].clone() for name, targets in pruner.get_masks().items()}


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("zero", [True, False])
def test_a_finished_pruner_keeps_its_masks(
    network: nn.Sequential, make_evaluator: MakeEvaluator, batch: tuple[Tensor, Tensor], name: str, zero: bool
) -> None:
    arguments, duration = PRUNERS[name]
    pruner = getattr(build, name)(network, PRUNE, make_evaluator(network), **arguments)
    pruner.compress(*duration)
    before = masks(pruner)
    settings = [{**QUANTIZE[0], "target_settings": {"weight": {"zero": zero}}}]
    quantizer = DQCQuantizer.from_compressor(pruner, settings)
    model, _ = quantizer.compress(6, None)
    model.eval()
    plain = quantizer.export_model()
    assert torch.equal(plain(batch[0]), model(batch[0]))
    for layer, mask in before.items():
        assert torch.equal(masks(pruner)[layer], mask)
        pruned = plain.get_submodule(layer).weight[mask == 0]
        assert pruned.numel() and (pruned == 0).all() and not torch.signbit(pruned).any()
        kept = plain.get_submodule(layer).weight[mask == 1]
        assert zero or (kept != 0).all()


def test_a_pruned_weight_never_widens_the_codebook(network: nn.Sequential) -> None:
    with torch.no_grad():
        network[4].weight.fill_(0.1)[0, 0] = 0.01
    pruner = LevelPruner(network, [{"op_names": ["4"], "target_names": ["weight"], "sparse_ratio": 1 / 2880}])
    pruner.compress()
    pruner._module_wrappers["4"].weight.data[0, 0] = 100.0
    quantizer = DQCQuantizer.from_compressor(pruner, [{"op_names": ["4"], "quant_dtype": "int3"}])
    assert quantizer.targets[0].codebook.scale == 0.0625
    assert quantizer.export_model()[4].weight[0, 0] == 0


def test_a_fresh_pruner_prunes_while_the_quantizer_trains(
    network: nn.Sequential, make_evaluator: MakeEvaluator
) -> None:
    evaluator = make_evaluator(network)
    pruner = LinearPruner(LevelPruner(network, PRUNE, evaluator), interval_steps=2, total_times=3)
    quantizer = DQCQuantizer.from_compressor(pruner, QUANTIZE)
    quantizer.compress(8, None)
    assert float((masks(pruner)["4"] == 0).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_weights_trained_after_an_unwrap_are_kept(network: nn.Sequential) -> None:
    pruner = LevelPruner(network, PRUNE)
    pruner.compress()
    pruner.unwrap_model()
    with torch.no_grad():
        network[0].weight.fill_(0.5)
    quantizer = DQCQuantizer.from_compressor(pruner, QUANTIZE)
    assert set(quantizer.export_model()[0].weight.unique().tolist()) == {0.0, 0.5}
